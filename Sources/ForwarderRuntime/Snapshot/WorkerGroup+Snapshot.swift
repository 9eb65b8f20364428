// The snapshot of the workers' cache. The daemon asks for it once the workers run.

import ForwarderCore

extension WorkerGroup {
    /// Loads the snapshot in `directory` while the workers serve, and keeps it up to date from then on. `engine` must be
    /// what the workers were started with: the cache's keys hold indexes of its groups.
    public func keepSnapshot(
        in directory: String, engine: EngineSettings, interval: Interval, notices: NoticeQueue
    ) throws(SystemError) -> SnapshotThread {
        try SnapshotThread(
            SnapshotPlan(
                file: SnapshotFile(directory: directory), cache: cache, engine: engine,
                interval: max(interval, .seconds(1)), notices: notices, mailbox: try SnapshotMailbox()))
    }
}
