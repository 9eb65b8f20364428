struct PatienceQueue {
    init(limit: Int) {}
    mutating func append(slot: Int, generation: UInt32, startedAt: Instant) {}
    mutating func popOldest(olderThan: Instant, isOpen: (Int, UInt32) -> Bool) -> Int? { nil }
}
