// The snapshot of the workers' cache. The daemon asks for it once the workers run.

import ForwarderCore

extension WorkerGroup {
    /// Loads the snapshot in `directory` while the workers serve, and keeps it up to date from then on. nil when there
    /// is nothing to keep: `persist` is off, or the cache.
    public func keepSnapshot(
        in directory: String, engine: EngineSettings, runtime: RuntimeSettings, notices: NoticeQueue
    ) throws(SystemError) -> SnapshotThread? {
        guard runtime.persist, cache.statistics().limit > 0 else { return nil }
        return try SnapshotThread(
            SnapshotPlan(
                file: SnapshotFile(directory: directory), cache: cache, engine: engine,
                interval: max(runtime.persistInterval, .seconds(1)), notices: notices, mailbox: try SnapshotMailbox()))
    }
}
