// How an upstream is, in words that logs, statistics and strategies share.

/// The health of an upstream, from best to worst.
public enum HealthState: Int, Sendable, CaseIterable, Comparable {
    case up
    /// Failed lately, not often enough to be down.
    case shaky
    /// Down, and being asked whether it is back.
    case probing
    /// Not asked until the next probe.
    case down
    /// Our own queries came back from there: switched off.
    case looping

    public static func < (a: HealthState, b: HealthState) -> Bool { a.rawValue < b.rawValue }

    /// As statistics and logs call it.
    public var word: String {
        switch self {
        case .up: "up"
        case .shaky: "shaky"
        case .probing: "probing"
        case .down: "down"
        case .looping: "looping"
        }
    }
}
