// `fleetwing version`.

import ArgumentParser
import ForwarderSettings

/// Prints the version.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() {
        Terminal.result(
            json ? "{\"schema\": 1, \"version\": \"\(fleetwingVersion)\"}\n" : "fleetwing \(fleetwingVersion)\n")
    }
}
