// The attempts that wait for a place in a pool at its ceiling, oldest first.

/// A bounded first-in first-out queue. Entries whose attempt ended meanwhile stay until their turn and are skipped.
struct WaitQueue {
    private var entries: [AttemptID] = []
    private var head = 0

    var isEmpty: Bool { head == entries.count }

    var first: AttemptID? { head < entries.count ? entries[head] : nil }

    mutating func append(_ attempt: AttemptID) { entries.append(attempt) }

    mutating func popFirst() -> AttemptID? {
        guard head < entries.count else { return nil }
        defer {
            head += 1
            if head == entries.count {
                entries.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024 && head * 2 >= entries.count {
                entries.removeFirst(head)
                head = 0
            }
        }
        return entries[head]
    }
}
