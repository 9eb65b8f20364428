// The ring's arithmetic against a plain list: entries never overlap, come off in order, and keep their octets when
// they go round again.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct EntryRingTests {
    private struct Expected {
        var place: Int
        var size: Int
        var mark: UInt64
    }

    @Test(arguments: [16, 160, 176, 1_024, 4_096])
    func behavesAsAQueue(capacity: Int) {
        let base = 320
        var store = EntryStore(capacity: base + capacity + 64)
        for offset in 0..<base + capacity + 64 { store.bytes[offset] = 0xee }
        var ring = EntryRing(base: base, capacity: capacity)
        var queue: [Expected] = []
        var state = UInt64(capacity)
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for mark in 1...5_000 as ClosedRange<UInt64> {
            switch random(4) {
            case 0...1:
                let size = 16 * (1 + random(max(1, min(8, capacity / 32))))
                guard ring.fits(size) else { continue }
                let place = ring.claim(size, in: &store)
                store.bytes.store(UInt16(size / 16), at: place)
                store.bytes[place + 2] = 0
                store.bytes.store(mark, at: place + 8)
                queue.append(Expected(place: place, size: size, mark: mark))
            case 2:
                dropDead(&ring, store)
                guard let first = queue.first else { continue }
                #expect(ring.tail == first.place)
                ring.dropTail(first.size)
                queue.removeFirst()
            default:
                dropDead(&ring, store)
                guard var first = queue.first else { continue }
                first.place = ring.moveTailToHead(first.size, in: &store)
                queue.removeFirst()
                queue.append(first)
            }
            #expect(ring.used <= capacity)
            var taken = 0
            for entry in queue {
                #expect(entry.place >= base && entry.place + entry.size <= base + capacity)
                #expect(store.bytes.load(entry.place + 8, as: UInt64.self) == entry.mark)
                #expect(store.size(entry.place) == entry.size)
                taken += entry.size
            }
            #expect(taken <= ring.used)
            let sorted = queue.sorted { $0.place < $1.place }
            for (left, right) in zip(sorted, sorted.dropFirst()) {
                #expect(left.place + left.size <= right.place)
            }
        }
        // Nothing outside was written.
        for offset in 0..<base where store.bytes[offset] != 0xee { Issue.record("wrote before its base") }
        for offset in base + capacity..<base + capacity + 64 where store.bytes[offset] != 0xee {
            Issue.record("wrote behind its end")
        }
    }

    /// Passes over the gaps at a stretch's end, as MessageCache does.
    private func dropDead(_ ring: inout EntryRing, _ store: borrowing EntryStore) {
        while !ring.isEmpty, store.kind(ring.tail) == .dead { ring.dropTail(store.size(ring.tail)) }
    }
}
