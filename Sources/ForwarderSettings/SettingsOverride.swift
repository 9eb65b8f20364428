// What the command line says about settings. Made by fleetwing and fleetwingd from their options; the top layer of
// SettingsDocument.

/// A value from the command line; it wins over every file.
public struct SettingsOverride: Sendable, Equatable {
    let path: String
    let value: TOMLValue
    /// As the user wrote it: `--listen`.
    let option: String

    /// `--listen A`, once or more: `server.listen`.
    public static func listen(_ addresses: [String]) -> SettingsOverride {
        SettingsOverride(path: "server.listen", value: list(addresses, "--listen"), option: "--listen")
    }

    /// `--upstream URL`, once or more: `group.default.upstreams`.
    public static func upstreams(_ urls: [String]) -> SettingsOverride {
        SettingsOverride(path: "upstreams", value: list(urls, "--upstream"), option: "--upstream")
    }

    /// `--foreground-log text|json`: messages to stderr in that format.
    public static func foregroundLog(_ format: String) -> [SettingsOverride] {
        let option = "--foreground-log"
        return [
            SettingsOverride(path: "log.target", value: .string("stderr"), option: option),
            SettingsOverride(path: "log.format", value: .string(format), option: option),
        ]
    }

    private static func list(_ texts: [String], _ option: String) -> TOMLValue {
        .array(texts.map { TOMLNode(value: .string($0), origin: .option(option)) })
    }
}
