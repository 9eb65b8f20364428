// Adding the pool figures of several workers.

import ForwarderCore

extension PoolStatistics {
    /// Sockets that count against the ceiling.
    public var total: Int { active + idle + connecting + draining }

    /// Adds another worker's figures of the same upstream and network. The ceiling is the process's already; peaks add
    /// up to an upper bound, as they need not fall together; of the learned idle limits the shortest counts.
    mutating func add(_ other: PoolStatistics) {
        active += other.active
        connecting += other.connecting
        draining += other.draining
        idle += other.idle
        maxConnections = max(maxConnections, other.maxConnections)
        waiters += other.waiters
        inFlight += other.inFlight
        peak += other.peak
        if other.learnedIdle > .zero {
            learnedIdle = learnedIdle > .zero ? min(learnedIdle, other.learnedIdle) : other.learnedIdle
        }
        PoolStatistics.add(&opened, other.opened)
        PoolStatistics.add(&closed, other.closed)
        PoolStatistics.add(&failures, other.failures)
        queries &+= other.queries
        reused &+= other.reused
        waited &+= other.waited
        waitFailed &+= other.waitFailed
        responses &+= other.responses
        timeouts &+= other.timeouts
        lateResponses &+= other.lateResponses
        nearMisses &+= other.nearMisses
        truncated &+= other.truncated
        staleRetries &+= other.staleRetries
    }

    private static func add(_ sums: inout [UInt64], _ more: [UInt64]) {
        for i in sums.indices where i < more.count { sums[i] &+= more[i] }
    }
}
