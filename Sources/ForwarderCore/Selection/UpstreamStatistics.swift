// What the dispatcher did with one upstream: kept by the engine, summed over workers by the daemon.

/// Counters and gauges of one upstream over all of its transports. Totals only grow; gauges are as of the reading.
public struct UpstreamStatistics: Sendable {
    public var upstream = ""
    // Gauges.
    /// The worst that any worker thinks of it.
    public var state = HealthState.up
    /// nil when never measured.
    public var smoothedRoundTrip: Interval?
    public var percentile95: Interval?
    public var inFlight = 0
    // Totals.
    public var hedges: UInt64 = 0
    /// Hedges whose answer came first.
    public var hedgesWon: UInt64 = 0
    /// Queries that came here after another member had failed.
    public var failovers: UInt64 = 0
    public var probes: UInt64 = 0
    public var probesAnswered: UInt64 = 0
    /// Times that it went down.
    public var downs: UInt64 = 0
    /// Queries beyond one for each of a client, by `ExtraKind`: sent, and refused by the budget.
    public var extrasGranted = [UInt64](repeating: 0, count: ExtraKind.allCases.count)
    public var extrasDenied = [UInt64](repeating: 0, count: ExtraKind.allCases.count)
    public init() {}
}
