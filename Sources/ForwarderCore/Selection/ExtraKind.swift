// What a query that no client asked for is for: the kinds that ExtraBudget weighs against each other.

/// Why an extra query is sent, the most important first.
public enum ExtraKind: Int, CaseIterable, Sendable {
    /// The same question once more after a loss.
    case retransmit
    /// A second member beside one that is slow.
    case hedge
    /// A stale answer was given, a fresh one is fetched.
    case refresh
    /// A popular answer ends soon.
    case prefetch

    /// As statistics and logs call it.
    public var word: String {
        switch self {
        case .retransmit: "retransmit"
        case .hedge: "hedge"
        case .refresh: "refresh"
        case .prefetch: "prefetch"
        }
    }
}
