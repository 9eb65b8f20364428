// The queue of queries by age against a plain list: order, age, slots used anew, and its bound.

import Testing

@testable import ForwarderCore

@Suite struct PatienceQueueTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func givesTheOldestThatIsOldEnough() {
        var queries = QueryTable(limit: 8)
        var queue = PatienceQueue(limit: 8)
        var slots: [Int] = []
        for step in 0..<4 as Range<Int64> {
            guard let slot = queries.open() else { continue }
            queries.slots[slot].startedAt = at(step * 100)
            queue.append(slot, of: queries)
            slots.append(slot)
        }
        let limit = Interval.milliseconds(1_000)
        #expect(queue.popOldest(olderThan: limit, now: at(1_000), of: queries) == nil)
        queries.close(slots[0])
        queries.close(slots[2])
        // The slot of the third is used again: younger, and last in the order.
        let again = queries.open()
        #expect(again == slots[2])
        queries.slots[slots[2]].startedAt = at(400)
        queue.append(slots[2], of: queries)
        #expect(queue.popOldest(olderThan: limit, now: at(1_100), of: queries) == nil)
        #expect(queue.popOldest(olderThan: limit, now: at(1_101), of: queries) == slots[1])
        #expect(queue.popOldest(olderThan: limit, now: at(9_000), of: queries) == slots[3])
        #expect(queue.popOldest(olderThan: limit, now: at(9_000), of: queries) == slots[2])
        #expect(queue.popOldest(olderThan: limit, now: at(9_000), of: queries) == nil)
        #expect(queue.count == 0)
    }

    @Test func agreesWithAListAndStaysBounded() {
        for limit in [1, 3, 100, 1_000] {
            var queries = QueryTable(limit: limit)
            var queue = PatienceQueue(limit: limit)
            var model: [(slot: Int, started: Int64)] = []
            var random = RandomSource(seed: [UInt8(truncatingIfNeeded: limit)])
            var now: Int64 = 0
            var popped = 0
            for _ in 0..<30_000 {
                now += Int64(random.below(3))
                switch random.below(8) {
                case 0..<5:
                    guard let slot = queries.open() else { break }
                    queries.slots[slot].startedAt = at(now)
                    queue.append(slot, of: queries)
                    model.append((slot, now))
                case 5, 6:
                    // Mostly young ones are answered, as in life: the old ones stay in the way.
                    guard !model.isEmpty else { break }
                    let place = random.below(2) == 0 ? model.count - 1 : random.below(model.count)
                    queries.close(model.remove(at: place).slot)
                default:
                    let age = Int64(random.below(random.below(2) == 0 ? 4 : 200))
                    let found = queue.popOldest(olderThan: .milliseconds(age), now: at(now), of: queries)
                    let isDue = model.first.map { now - $0.started > age } ?? false
                    let expected = isDue ? model.first?.slot : nil
                    if found != expected { Issue.record("limit \(limit): \(found ?? -1), not \(expected ?? -1)") }
                    if isDue {
                        queries.close(model.removeFirst().slot)
                        popped += 1
                    }
                }
                if queue.count < model.count || queue.count > 2 * limit { Issue.record("\(queue.count)") }
            }
            #expect(popped > 100)
        }
    }
}
