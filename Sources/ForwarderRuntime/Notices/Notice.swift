// A line for the log, as a value: what happened, to which upstream, in plain words.
//
// Workers make them, the daemon's log writes them. They carry no client address and no query name.

/// How grave a notice is; smaller is graver.
public enum NoticeLevel: Int, Sendable, Comparable, CaseIterable {
    case error, warning, info, debug, trace
    public static func < (a: NoticeLevel, b: NoticeLevel) -> Bool { a.rawValue < b.rawValue }
}

/// One thing to tell the operator.
public struct Notice: Sendable, Equatable {
    public var level: NoticeLevel
    /// A word for filters: `pool_opened`, `upstream_down`.
    public var event: String
    /// The whole sentence.
    public var text: String
    public var upstream: String?
    /// "udp" or "tcp".
    public var network: String?
    public var reason: String?
    /// How many events of this kind the line stands for.
    public var count = 1

    public init(
        _ level: NoticeLevel, event: String, _ text: String, upstream: String? = nil, network: String? = nil,
        reason: String? = nil
    ) {
        self.level = level
        self.event = event
        self.text = text
        self.upstream = upstream
        self.network = network
        self.reason = reason
    }
}
