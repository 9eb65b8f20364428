struct ReplyPacer {
    static let window = Interval.milliseconds(10)
    mutating func allows(_ key: UInt64, now: Instant) -> Bool { true }
}
