// A fixed block of bytes, owned by one place, every access checked against its bounds.
//
// The cache's rings, the table of questions and the buffer of outgoing messages are ByteStores. It is the only file
// of the pure modules that says `unsafe`: Swift's Array is not aligned to cache lines and copies on a shared write
// (docs/style.md). It must never hand out a pointer or a span that outlives the call.

/// A fixed, 64-byte aligned block of bytes. Memory that was never written reads as whatever `malloc` gave; owners
/// keep their own count of what is valid.
@safe public struct ByteStore: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<UInt8>
    /// Bytes that may be addressed: `0..<capacity`.
    public let capacity: Int

    /// Takes `capacity` bytes from the system. Large blocks cost no resident memory until they are written.
    @inlinable
    public init(capacity: Int) {
        precondition(capacity >= 0)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(capacity, 64), alignment: 64)
        // Safety: the block is ours alone, freed once in deinit, and all accesses go through `check`.
        unsafe self.base = raw.bindMemory(to: UInt8.self, capacity: max(capacity, 64))
        self.capacity = capacity
    }

    deinit {
        // Safety: allocated in init, and a noncopyable owner frees it exactly once.
        unsafe UnsafeMutableRawPointer(base).deallocate()
    }

    @inlinable @inline(__always)
    func check(_ offset: Int, _ count: Int) {
        precondition(offset >= 0 && count >= 0 && offset <= capacity - count, "ByteStore: out of bounds")
    }

    @inlinable
    public subscript(offset: Int) -> UInt8 {
        @inline(__always) get {
            check(offset, 1)
            // Safety: checked above.
            return unsafe base[offset]
        }
        @inline(__always) set {
            check(offset, 1)
            // Safety: checked above.
            unsafe base[offset] = newValue
        }
    }

    /// Reads an integer in the machine's byte order (for our own records, not for the wire).
    @inlinable @inline(__always)
    public func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T {
        check(offset, MemoryLayout<T>.size)
        // Safety: checked above; any bit pattern is an integer.
        return unsafe UnsafeRawPointer(base + offset).loadUnaligned(as: T.self)
    }

    /// Writes an integer in the machine's byte order.
    @inlinable @inline(__always)
    public mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        check(offset, MemoryLayout<T>.size)
        // Safety: checked above.
        unsafe UnsafeMutableRawPointer(base + offset).storeBytes(of: value, as: T.self)
    }

    /// Reads 16 bits in network order.
    @inlinable @inline(__always)
    public func load16(_ offset: Int) -> UInt16 { UInt16(bigEndian: load(offset, as: UInt16.self)) }

    /// Reads 32 bits in network order.
    @inlinable @inline(__always)
    public func load32(_ offset: Int) -> UInt32 { UInt32(bigEndian: load(offset, as: UInt32.self)) }

    /// Writes 16 bits in network order.
    @inlinable @inline(__always)
    public mutating func store16(_ value: UInt16, at offset: Int) { store(value.bigEndian, at: offset) }

    /// Writes 32 bits in network order.
    @inlinable @inline(__always)
    public mutating func store32(_ value: UInt32, at offset: Int) { store(value.bigEndian, at: offset) }

    /// Copies `range` of `source` to `offset`.
    @inlinable
    public mutating func copy(from source: Span<UInt8>, range: Range<Int>, to offset: Int) {
        check(offset, range.count)
        precondition(range.lowerBound >= 0 && range.upperBound <= source.count, "ByteStore: source out of bounds")
        if range.isEmpty { return }
        let target = unsafe base + offset
        unsafe source.withUnsafeBufferPointer { bytes in
            // Safety: both ranges were checked; a Span cannot overlap memory that we hold mutably.
            if let first = bytes.baseAddress {
                unsafe target.update(from: first + range.lowerBound, count: range.count)
            }
        }
    }

    /// Copies `range` of another store to `offset`.
    @inlinable
    public mutating func copy(from source: borrowing ByteStore, range: Range<Int>, to offset: Int) {
        check(offset, range.count)
        source.check(range.lowerBound, range.count)
        // Safety: both ranges were checked; two stores never share memory.
        unsafe (base + offset).update(from: source.base + range.lowerBound, count: range.count)
    }

    /// Moves bytes within this store; the ranges may overlap.
    @inlinable
    public mutating func move(_ range: Range<Int>, to offset: Int) {
        check(offset, range.count)
        check(range.lowerBound, range.count)
        // Safety: both ranges were checked; `update(from:)` allows overlap.
        unsafe (base + offset).update(from: base + range.lowerBound, count: range.count)
    }

    /// Whether `count` bytes here and at `otherOffset` of another store are the same.
    @inlinable
    public func equals(_ offset: Int, _ other: borrowing ByteStore, _ otherOffset: Int, count: Int) -> Bool {
        check(offset, count)
        other.check(otherOffset, count)
        var i = 0
        while i + 8 <= count {
            if load(offset + i, as: UInt64.self) != other.load(otherOffset + i, as: UInt64.self) { return false }
            i += 8
        }
        while i < count {
            if self[offset + i] != other[otherOffset + i] { return false }
            i += 1
        }
        return true
    }

    /// Lends `count` bytes at `offset` to `body`, as a span that ends with the call.
    @inlinable
    public func withSpan<R: ~Copyable, E: Error>(
        _ offset: Int, _ count: Int, _ body: (Span<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        check(offset, count)
        let buffer = unsafe UnsafeBufferPointer(start: base + offset, count: count)
        // Safety: checked above; the store is borrowed for the whole call.
        return try unsafe body(Span(_unsafeElements: buffer))
    }
}

// Safety: a noncopyable owner of plain bytes; whoever holds it holds all of it.
extension ByteStore: @unchecked Sendable {}
