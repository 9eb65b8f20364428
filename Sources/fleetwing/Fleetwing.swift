// The command for people. It parses arguments and prints; what it knows about settings comes from ForwarderSettings. It
// never serves queries itself: `serve` becomes the daemon beside it. Exit codes are those of sysexits.

import ArgumentParser

@main
struct Fleetwing: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleetwing",
        abstract: "A forwarding DNS resolver.",
        subcommands: [Serve.self, Check.self, Config.self, Version.self])
}
