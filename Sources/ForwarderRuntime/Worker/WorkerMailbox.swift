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

/// The only object that a worker's thread shares with the main thread, apart from the cache and the port allocator.
final class WorkerMailbox: Sendable {
    enum State: Int { case starting, running, failed, ended }

    let wakeup: Wakeup
    private let stop = Atomic(false)
    private let report = Atomic(false)
    private let stateValue = Atomic(State.starting.rawValue)
    private let latest = Mutex<WorkerReport?>(nil)

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

    // The worker's side.

    var stopRequested: Bool { stop.load(ordering: .acquiring) }
    func takeReportRequest() -> Bool { report.exchange(false, ordering: .acquiringAndReleasing) }
    func deliver(_ fresh: WorkerReport) { latest.withLock { $0 = fresh } }
}
