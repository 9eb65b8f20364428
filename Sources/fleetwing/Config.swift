// `fleetwing config`: what holds, what the defaults are, what a key means.

import ArgumentParser
import ForwarderSettings
import Foundation

/// Shows and explains settings.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show and explain settings.", subcommands: [Show.self, Default.self, Explain.self])

    /// `config show`.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print what holds, and where each value comes from.")

        @Option(name: [.customShort("c"), .long], help: "The settings file.")
        var config: String?
        @Flag(help: "Print one JSON object.")
        var json = false

        func run() throws {
            let outcome = loadSettings(path: config, overrides: [])
            if !outcome.problems.isEmpty {
                let color = Terminal.colors(.auto, descriptor: STDERR_FILENO)
                Terminal.words(ProblemRenderer(color: color).text(outcome.problems))
            }
            if outcome.settings == nil { throw ExitCode(configurationExitCode) }
            Terminal.result(renderEffective(outcome, json: json))
        }
    }

    /// `config default`.
    struct Default: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print a commented settings file with all defaults.")

        func run() { Terminal.result(renderDefaultFile()) }
    }

    /// `config explain`.
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Explain a key, or all keys of a section.")

        @Argument(help: "Such as pool.max_connections, or pool.")
        var key: String
        @Option(name: [.customShort("c"), .long], help: "The settings file whose value to show.")
        var config: String?
        @Flag(help: "Print JSON.")
        var json = false

        func run() throws {
            let outcome = loadSettings(path: config, overrides: [])
            guard let text = explain(key, in: outcome, json: json) else {
                let near = suggestion(for: key).map { "; did you mean '\($0)'?" } ?? ""
                Terminal.words("fleetwing: no key '\(key)'\(near)\n")
                throw ExitCode(64)
            }
            Terminal.result(text)
        }
    }
}
