// The snapshot of the workers' cache. The daemon asks for it once the workers run.

import ForwarderCore

extension WorkerGroup {
    /// Loads the snapshot in `directory` while the workers serve, and keeps it up to date from then on. `engine` must
    /// have the groups that the workers were started with: the cache's keys hold their indexes.
    public func keepSnapshot(
        in directory: String, engine: EngineSettings, interval: Interval, notices: NoticeQueue
    ) throws(SystemError) -> SnapshotThread {
        try SnapshotThread(
            SnapshotPlan(
                file: SnapshotFile(directory: directory), cache: cache, engine: engine,
                interval: max(interval, .seconds(1)), notices: notices, mailbox: try SnapshotMailbox()))
    }
}
