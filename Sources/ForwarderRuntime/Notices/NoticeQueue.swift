// The bounded way of notices from the workers to the thread that writes the log.
//
// Workers post and go on; the main thread drains it. A slow journal or terminal can never hold up a query: when the
// queue is full, notices are dropped and counted.

import Synchronization

/// A queue of notices for one reader.
public final class NoticeQueue: Sendable {
    static let capacity = 1024

    private struct State {
        var waiting: [Notice] = []
        var dropped: UInt64 = 0
    }
    private let state = Mutex(State())
    private let threshold: Atomic<Int>
    /// Readable when notices wait.
    public let wakeup: Wakeup

    /// - Parameter level: the least grave level that is kept.
    public init(level: NoticeLevel) throws(SystemError) {
        wakeup = try Wakeup()
        threshold = Atomic(level.rawValue)
    }

    /// Whether a notice of this level would be kept: asked before its words are made.
    public func keeps(_ level: NoticeLevel) -> Bool { level.rawValue <= threshold.load(ordering: .relaxed) }

    public func post(_ notice: Notice) {
        guard keeps(notice.level) else { return }
        let isFirst = state.withLock { state in
            if state.waiting.count >= NoticeQueue.capacity {
                state.dropped &+= 1
                return false
            }
            state.waiting.append(notice)
            return state.waiting.count == 1
        }
        if isFirst { wakeup.post() }
    }

    /// Takes all that wait, and how many were dropped since the last call.
    public func drain() -> (notices: [Notice], dropped: UInt64) {
        wakeup.clear()
        return state.withLock { state in
            defer {
                state.waiting = []
                state.dropped = 0
            }
            return (state.waiting, state.dropped)
        }
    }
}
