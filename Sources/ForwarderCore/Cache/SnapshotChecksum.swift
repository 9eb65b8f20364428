// CRC-32C (Castagnoli; RFC 3720 B.4), eight octets a step. Snapshots of the cache carry it.
//
// It finds each burst of up to 32 damaged bits for certain. It is not a seal: whoever may write the state directory may
// write what he likes, which is why SnapshotReader believes nothing all the same.

import DNSWire

/// A checksum over octets that come in parts.
struct SnapshotChecksum: ~Copyable {
    /// Eight tables of 256: the effect of an octet that has 0 to 7 others behind it in the step.
    private var tables = ByteStore(capacity: 8 * 256 * 4)
    private var state = UInt32.max

    init() {
        for octet in 0..<256 {
            var value = UInt32(octet)
            for _ in 0..<8 { value = value & 1 != 0 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
            tables.store(value, at: octet * 4)
        }
        for table in 1..<8 {
            for octet in 0..<256 {
                let before = effect(of: UInt32(octet), table - 1)
                tables.store(before >> 8 ^ effect(of: before, 0), at: (table * 256 + octet) * 4)
            }
        }
    }

    var value: UInt32 { ~state }

    mutating func begin() { state = .max }

    mutating func add(_ bytes: Span<UInt8>) {
        var place = 0
        while place + 8 <= bytes.count {
            let low = state ^ word(bytes, place)
            let high = word(bytes, place + 4)
            let first = effect(of: low, 7) ^ effect(of: low >> 8, 6) ^ effect(of: low >> 16, 5)
            let second = effect(of: low >> 24, 4) ^ effect(of: high, 3) ^ effect(of: high >> 8, 2)
            state = first ^ second ^ effect(of: high >> 16, 1) ^ effect(of: high >> 24, 0)
            place += 8
        }
        while place < bytes.count {
            state = state >> 8 ^ effect(of: state ^ UInt32(bytes[place]), 0)
            place += 1
        }
    }

    /// Four octets, the first lowest.
    @inline(__always)
    private func word(_ bytes: Span<UInt8>, _ place: Int) -> UInt32 { bytes.load32(place).byteSwapped }

    @inline(__always)
    private func effect(of octet: UInt32, _ table: Int) -> UInt32 {
        tables.load((table * 256 + Int(octet & 0xff)) * 4, as: UInt32.self)
    }
}
