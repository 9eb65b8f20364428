// A small hash table from 64-bit words to 32-bit numbers: open addressing, no allocation but to grow.
//
// In-flight ids, questions in flight and clients' loads are looked up in it. Keys must already be well mixed, or
// unpredictable to an attacker: the table mixes once more but keeps no secret.

/// The table. A key is present at most once.
struct WordTable {
    private var keys: [UInt64]
    private var values: [UInt32]
    private var mask: Int
    private(set) var count = 0

    /// - Parameter capacity: entries that fit before the first growth.
    init(capacity: Int) {
        var size = 64
        while size < capacity * 2 { size *= 2 }
        keys = [UInt64](repeating: 0, count: size)
        values = [UInt32](repeating: 0, count: size)
        mask = size - 1
    }

    /// 0 marks an empty place, so the key 0 is stored as another word.
    @inline(__always)
    private static func stored(_ key: UInt64) -> UInt64 { key == 0 ? 0x9e37_79b9_7f4a_7c15 : key }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: product.high ^ product.low) & mask
    }

    subscript(key: UInt64) -> UInt32? {
        let key = Self.stored(key)
        var place = home(key)
        while keys[place] != 0 {
            if keys[place] == key { return values[place] }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Sets the value of a key, new or not.
    mutating func set(_ key: UInt64, _ value: UInt32) {
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        let key = Self.stored(key)
        var place = home(key)
        while keys[place] != 0 {
            if keys[place] == key {
                values[place] = value
                return
            }
            place = (place + 1) & mask
        }
        keys[place] = key
        values[place] = value
        count += 1
    }

    /// Removes a key if it is there; later entries of its run move up, so no marks are left behind.
    mutating func remove(_ key: UInt64) {
        let key = Self.stored(key)
        var place = home(key)
        while keys[place] != key {
            if keys[place] == 0 { return }
            place = (place + 1) & mask
        }
        count -= 1
        var gap = place
        var probe = (place + 1) & mask
        while keys[probe] != 0 {
            let ideal = home(keys[probe])
            if (probe &- ideal) & mask >= (probe &- gap) & mask {
                keys[gap] = keys[probe]
                values[gap] = values[probe]
                gap = probe
            }
            probe = (probe + 1) & mask
        }
        keys[gap] = 0
    }

    private mutating func grow() {
        var bigger = WordTable(capacity: mask + 1)
        for place in 0...mask where keys[place] != 0 { bigger.set(keys[place], values[place]) }
        self = bigger
    }
}
