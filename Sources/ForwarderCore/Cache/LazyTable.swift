// A table of words that reads as zero until it is written, without its memory being touched before.
//
// The index and the ghosts are such tables. At 64 MiB of cache they are megabytes that an idle machine should not pay
// for; `calloc` would do the same, but the pure modules import no C library. One bit a page says whether it was zeroed.

import DNSWire

/// Zeroed memory, page by page as it is needed.
struct LazyTable: ~Copyable {
    private static let pageShift = 12
    private var bytes: ByteStore
    private var zeroed: [UInt64]
    private(set) var pagesInUse = 0

    /// - Parameter capacity: a multiple of 64.
    init(capacity: Int) {
        bytes = ByteStore(capacity: capacity)
        zeroed = Array(repeating: 0, count: (capacity >> LazyTable.pageShift) / 64 + 1)
    }

    var capacity: Int { bytes.capacity }
    /// Octets that were zeroed or written so far.
    var bytesInUse: Int { min(pagesInUse << LazyTable.pageShift, capacity) }

    @inline(__always)
    private func isZeroed(_ offset: Int) -> Bool {
        let page = offset >> LazyTable.pageShift
        return zeroed[page >> 6] & (1 << UInt64(page & 63)) != 0
    }

    /// Whether the page of `offset` was never written: all of it reads as zero.
    @inline(__always)
    func isBlank(_ offset: Int) -> Bool { !isZeroed(offset) }

    /// Reads a word. It must not cross a page: words are aligned.
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T {
        isZeroed(offset) ? bytes.load(offset, as: type) : 0
    }

    mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        if !isZeroed(offset) { zeroPage(of: offset) }
        bytes.store(value, at: offset)
    }

    @inline(never)
    private mutating func zeroPage(of offset: Int) {
        let page = offset >> LazyTable.pageShift
        var place = page << LazyTable.pageShift
        let end = min(place + (1 << LazyTable.pageShift), capacity)
        while place < end {
            bytes.store(UInt64(0), at: place)
            place += 8
        }
        zeroed[page >> 6] |= 1 << UInt64(page & 63)
        pagesInUse += 1
    }
}
