// The simulation as a program: `simulate [--seed N] [--from N] [--seeds N] [--verbose]`. scripts/simulate starts it.
//
// Prints each failing seed with its first problem, and at the end one line that sums up; exits 1 when a seed failed.

import Glibc
import Simulator

/// What the command line asks for.
private struct Arguments {
    var from: UInt64 = 1
    var seeds: UInt64 = 1_000
    var isVerbose = false

    /// nil when it cannot be read.
    init?(_ words: [String]) {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--verbose" {
                isVerbose = true
                continue
            }
            guard let text = rest.popFirst(), let number = UInt64(text) else { return nil }
            switch word {
            case "--seed":
                from = number
                seeds = 1
                isVerbose = true
            case "--from": from = number
            case "--seeds": seeds = number
            default: return nil
            }
        }
    }
}

/// The seed that runs, for the last words of a run that ends by a trap.
nonisolated(unsafe) private var currentSeed: UInt64 = 0

@main
struct Simulate {
    /// Failing seeds that are shown in full.
    private static let shownLimit = 20

    static func main() {
        guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
            print("usage: simulate [--seed N] [--from N] [--seeds N] [--verbose]")
            exit(2)
        }
        var failed = 0
        var answers = 0
        var errors = 0
        var stale = 0
        var sent = 0
        // A single seed shows the runtime's own backtrace instead.
        if !arguments.isVerbose { nameSeedOfTraps() }
        for seed in arguments.from..<(arguments.from + arguments.seeds) {
            unsafe currentSeed = seed
            let simulation = Simulation(seed: seed)
            if arguments.isVerbose { simulation.log = { print($0) } }
            simulation.run()
            answers += simulation.answers
            errors += simulation.serverFailures
            stale += simulation.staleAnswers
            sent += simulation.queriesSent
            guard let problem = simulation.problems.first else { continue }
            failed += 1
            guard failed <= shownLimit else { continue }
            print("seed \(seed): \(problem) (\(simulation.problems.count) in all)")
            fflush(nil)
        }
        print(
            "seeds \(arguments.seeds) failed \(failed) answers \(answers) errors \(errors) stale \(stale) sent \(sent)")
        exit(failed == 0 ? 0 : 1)
    }

    /// A trap ends the whole run; it must not hide which seed it was.
    private static func nameSeedOfTraps() {
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
            _ = signal(number) { number in
                // Not async-signal-safe to the letter; nothing else runs here, and the process ends by it.
                unsafe print("seed \(currentSeed): ended by signal \(number)")
                fflush(nil)
                _exit(3)
            }
        }
    }
}
