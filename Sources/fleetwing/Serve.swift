// `fleetwing serve`: becomes the fleetwingd beside this file, same PID, so that systemd and shells see one program. The
// options are passed through as they are; the daemon checks them.

import ArgumentParser
import Foundation

/// Runs the daemon.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve queries; stays in the foreground.")

    @Option(name: [.customShort("c"), .long], help: "The settings file.")
    var config: String?
    @Option(help: ArgumentHelp("Listen here, in place of server.listen; may be repeated.", valueName: "address"))
    var listen: [String] = []
    @Option(help: ArgumentHelp("Ask this server, in place of upstreams; may be repeated.", valueName: "url"))
    var upstream: [String] = []
    @Option(help: ArgumentHelp("Write messages to stderr: text or json.", valueName: "format"))
    var foregroundLog: LogFormat?

    /// `--foreground-log`.
    enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

    func run() throws {
        var arguments: [String] = []
        if let config { arguments += ["-c", config] }
        for address in listen { arguments += ["--listen", address] }
        for url in upstream { arguments += ["--upstream", url] }
        if let foregroundLog { arguments += ["--foreground-log", foregroundLog.rawValue] }

        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let daemon = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("fleetwingd").path
        let code = DaemonLaunch.replaceProcess(path: daemon, arguments: ["fleetwingd"] + arguments)
        // EX_UNAVAILABLE: the daemon is not beside us, or may not be run.
        Terminal.words("fleetwing: cannot run \(daemon): \(DaemonLaunch.reason(code))\n")
        throw ExitCode(69)
    }
}
