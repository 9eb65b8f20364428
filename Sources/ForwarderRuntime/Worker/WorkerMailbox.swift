// What passes between the main thread and a worker: requests in, reports out.
//
// The main thread sets a flag and wakes the worker; the worker answers with a copy of its figures. It must never be
// touched on the way of a query.

import ForwarderCore
import Synchronization

/// A worker's figures at one moment.
public struct WorkerReport: Sendable {
    public var counters = WorkerCounters()
    public var engine = EngineStatistics()
    public var upstreams: [UpstreamStatistics] = []
    public var pools: [PoolStatistics] = []
    /// Client queries that wait for an answer.
    public var inFlight = 0
}

/// What the main thread learned of the network and a worker has not yet looked at; a later change joins an earlier one.
struct NetworkOrders: Sendable {
    var change: NetworkChange?
    /// By the upstream's index.
    var servers: [Int: [Endpoint]] = [:]
}

/// The only object that a worker's thread shares with the main thread, apart from the cache and the port allocator.
final class WorkerMailbox: Sendable {
    enum State: Int { case starting, running, failed, ended }

    let wakeup: Wakeup
    private let stop = Atomic(false)
    private let report = Atomic(false)
    private let stateValue = Atomic(State.starting.rawValue)
    private let latest = Mutex<WorkerReport?>(nil)
    private let orders = Mutex(NetworkOrders())

    init() throws(SystemError) { wakeup = try Wakeup() }

    var state: State {
        get { State(rawValue: stateValue.load(ordering: .acquiring)) ?? .failed }
        set { stateValue.store(newValue.rawValue, ordering: .releasing) }
    }

    // The main thread's side.

    func requestStop() {
        stop.store(true, ordering: .releasing)
        wakeup.post()
    }

    func requestReport() {
        latest.withLock { $0 = nil }
        report.store(true, ordering: .releasing)
        wakeup.post()
    }

    /// The report that was asked for; nil until the worker wrote it.
    func takeReport() -> WorkerReport? { latest.withLock { $0 } }

    func tell(_ change: NetworkChange) {
        orders.withLock { orders in
            if orders.change == nil { orders.change = change } else { orders.change?.merge(change) }
        }
        wakeup.post()
    }

    func setServers(_ servers: [Int: [Endpoint]]) {
        orders.withLock { $0.servers.merge(servers) { _, new in new } }
        wakeup.post()
    }

    // The worker's side.

    func takeOrders() -> NetworkOrders {
        orders.withLock { orders in
            defer { orders = NetworkOrders() }
            return orders
        }
    }

    var stopRequested: Bool { stop.load(ordering: .acquiring) }
    func takeReportRequest() -> Bool { report.exchange(false, ordering: .acquiringAndReleasing) }
    func deliver(_ fresh: WorkerReport) { latest.withLock { $0 = fresh } }
}
