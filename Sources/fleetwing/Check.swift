// `fleetwing check`: all problems of a settings file in one pass.

import ArgumentParser
import ForwarderSettings
import Foundation

/// Checks a settings file.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a settings file; exit code 78 when it has errors.")

    @Argument(help: "The settings file; without it, the one that serve would read.")
    var file: String?
    @Flag(help: "Print one JSON object.")
    var json = false
    @Option(help: "auto, always or never.")
    var color = Terminal.Color.auto
    @Flag(name: .shortAndLong, help: "Print nothing when there is nothing wrong.")
    var quiet = false

    func run() throws {
        let outcome = loadSettings(path: file, overrides: [])
        let renderer = ProblemRenderer(color: Terminal.colors(color, descriptor: STDOUT_FILENO))
        if json {
            Terminal.result(renderer.json(outcome.problems))
        } else {
            Terminal.result(renderer.text(outcome.problems))
            if outcome.problems.isEmpty, !quiet {
                let files = outcome.files.joined(separator: ", ")
                Terminal.result("\(files.isEmpty ? "no file; the built-in defaults" : files): no problems\n")
            }
        }
        if outcome.settings == nil { throw ExitCode(configurationExitCode) }
    }
}
