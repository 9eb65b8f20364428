// The daemon's few options, read by hand: argument-parser would bring Foundation into the daemon.
//
// `fleetwing serve` passes its own on. An unknown option ends the start with exit code 64 (EX_USAGE).

/// What the command line said.
struct Options: Equatable {
    var file: String?
    var listen: [String] = []
    var upstreams: [String] = []
    var foregroundLog: String?
    var check = false
    var version = false
    var help = false

    /// What is wrong with the command line, as a sentence.
    struct Mistake: Error, Equatable {
        var text: String
    }

    static let usage = """
        usage: fleetwingd [-c FILE] [--listen ADDRESS]... [--upstream URL]... [--foreground-log text|json] [--check]
          -c, --config FILE        settings (default: $FLEETWING_CONFIG, else /etc/fleetwing/fleetwing.toml, else the
                                   embedded default)
          --listen ADDRESS         instead of server.listen; may be repeated
          --upstream URL           instead of upstreams; may be repeated
          --foreground-log FORMAT  messages to stderr, as text or json
          --check                  check the settings, print what is wrong, end
          --version, --help
        """

    init(_ arguments: [String]) throws(Mistake) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            // `--name=value` and `--name value` are the same.
            var name = argument
            var attached: String?
            if argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") {
                name = String(argument[..<equals])
                attached = String(argument[argument.index(after: equals)...])
            }
            switch name {
            case "--check", "--version", "-V", "--help", "-h":
                if attached != nil { throw Mistake(text: "\(name) takes no value") }
                if name == "--check" {
                    check = true
                } else if name.hasSuffix("h") || name == "--help" {
                    help = true
                } else {
                    version = true
                }
            case "-c", "--config", "--listen", "--upstream", "--foreground-log":
                guard let value = attached ?? rest.popFirst() else { throw Mistake(text: "\(name) needs a value") }
                take(name, value)
            default: throw Mistake(text: "unknown option '\(argument)'")
            }
        }
        if let format = foregroundLog, format != "text", format != "json" {
            throw Mistake(text: "--foreground-log must be text or json, got '\(format)'")
        }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "--listen": listen.append(value)
        case "--upstream": upstreams.append(value)
        case "--foreground-log": foregroundLog = value
        default: file = value
        }
    }
}
