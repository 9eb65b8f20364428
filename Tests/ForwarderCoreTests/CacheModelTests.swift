// The cache against a dictionary that forgets nothing: whatever it answers must have been stored under exactly that
// key and be alive, or be the latest of what has ended; and a cache that is large enough must not miss what lives.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct CacheModelTests {
    struct Key: Hashable {
        var name: String
        var type: UInt16
        var bits: Int
        var group: UInt16
        /// What a denial is kept under.
        var ofName: Key { Key(name: name, type: 0, bits: bits, group: group) }
    }

    private struct Stored {
        var value: UInt32
        var count: Int
        var at: Int64
        var ttl: UInt32
        var hits = 0
        var isAsked = false
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

    /// What was stored, by the question that it is kept under.
    private struct Model {
        var positive: [Key: Stored] = [:]
        var denied: [Key: Stored] = [:]
        var failed: [Key: Stored] = [:]
        var stale: Int64

        mutating func store(_ entry: Stored, _ sort: EntryKind, _ key: Key) {
            switch sort {
            case .nameError:
                denied[key.ofName] = entry
                failed[key] = nil
                // Later than it, the denial is what may be given past its end.
                if let own = positive[key], !own.isFresh(entry.at) { positive[key] = nil }
            case .failure: failed[key] = entry
            default:
                positive[key] = entry
                denied[key.ofName] = nil
                failed[key] = nil
            }
        }

        /// The RCODE that is given past the end: of the later of the two, while its window lasts.
        func staleRcode(_ key: Key, _ now: Int64) -> Int? {
            let (own, denial) = (positive[key], denied[key.ofName])
            let isDenied = denial.map { denial in own.map { denial.at >= $0.at } ?? true } ?? false
            guard let latest = isDenied ? denial : own, now - latest.at < Int64(latest.ttl) + stale else { return nil }
            return isDenied ? 3 : 0
        }

        /// Counts a hit of the entry behind an answer with `rcode`; whether its refresh is due, for 2 hits and 30 %.
        mutating func isDue(_ key: Key, rcode: Int, _ now: Int64) -> Bool {
            var entry = rcode == 3 ? denied[key.ofName] : positive[key]
            entry?.hits += 1
            guard let found = entry else { return false }
            let isDue = !found.isAsked && found.hits >= 2 && (now - found.at) * 100 > Int64(found.ttl) * 70
            if isDue { entry?.isAsked = true }
            if rcode == 3 { denied[key.ofName] = entry } else { positive[key] = entry }
            return isDue
        }
    }

    @Test(arguments: [(32 << 10, 1, 0), (32 << 10, 1, 40), (2 << 20, 2, 40), (16 << 20, 1, 0), (16 << 20, 1, 40)])
    func agreesWithTheModel(size: Int, workers: Int, stale: Int) {
        var settings = CacheSettings()
        settings.size = size
        settings.stale = UInt32(stale)
        settings.prefetchPercent = 30
        var fixture = CacheFixture(settings, workers: workers)
        var model = Model(stale: Int64(stale))
        var random = Sequence(state: UInt64(size))
        var now: Int64 = 0
        var outcomes: [LookupOutcome: Int] = [:]
        let sorts: [EntryKind] = [.nameError, .failure, .failure] + Array(repeating: .ordinary, count: 6)
        for value: UInt32 in 1...16_000 {
            if random.next(8) == 0 { now += Int64(random.next(3)) }
            if random.next(400) == 0 {
                fixture.cache.forgetFailures(now: AnswerFixture.at(now))
                model.failed = [:]
            }
            // Squared, so that some names are asked for often.
            let pick = random.next(30)
            let name = Self.name(pick * pick % 400 + random.next(3))
            let key = Key(name: name, type: random.next(2) == 0 ? 1 : 16, bits: random.next(3), group: 0)
            if random.next(3) == 0 {
                let entry = Stored(
                    value: value, count: 1 + random.next(12), at: now, ttl: UInt32(1 + random.next(60)))
                let sort: EntryKind = sorts[random.next(sorts.count)]
                model.store(entry, sort, key)
                fixture.keep(Self.response(sort, name, key, entry), key.question(&fixture), at: now)
                continue
            }
            let found = fixture.look(key.question(&fixture), CaseMask(), edns: true, at: now)
            outcomes[found.outcome, default: 0] += 1
            Self.check(found.outcome, found.reply, key, &model, now, isWhole: size > 8 << 20)
            if found.outcome.isMiss {
                let reply = fixture.askStale(key.question(&fixture), CaseMask(), at: now)
                #expect((reply != nil) == (found.outcome == .missWithStale), "\(key) at \(now)")
                if let reply { Self.check(.stale, reply, key, &model, now, isWhole: size > 8 << 20) }
            }
        }
        let statistics = fixture.cache.statistics()
        for outcome in [LookupOutcome.hit, .due, .miss] { #expect(outcomes[outcome, default: 0] > 50, "\(outcomes)") }
        for outcome in [LookupOutcome.stale, .missWithStale] {
            #expect(stale > 0 ? outcomes[outcome, default: 0] > 15 : outcomes[outcome] == nil, "\(outcomes)")
        }
        #expect(statistics.bytes <= statistics.limit)
        if size == 32 << 10 { #expect(statistics.evictions > 100) }
    }

    /// - Parameter isWhole: nothing was ever evicted, so what lives must be found.
    private static func check(
        _ outcome: LookupOutcome, _ reply: TestReply?, _ key: Key, _ model: inout Model, _ now: Int64, isWhole: Bool
    ) {
        let own = model.positive[key].flatMap { $0.isFresh(now) ? $0 : nil }
        let denial = model.denied[key.ofName].flatMap { $0.isFresh(now) ? $0 : nil }
        let staleRcode = model.staleRcode(key, now)
        if isWhole, reply?.rcode != 0 { #expect(own == nil, "lost \(key)") }
        if isWhole, reply == nil || reply?.rcode == 2 { #expect(denial == nil, "lost \(key)") }
        guard let reply else {
            if isWhole { #expect((outcome == .missWithStale) == (model.stale > 0 && staleRcode != nil)) }
            return
        }
        #expect(reply.name == key.name + ".")
        #expect(reply.type.rawValue == key.type)
        if outcome == .stale {
            if isWhole {
                #expect(reply.rcode == staleRcode, "\(key) at \(now)")
            } else {
                // A small cache may have lost the later of the two.
                let given = reply.rcode == 3 ? model.denied[key.ofName] : model.positive[key]
                #expect(given.map { now - $0.at < Int64($0.ttl) + model.stale } == true, "\(key) at \(now)")
            }
            #expect((reply.answers + reply.authorities).allSatisfy { $0.ttl == 30 })
            if reply.rcode == 0 {
                let value = model.positive[key].map { TestResponse.long($0.value) }
                #expect(reply.answers.first?.data.suffix(4) == value?[...])
            }
            return
        }
        switch reply.rcode {
        case 0:
            #expect(own != nil, "\(key) at \(now)")
            guard let own else { return }
            #expect(reply.answers.first?.ttl == own.ttl - UInt32(now - own.at))
            #expect(reply.answers.first?.data.suffix(4) == TestResponse.long(own.value)[...])
        case 3:
            #expect(denial != nil, "\(key) at \(now)")
            guard let denial else { return }
            #expect(reply.authorities.first?.ttl == denial.ttl - UInt32(now - denial.at))
        default:
            #expect(model.failed[key] != nil, "\(key) at \(now)")
            if isWhole && model.stale > 0 { #expect(staleRcode == nil) }
        }
        let isDue = reply.rcode != 2 && model.isDue(key, rcode: reply.rcode, now)
        #expect((outcome == .due) == isDue, "\(key) at \(now)")
    }

    private static func response(_ sort: EntryKind, _ name: String, _ key: Key, _ entry: Stored) -> TestResponse {
        switch sort {
        case .nameError: return denial(name, key, entry)
        case .failure:
            var response = CacheFixture.failure(name)
            response.type = RecordType(rawValue: key.type)
            return response
        default: return answer(name, key, entry)
        }
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
