// Late replies in portions: the burst of each window, the windows' borders, clients apart, clocks that jump.

import Testing

@testable import ForwarderCore

@Suite struct ReplyPacerTests {
    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    private func given(_ pacer: inout ReplyPacer, _ key: UInt64, at now: Int64, tries: Int = 100) -> Int {
        var count = 0
        for _ in 0..<tries where pacer.allows(key, now: at(now)) { count += 1 }
        return count
    }

    @Test func oneBurstAWindow() {
        var pacer = ReplyPacer()
        let first = ClientLoad.key(NetworkAddress(ipv4: 0xc0a8_0001))
        let window = ReplyPacer.window.nanoseconds
        // The border, its neighbours, far jumps both ways, and before the start of the count.
        let times: [(Int64, Int)] = [
            (0, 32), (window - 1, 0), (window, 32), (window, 0), (2 * window - 1, 0), (3 * window, 32), (.max, 32),
            (.max, 0), (.min, 32), (-1, 32), (-window, 0), (0, 32), (5, 0),
        ]
        for (now, expected) in times {
            let count = given(&pacer, first, at: now)
            #expect(count == expected, "at \(now)")
        }
    }

    @Test func aWindowLaterItGoesOn() {
        var pacer = ReplyPacer()
        var random = RandomSource(seed: [5])
        for _ in 0..<1_000 {
            let now = Int64(random.next64() >> 8) &- 1 << 55
            let key = random.next64()
            let sinceBorder = (now % ReplyPacer.window.nanoseconds + ReplyPacer.window.nanoseconds)
            let border = now - sinceBorder % ReplyPacer.window.nanoseconds + ReplyPacer.window.nanoseconds
            _ = given(&pacer, key, at: now)
            let before = given(&pacer, key, at: border - 1)
            let after = given(&pacer, key, at: now + ReplyPacer.window.nanoseconds)
            #expect(before == 0 && after == 32)
        }
    }

    /// A client's own portion never grows because others come; at most it shares one.
    @Test func manyClientsNeverGetMore() {
        var pacer = ReplyPacer()
        var total = 0
        for step in 0..<10_000 as Range<UInt32> {
            let count = given(&pacer, ClientLoad.key(NetworkAddress(ipv4: 0x0a00_0000 + step)), at: 50, tries: 40)
            if count > 32 { Issue.record("\(count)") }
            total += count
        }
        // Each of the 256 slots once: all are used, none twice.
        #expect(total == 256 * 32)
    }
}
