// What the snapshot's thread does, from loading to the last writing, and what it tells the log.
//
// Its words name the file and the reason, never a name that was asked for. A failure to write is told once, until it
// goes or another one takes its place: an interval is no reason to fill the log.

import CLinux
import ForwarderCore

/// The thread's own state.
final class SnapshotRun {
    private let plan: SnapshotPlan
    private var lastFailure: SystemError?

    init(_ plan: SnapshotPlan) { self.plan = plan }

    func run() {
        let mayWrite = load()
        plan.mailbox.noteLoaded()
        guard mayWrite else { return }
        var next = Clock.now() + plan.interval
        while !plan.mailbox.endRequested {
            let left = next - Clock.now()
            if left > .zero {
                plan.mailbox.wait(milliseconds: Int32(clamping: left.inMilliseconds &+ 1))
            } else {
                write(isLast: false)
                next = Clock.now() + plan.interval
            }
        }
        write(isLast: true)
    }

    /// Returns whether the file may be replaced.
    private func load() -> Bool {
        let start = Clock.now()
        var reader = SnapshotReader(cache: plan.cache, settings: plan.engine, wallClock: SnapshotRun.wallClock())
        let outcome = plan.file.load(&reader, isWanted: { !plan.mailbox.endRequested })
        let time = (Clock.now() - start).inMilliseconds
        switch outcome {
        case .absent: break
        case .loaded:
            post(
                .info, "snapshot_loaded",
                "\(reader.counts.loaded) answers of the cache were loaded from \(plan.file.path) in \(time) ms"
                    + SnapshotRun.leftOut(reader.counts))
        case .unusable(let problem): tell(problem, reader.counts)
        case .failed(let error):
            post(.warning, "snapshot_unread", "\(plan.file.path) cannot be read: \(error.text)")
        case .abandoned:
            post(.info, "snapshot_kept", "stopped while \(plan.file.path) was being loaded: it stays as it is")
            return false
        }
        return true
    }

    private func tell(_ problem: SnapshotProblem, _ counts: SnapshotCounts) {
        let path = plan.file.path
        switch problem {
        case .damaged(let reason):
            let before = "\(path) is damaged: \(reason); \(counts.loaded) answers before that were loaded"
            do throws(SystemError) {
                try plan.file.setAside()
                post(.warning, "snapshot_damaged", "\(before). It was put aside as \(plan.file.damagedPath)")
            } catch {
                post(.warning, "snapshot_damaged", "\(before). It cannot be put aside: \(error.text)")
            }
        case .newer(let version):
            post(
                .warning, "snapshot_newer",
                "\(path) has version \(version) and was written by a newer fleetwingd: it is not used, and stays until "
                    + "the next snapshot takes its place")
        case .future(let seconds):
            post(
                .warning, "snapshot_future",
                "\(path) is not used: by this machine's clock it will be written in \(seconds) s")
        }
    }

    private static func leftOut(_ counts: SnapshotCounts) -> String {
        let reasons = [
            (counts.ended, "ended meanwhile"), (counts.foreign, "of groups that are not configured"),
            (counts.superseded, "newer ones are there"), (counts.crowded, "no room"), (counts.refused, "unusable"),
        ]
        let words = reasons.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return words.isEmpty ? "" : "; left out: " + words.joined(separator: ", ")
    }

    private func write(isLast: Bool) {
        let start = Clock.now()
        var writer = SnapshotWriter(
            cache: plan.cache, settings: plan.engine, now: start, wallClock: SnapshotRun.wallClock())
        do throws(SystemError) {
            let length = try plan.file.write(&writer)
            let time = (Clock.now() - start).inMilliseconds
            lastFailure = nil
            post(
                isLast ? .info : .debug, "snapshot_written",
                "\(writer.recordCount) answers of the cache were written to \(plan.file.path) "
                    + "(\((length + 1023) / 1024) KiB) in \(time) ms")
        } catch {
            if error != lastFailure {
                post(
                    .warning, "snapshot_unwritten",
                    "the cache cannot be written to \(plan.file.path): \(error.text); what was written before stays")
            }
            lastFailure = error
        }
    }

    private func post(_ level: NoticeLevel, _ event: String, _ text: String) {
        plan.notices.post(Notice(level, event: event, text))
    }

    private static func wallClock() -> Int64 { cl_realtime() / 1_000_000_000 }
}
