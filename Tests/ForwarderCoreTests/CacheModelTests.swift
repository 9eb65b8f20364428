// The cache against a dictionary that forgets nothing: whatever it answers must have been stored under exactly that
// key and be alive; and a cache that is large enough must not miss what lives.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct CacheModelTests {
    struct Key: Hashable {
        var name: String
        var type: UInt16
        var bits: Int
        var group: UInt16
    }

    private struct Stored {
        var value: UInt32
        var count: Int
        var at: Int64
        var ttl: UInt32
        func isFresh(_ now: Int64) -> Bool { now - at < Int64(ttl) }
    }

    /// A small generator, the same on every run.
    private struct Sequence {
        var state: UInt64
        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

    private static func name(_ number: Int) -> String {
        let labels = ["example.com", "b.example.com", "long-label-to-vary-the-length.test", "x"]
        return "n\(number)." + labels[number % labels.count]
    }

    @Test(arguments: [(32 << 10, 1), (2 << 20, 2), (16 << 20, 1)])
    func agreesWithTheModel(size: Int, workers: Int) {
        var fixture = CacheFixture(size: size, workers: workers)
        var positive: [Key: Stored] = [:]
        var denied: [Key: Stored] = [:]
        var failed: [Key: Stored] = [:]
        var random = Sequence(state: UInt64(size))
        var now: Int64 = 0
        var value: UInt32 = 0
        var hits = 0
        for _ in 0..<12_000 {
            if random.next(8) == 0 { now += Int64(random.next(3)) }
            // Squared, so that some names are asked for often.
            let pick = random.next(30)
            let name = Self.name(pick * pick % 400 + random.next(3))
            let key = Key(name: name, type: random.next(2) == 0 ? 1 : 16, bits: random.next(3), group: 0)
            let anyType = Key(name: name, type: 0, bits: key.bits, group: 0)
            if random.next(2) == 0 {
                value += 1
                let entry = Stored(
                    value: value, count: 1 + random.next(12), at: now, ttl: UInt32(1 + random.next(60)))
                switch random.next(8) {
                case 0:
                    denied[anyType] = entry
                    failed[key] = nil
                    fixture.keep(Self.denial(name, key, entry), key.question(&fixture), at: now)
                case 1:
                    failed[key] = entry
                    var response = CacheFixture.failure(name)
                    response.type = RecordType(rawValue: key.type)
                    fixture.keep(response, key.question(&fixture), at: now)
                default:
                    positive[key] = entry
                    denied[anyType] = nil
                    failed[key] = nil
                    fixture.keep(Self.answer(name, key, entry), key.question(&fixture), at: now)
                }
                continue
            }
            let own = positive[key].flatMap { $0.isFresh(now) ? $0 : nil }
            let denial = denied[anyType].flatMap { $0.isFresh(now) ? $0 : nil }
            guard let reply = fixture.ask(key.question(&fixture), CaseMask(), at: now) else {
                if size > 8 << 20 { #expect(own == nil && denial == nil, "lost \(key)") }
                continue
            }
            hits += 1
            switch reply.rcode {
            case 0:
                #expect(own != nil, "\(key) at \(now)")
                guard let own else { return }
                #expect(reply.answers.count == own.count)
                #expect(reply.answers.first?.ttl == own.ttl - UInt32(now - own.at))
                #expect(reply.answers.first?.data.suffix(4) == TestResponse.long(own.value)[...])
            case 3:
                #expect(denial != nil, "\(key) at \(now)")
                guard let denial else { return }
                #expect(reply.authorities.first?.ttl == denial.ttl - UInt32(now - denial.at))
                if size > 8 << 20 { #expect(own == nil) }
            default:
                #expect(failed[key] != nil)
                if size > 8 << 20 { #expect(own == nil && denial == nil) }
            }
            #expect(reply.name == name + ".")
            #expect(reply.type.rawValue == key.type)
        }
        let statistics = fixture.cache.statistics()
        #expect(hits > 500, "\(hits)")
        #expect(statistics.bytes <= statistics.limit)
        if size == 32 << 10 { #expect(statistics.evictions > 100) }
    }

    private static func denial(_ name: String, _ key: Key, _ entry: Stored) -> TestResponse {
        var response = CacheFixture.denial(name, zone: "com", ttl: entry.ttl)
        response.type = RecordType(rawValue: key.type)
        response.authorities = [TestResponse.soa("", ttl: entry.ttl, minimum: entry.ttl)]
        return response
    }

    private static func answer(_ name: String, _ key: Key, _ entry: Stored) -> TestResponse {
        var response = TestResponse(name, RecordType(rawValue: key.type))
        for index in 0..<entry.count {
            let data = TestResponse.long(index == 0 ? entry.value : UInt32(0x8000_0000) + UInt32(index))
            response.answers.append(TestResponse.record(TestResponse.toQuestion, response.type, entry.ttl, data))
        }
        return response
    }
}

extension CacheModelTests.Key {
    fileprivate func question(_ fixture: inout CacheFixture) -> Question {
        fixture.answers.question(
            name, RecordType(rawValue: type), dnssecOK: bits == 1, checkingDisabled: bits == 2, group: group
        ).question
    }
}
