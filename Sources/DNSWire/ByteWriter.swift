// A growing message buffer: what the engine wants sent, appended one message after another.
//
// The runtime reads it after a batch and sends from it in place. It must never shrink or move while a batch is being
// sent: only `removeAll` and appends change it.

/// Bytes appended one after another, with a bound. At the bound appends are ignored and `overflowed` tells.
public struct ByteWriter: ~Copyable {
    @usableFromInline var bytes: ByteStore
    /// Bytes written so far.
    public private(set) var count: Int = 0
    /// The most bytes that it may grow to.
    public let limit: Int
    /// Whether an append did not fit since the last `removeAll`.
    public private(set) var overflowed = false

    public init(capacity: Int, limit: Int) {
        self.bytes = ByteStore(capacity: capacity)
        self.limit = max(capacity, limit)
    }

    /// Makes room for `more` bytes. Returns false, and marks the overflow, when the limit forbids it.
    public mutating func reserve(_ more: Int) -> Bool {
        if count + more <= bytes.capacity { return true }
        return grow(more)
    }

    @inline(never)
    private mutating func grow(_ more: Int) -> Bool {
        guard more >= 0, count + more <= limit else {
            overflowed = true
            return false
        }
        var bigger = ByteStore(capacity: min(limit, max(bytes.capacity * 2, count + more)))
        bigger.copy(from: bytes, range: 0..<count, to: 0)
        bytes = bigger
        return true
    }

    public mutating func append(_ byte: UInt8) {
        guard reserve(1) else { return }
        bytes[count] = byte
        count += 1
    }

    public mutating func append16(_ value: UInt16) {
        guard reserve(2) else { return }
        bytes.store16(value, at: count)
        count += 2
    }

    public mutating func append32(_ value: UInt32) {
        guard reserve(4) else { return }
        bytes.store32(value, at: count)
        count += 4
    }

    public mutating func append(_ source: Span<UInt8>, _ range: Range<Int>) {
        guard reserve(range.count) else { return }
        bytes.copy(from: source, range: range, to: count)
        count += range.count
    }

    public mutating func append(_ source: borrowing ByteStore, _ range: Range<Int>) {
        guard reserve(range.count) else { return }
        bytes.copy(from: source, range: range, to: count)
        count += range.count
    }

    /// Appends `n` zero octets (padding, places to be patched).
    public mutating func appendZeros(_ n: Int) {
        guard reserve(n) else { return }
        for i in 0..<n { bytes[count + i] = 0 }
        count += n
    }

    /// Takes back everything after `length`; used when a message turns out not to fit.
    public mutating func truncate(to length: Int) { count = min(count, max(0, length)) }

    public subscript(offset: Int) -> UInt8 {
        get { bytes[offset] }
        set { bytes[offset] = newValue }
    }
    public func load16(_ offset: Int) -> UInt16 { bytes.load16(offset) }
    public func load32(_ offset: Int) -> UInt32 { bytes.load32(offset) }
    public mutating func store16(_ value: UInt16, at offset: Int) { bytes.store16(value, at: offset) }
    public mutating func store32(_ value: UInt32, at offset: Int) { bytes.store32(value, at: offset) }

    /// Forgets all messages, and gives a buffer that a flood made large back to the system.
    public mutating func removeAll(keeping kept: Int) {
        count = 0
        overflowed = false
        if bytes.capacity > kept { bytes = ByteStore(capacity: kept) }
    }

    /// Lends the bytes from `offset` on, for the length of the call.
    public func withSpan<R: ~Copyable, E: Error>(
        _ offset: Int, _ length: Int, _ body: (Span<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        try bytes.withSpan(offset, length, body)
    }
}
