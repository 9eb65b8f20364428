// The small tools of the core: generator, wheel, table, tombstones, estimate. Each against a known vector or a model.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct SupportTests {
    @Test func randomSourceIsChaCha20() {
        // RFC 8439 2.3.2: the block function's test vector.
        var source = RandomSource(
            key: (0..<32).map { UInt8($0) }, counter: 1, nonce: (0x0900_0000, 0x4a00_0000, 0))
        let expected: [UInt32] = [
            0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50, 0xc471_20a3, 0xc7f4_d1c7, 0x0368_c033, 0x9aaa_2204, 0x4e6c_d4c3,
            0x4664_82d2, 0x09aa_9f07, 0x05d7_c214, 0xa202_8bd9, 0xd19c_12b5, 0xb94e_16de, 0xe883_d0cb, 0x4e3c_50a2,
        ]
        for (index, word) in expected.enumerated() {
            let drawn = source.next32()
            #expect(drawn == word, "word \(index)")
        }
    }

    @Test func randomNumbersStayBelowTheirBound() {
        var source = RandomSource(seed: [1, 2, 3])
        var seen = Set<Int>()
        for _ in 0..<1_000 {
            let number = source.below(7)
            seen.insert(number)
        }
        #expect(seen == Set(0..<7))
        let trivial = [source.below(0), source.below(1)]
        #expect(trivial == [0, 0])
    }

    @Test func wheelFiresEachTimerOnceAtItsTime() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 5_000_000_000))
        var random = RandomSource(seed: [9])
        var model: [Int: Int64] = [:]
        var now = Instant(nanoseconds: 5_000_000_000)
        for _ in 0..<20_000 {
            let slot = random.below(300)
            let id = TimerID(.connection, slot)
            switch random.below(4) {
            case 0:
                wheel.cancel(id)
                model[id.raw] = nil
            case 1, 2:
                let at = now.nanoseconds + Int64(random.below(12_000)) * 1_000_000
                wheel.schedule(id, at: Instant(nanoseconds: at))
                model[id.raw] = at
            default:
                now.nanoseconds += Int64(random.below(50)) * 1_000_000
                if random.below(200) == 0 { now.nanoseconds += 60_000_000_000 }
                var due: [Int] = []
                wheel.collectDue(now, into: &due)
                for raw in due {
                    let at = model.removeValue(forKey: raw)
                    #expect(at != nil && (at ?? .max) <= now.nanoseconds)
                }
                // Nothing may be later than one tick.
                let overdue = model.values.filter { $0 < now.nanoseconds - TimerWheel.tick }
                #expect(overdue.isEmpty)
            }
            #expect(wheel.count == model.count)
            if let earliest = wheel.earliest(after: now), let first = model.values.min() {
                #expect(earliest.nanoseconds <= max(now.nanoseconds, first + TimerWheel.tick))
            } else {
                #expect(model.isEmpty)
            }
        }
    }

    @Test func wordTableBehavesAsADictionary() {
        var table = WordTable(capacity: 4)
        var model: [UInt64: UInt32] = [:]
        var random = RandomSource(seed: [7])
        for step in 0..<50_000 {
            // Few keys and some multiples of the table's size, so that runs collide and wrap.
            let key = UInt64(random.below(500)) << UInt64(random.below(2) * 32)
            if random.below(3) == 0 {
                table.remove(key)
                model[key] = nil
            } else {
                table.set(key, UInt32(step))
                model[key] = UInt32(step)
            }
            #expect(table.count == model.count)
            let probe = UInt64(random.below(500))
            #expect(table[probe] == model[probe])
        }
        for (key, value) in model { #expect(table[key] == value) }
    }

    @Test func tombstonesKeepAnIdAndExpire() throws {
        var table = InFlightTable()
        var random = RandomSource(seed: [3])
        let connection = ConnectionID(slot: 4, generation: 2)
        let start = Instant(nanoseconds: 0)
        let id = try #require(table.enter(17, on: connection, random: &random))
        #expect(table.find(connection, id) == .attempt(17))
        #expect(table.find(ConnectionID(slot: 4, generation: 3), id) == nil, "another generation is another connection")
        table.bury(connection, id, isAnswered: true, now: start)
        #expect(table.find(connection, id) == .tombstone)
        table.expire(start + .seconds(4))
        #expect(table.find(connection, id) == .tombstone)
        table.expire(start + InFlightTable.answeredLife)
        #expect(table.find(connection, id) == nil)
        #expect(table.isEmpty)
    }

    @Test func tombstonesAreBoundedAndTheOldestGoesFirst() {
        var table = InFlightTable()
        var random = RandomSource(seed: [3])
        var ids: [(ConnectionID, UInt16)] = []
        let now = Instant(nanoseconds: 0)
        for index in 0..<(InFlightTable.abandonedLimit + 100) {
            let connection = ConnectionID(slot: UInt16(index / 1_000), generation: 1)
            guard let id = table.enter(1, on: connection, random: &random) else { continue }
            table.bury(connection, id, isAnswered: false, now: now)
            ids.append((connection, id))
        }
        #expect(ids.prefix(100).allSatisfy { table.find($0.0, $0.1) == nil })
        #expect(ids.suffix(InFlightTable.abandonedLimit).allSatisfy { table.find($0.0, $0.1) == .tombstone })
        table.expire(now + .seconds(60))
        for _ in 0..<100 { table.expire(now + .seconds(60)) }
        #expect(table.isEmpty)
    }

    @Test func latencyFollowsRFC6298() {
        var estimate = LatencyEstimate()
        #expect(estimate.timeout(attempt: 0) == .milliseconds(400))
        #expect(estimate.timeout(attempt: 1) == .milliseconds(800))
        estimate.note(.milliseconds(100))
        #expect(estimate.smoothed == .milliseconds(100) && estimate.variation == .milliseconds(50))
        #expect(estimate.timeout(attempt: 0) == .milliseconds(300))
        estimate.note(.milliseconds(20))
        // RTTVAR first, with the old SRTT: 50 + (80 - 50) / 4; SRTT: 100 - 80 / 8.
        #expect(estimate.variation == Interval(nanoseconds: 57_500_000) && estimate.smoothed == .milliseconds(90))
        for _ in 0..<100 { estimate.note(.milliseconds(1)) }
        #expect(estimate.timeout(attempt: 0) == LatencyEstimate.floor)
        #expect(estimate.timeout(attempt: 9) == LatencyEstimate.ceiling)
    }

    @Test func oneNameNeverCondemnsAnUpstream() {
        var health = UpstreamHealth(settings: HealthSettings())
        let now = Instant(nanoseconds: 1_000_000_000)
        let sameName = (0..<100).map { _ in health.noteFailure(nameHash: 42, now) }
        #expect(!sameName.contains(true))
        #expect(health.isEligible(now))
        let others = [health.noteFailure(nameHash: 43, now), health.noteFailure(nameHash: 44, now)]
        #expect(others == [false, true], "the third failure, of a third name")
        #expect(!health.isEligible(now) && health.isEligible(now + .seconds(1)))
        health.noteSent(now + .seconds(1))
        #expect(!health.isEligible(now + .seconds(1)), "one try a pause")
        let cameBack = health.noteAnswer()
        #expect(cameBack)
        #expect(health.isEligible(now + .seconds(1)))
    }

    @Test(arguments: [(10, 1), (10, 3), (3, 3), (20_000, 2), (7, 4)])
    func partsAddUpToTheWhole(whole: Int, workers: Int) {
        let parts = (0..<workers).map { Engine.part(of: whole, $0, workers) }
        #expect(parts.reduce(0, +) == whole)
        #expect((parts.max() ?? 0) - (parts.min() ?? 0) <= 1)
    }
}
