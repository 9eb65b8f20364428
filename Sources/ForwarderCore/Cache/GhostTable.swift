// The memory of what was lately dropped unasked: who comes back soon was dropped too early (S3-FIFO's ghost queue).
//
// Only fingerprints, in one row: a newer one overwrites an older at its place, which ages it without a queue. A false
// memory costs nothing but a place in the main ring.

import DNSWire

/// Fingerprints of dropped entries.
struct GhostTable: ~Copyable {
    private var table: LazyTable
    private let places: UInt64

    /// - Parameter capacity: in octets, at least four.
    init(capacity: Int) {
        table = LazyTable(capacity: capacity)
        places = UInt64(capacity / 4)
    }

    var bytesInUse: Int { table.bytesInUse }

    private func place(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: places).high) * 4
    }

    /// The hash's lower half; never 0, which is an empty place.
    private func fingerprint(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash) | 1 }

    mutating func remember(_ hash: UInt64) { table.store(fingerprint(hash), at: place(hash)) }

    /// Whether it was dropped lately; it is forgotten with the question.
    mutating func recall(_ hash: UInt64) -> Bool {
        let place = place(hash)
        guard table.load(place, as: UInt32.self) == fingerprint(hash) else { return false }
        table.store(UInt32(0), at: place)
        return true
    }
}
