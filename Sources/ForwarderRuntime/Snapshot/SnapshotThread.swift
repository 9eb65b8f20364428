// The thread that keeps the cache's snapshot: loads it at the start, writes it at each interval and at the end.
//
// The daemon's main thread makes it through WorkerGroup and ends it after the workers. It has a thread of its own since
// disks may be slow: neither a query nor a signal may wait for one. It must never write before the old file was loaded
// whole or found to be of no use, else a stop in the middle of loading would lose the rest of it.

import CLinux
import ForwarderCore
import Synchronization

/// A running snapshot thread, to be ended once.
public final class SnapshotThread {
    private let mailbox: SnapshotMailbox
    private let thread: WorkerThread

    init(_ plan: SnapshotPlan) throws(SystemError) {
        mailbox = plan.mailbox
        thread = try SnapshotThread.start(plan)
    }

    /// Nonisolated on purpose: see WorkerThread.
    private nonisolated static func start(_ plan: SnapshotPlan) throws(SystemError) -> WorkerThread {
        try WorkerThread(name: "snapshot") {
            let run = SnapshotRun(plan)
            run.run()
            plan.mailbox.noteEnded()
        }
    }

    /// Whether the old file was loaded, or found to be of no use.
    public var hasLoaded: Bool { mailbox.hasLoaded }

    /// Waits until `hasLoaded`, at most so long.
    public func waitUntilLoaded(milliseconds: Int32) {
        for _ in 0..<max(milliseconds, 0) where !mailbox.hasLoaded { cl_sleep_ms(1) }
    }

    /// Asks for the last snapshot. The workers must have ended.
    public func requestEnd() { mailbox.requestEnd() }

    /// Waits for the end that was asked for, at most so long. True when it has come.
    public func waitForEnd(milliseconds: Int32) -> Bool {
        for _ in 0..<max(milliseconds, 0) where !mailbox.hasEnded { cl_sleep_ms(1) }
        guard mailbox.hasEnded else { return false }
        thread.join()
        return true
    }
}

/// What the thread needs.
struct SnapshotPlan: Sendable {
    let file: SnapshotFile
    let cache: SharedCache
    let engine: EngineSettings
    let interval: Interval
    let notices: NoticeQueue
    let mailbox: SnapshotMailbox
}

/// What passes between the main thread and the snapshot's.
final class SnapshotMailbox: Sendable {
    private let wakeup: Wakeup
    private let end = Atomic(false)
    private let loaded = Atomic(false)
    private let ended = Atomic(false)

    init() throws(SystemError) { wakeup = try Wakeup() }

    var hasLoaded: Bool { loaded.load(ordering: .acquiring) }
    var hasEnded: Bool { ended.load(ordering: .acquiring) }
    var endRequested: Bool { end.load(ordering: .acquiring) }

    func requestEnd() {
        end.store(true, ordering: .releasing)
        wakeup.post()
    }

    func noteLoaded() { loaded.store(true, ordering: .releasing) }
    func noteEnded() { ended.store(true, ordering: .releasing) }

    /// Waits for `requestEnd`, at most so long.
    func wait(milliseconds: Int32) {
        var number = wakeup.number
        // Safety: one descriptor is named, and one is there for the length of the call.
        _ = unsafe cl_wait_readable(&number, 1, milliseconds)
    }
}
