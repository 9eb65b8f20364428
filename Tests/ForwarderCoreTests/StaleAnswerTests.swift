// Answers past their end: how long, which of several, in what form, and what a failure has to do with it (RFC 8767).

import DNSWire
import Testing

@testable import ForwarderCore

extension CacheFixture {
    /// A cache that gives answers for `stale` seconds past their end.
    init(stale: UInt32, failureTTL: UInt32 = 5, workers: Int = 1) {
        var settings = CacheSettings()
        settings.size = 8 << 20
        settings.stale = stale
        settings.failureTTL = failureTTL
        self.init(settings, workers: workers)
    }
}

@Suite struct StaleAnswerTests {
    private static let name = "www.example.com"

    @Test func windowCountsFromTheEnd() {
        for (stale, rows) in [
            (0, [(59, .hit), (60, .miss), (159, .miss)]),
            (100, [(0, .hit), (59, .hit), (60, .missWithStale), (159, .missWithStale), (160, .miss), (9_999, .miss)]),
        ] as [(UInt32, [(Int64, LookupOutcome)])] {
            var fixture = CacheFixture(stale: stale)
            fixture.store(CacheFixture.address(Self.name, ttl: 60))
            for (second, outcome) in rows {
                #expect(fixture.look(Self.name, at: second).outcome == outcome, "\(stale) \(second)")
                let reply = fixture.askStale(Self.name, at: second)
                // Without stale answers also a fresh one is not looked for.
                #expect((reply != nil) == (stale > 0 && outcome != .miss), "\(stale) \(second)")
            }
            // Neither the stale TTL nor the reply's age has become the entry's own.
            #expect(fixture.look(Self.name, at: 50).reply?.answers.first?.ttl == 10)
        }
    }

    @Test func endsMayLieBehindTheWrapOfTheClock() {
        var fixture = CacheFixture(stale: 100)
        let edge = Int64(UInt32.max) - 1_000 - 5
        fixture.store(CacheFixture.address(Self.name, ttl: 60), at: edge)
        #expect(fixture.look(Self.name, at: edge + 60).outcome == .missWithStale)
        #expect(fixture.look(Self.name, at: edge + 159).outcome == .missWithStale)
        #expect(fixture.look(Self.name, at: edge + 160).outcome == .miss)
    }

    @Test func everyTTLIsTheStaleOne() {
        let alias = TestResponse.record(
            TestResponse.toQuestion, .cname, 300, TestResponse.wireName("alias.example.com"))
        var chain = TestResponse(Self.name)
        chain.answers = [alias, TestResponse.address(20, 7, owner: [0xc0, 45])]
        var dangling = CacheFixture.denial(Self.name, ttl: 20)
        dangling.answers = [alias]
        var noData = CacheFixture.denial(Self.name, ttl: 20)
        noData.rcode = 0
        // The response, its RCODE and extended error as stale, the records that it has.
        let rows: [(TestResponse, Int, UInt8, Int)] = [
            (CacheFixture.address(Self.name, ttl: 20), 0, 3, 1), (chain, 0, 3, 2),
            (CacheFixture.denial(Self.name, ttl: 20), 3, 19, 1), (dangling, 3, 19, 2), (noData, 0, 3, 1),
        ]
        for (response, rcode, code, records) in rows {
            var fixture = CacheFixture(stale: 100)
            var upstreams = response
            // The text of an upstream's extended error is not about staleness.
            upstreams.additionals = [TestResponse.optRecord(error: 9, text: "of the upstream")]
            fixture.store(upstreams)
            let reply = fixture.askStale("WWW.Example.com", at: 60)
            #expect(reply?.rcode == rcode)
            #expect(reply?.name == "WWW.Example.com.")
            #expect(reply?.id == 0xbeef)
            let ttls = ((reply?.answers ?? []) + (reply?.authorities ?? [])).map(\.ttl)
            #expect(ttls == [UInt32](repeating: 30, count: records))
            #expect(reply?.options[15] == [0, code] + Array("no fresh answer could be had".utf8))
        }
    }

    @Test func denialIsStaleForAllTypes() {
        var fixture = CacheFixture(stale: 100)
        fixture.store(CacheFixture.denial(Self.name, ttl: 20))
        for type in [RecordType.a, .mx, .txt] {
            #expect(fixture.look(Self.name, type, at: 20).outcome == .missWithStale)
            let reply = fixture.askStale(Self.name, type, at: 20)
            #expect(reply?.rcode == 3)
            #expect(reply?.type == type)
        }
    }

    @Test func keysStayApartAndNothingIsAuthentic() {
        for bits in 0..<4 {
            let (dnssecOK, checkingDisabled) = (bits & 1 != 0, bits & 2 != 0)
            var fixture = CacheFixture(stale: 100)
            var response = CacheFixture.address(Self.name, ttl: 20)
            response.flags |= 0x0020
            fixture.store(response, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled)
            for other in 0..<4 {
                let (otherDO, otherCD) = (other & 1 != 0, other & 2 != 0)
                let fresh = fixture.look(Self.name, dnssecOK: otherDO, checkingDisabled: otherCD, at: 19)
                let stale = fixture.look(Self.name, dnssecOK: otherDO, checkingDisabled: otherCD, at: 20)
                #expect(fresh.outcome == (other == bits ? .hit : .miss))
                #expect(stale.outcome == (other == bits ? .missWithStale : .miss))
                let reply = fixture.askStale(Self.name, dnssecOK: otherDO, checkingDisabled: otherCD, at: 20)
                #expect((reply != nil) == (other == bits))
                guard let reply, let flags = fresh.reply?.flags else { continue }
                // A client that sets DO is told of AD while the answer is fresh.
                #expect(flags & 0x0020 == (dnssecOK ? 0x0020 : 0))
                #expect(reply.flags == flags & ~0x0020)
            }
        }
    }

    /// What happens to www.example.com, type A unless it says otherwise.
    enum Event {
        case address(ttl: UInt32)
        case denial(ttl: UInt32)
        case denialOfMX(ttl: UInt32)
        case denialWithoutSOA
        case noData(ttl: UInt32)
        case failure
        case tooLong
    }

    @Test func theLatestAnswerCounts() {
        // What was stored when; when is asked for A and what is given: an RCODE, nil = nothing.
        let table: [([(Int64, Event)], Int64, Int?)] = [
            ([(0, .address(ttl: 10)), (20, .denialOfMX(ttl: 10))], 50, 3),
            ([(0, .address(ttl: 10)), (5, .denialOfMX(ttl: 10))], 50, 3),
            ([(0, .address(ttl: 10)), (0, .denialOfMX(ttl: 10))], 50, 3),
            ([(0, .denial(ttl: 10)), (5, .address(ttl: 10))], 50, 0),
            ([(0, .denial(ttl: 10)), (0, .address(ttl: 10))], 50, 0),
            ([(0, .denial(ttl: 10)), (5, .noData(ttl: 10))], 50, 0),
            ([(0, .address(ttl: 200)), (5, .denialOfMX(ttl: 10))], 50, 0),
            // Both have ended, the denial is the later; then even the denial is too old.
            ([(0, .address(ttl: 60)), (5, .denialOfMX(ttl: 10))], 70, 3),
            ([(0, .address(ttl: 60)), (5, .denialOfMX(ttl: 10))], 120, nil),
            // What may not be kept ends what it contradicts.
            ([(0, .address(ttl: 10)), (20, .denialWithoutSOA)], 50, nil),
            ([(0, .address(ttl: 10)), (20, .address(ttl: 0))], 50, nil),
            ([(0, .address(ttl: 10)), (20, .tooLong)], 50, nil),
            ([(0, .denial(ttl: 10)), (20, .address(ttl: 0))], 50, nil),
            ([(0, .denial(ttl: 10)), (20, .denialWithoutSOA)], 50, 3),
            // A failure says nothing about the name.
            ([(0, .address(ttl: 10)), (20, .failure)], 50, 0),
            ([(0, .address(ttl: 10)), (5, .failure)], 50, 0),
            ([(0, .denial(ttl: 10)), (20, .failure)], 50, 3),
        ]
        for (row, (events, second, rcode)) in table.enumerated() {
            var settings = CacheSettings()
            settings.size = 64 << 10
            settings.stale = 100
            var fixture = CacheFixture(settings)
            for (at, event) in events { fixture.store(Self.response(event), at: at) }
            let found = fixture.look(Self.name, at: second)
            if found.outcome.isMiss {
                #expect(found.outcome == (rcode == nil ? .miss : .missWithStale), "row \(row)")
            } else {
                #expect(found.reply?.rcode == rcode, "row \(row)")
            }
            #expect(fixture.askStale(Self.name, at: second)?.rcode == rcode, "row \(row)")
        }
    }

    private static func response(_ event: Event) -> TestResponse {
        var response = CacheFixture.denial(name)
        switch event {
        case .address(let ttl): response = CacheFixture.address(name, ttl: ttl)
        case .denial(let ttl): response = CacheFixture.denial(name, ttl: ttl)
        case .denialOfMX(let ttl):
            response = CacheFixture.denial(name, ttl: ttl)
            response.type = .mx
        case .denialWithoutSOA: response.authorities = []
        case .noData(let ttl):
            response = CacheFixture.denial(name, ttl: ttl)
            response.rcode = 0
        case .failure: response = CacheFixture.failure(name)
        case .tooLong:
            // Together with its TTLs' places more than an eighth of a small cache.
            response = TestResponse(name)
            for index: UInt32 in 0..<3_000 { response.answers.append(TestResponse.address(60, index)) }
        }
        return response
    }

    @Test func denialOfANameAboveWinsWhileItIsFresh() {
        var fixture = CacheFixture(stale: 100)
        fixture.store(CacheFixture.address("a.none.example.com", ttl: 10))
        fixture.store(CacheFixture.denial("none.example.com", ttl: 60), at: 5)
        #expect(fixture.look("a.none.example.com", at: 9).reply?.rcode == 0)
        #expect(fixture.askStale("a.none.example.com", at: 9)?.answers.first?.ttl == 1)
        let denied = fixture.look("a.none.example.com", at: 20)
        #expect(denied.outcome == .hit)
        #expect(denied.reply?.rcode == 3)
        let asStale = fixture.askStale("a.none.example.com", at: 20)
        #expect(asStale?.rcode == 3)
        #expect(asStale?.authorities.first?.ttl == 45)
        // Ended, it denies its own name only.
        #expect(fixture.look("a.none.example.com", at: 65).outcome == .missWithStale)
        #expect(fixture.askStale("a.none.example.com", at: 65)?.rcode == 0)
        #expect(fixture.look("b.none.example.com", at: 65).outcome == .miss)
        #expect(fixture.askStale("b.none.example.com", at: 65) == nil)
        #expect(fixture.askStale("none.example.com", at: 65)?.rcode == 3)
    }

    @Test func whatCameMeanwhileIsGivenAsItIs() {
        var fixture = CacheFixture(stale: 100)
        fixture.store(CacheFixture.address(Self.name, ttl: 60))
        let reply = fixture.askStale(Self.name, at: 10)
        #expect(reply?.answers.first?.ttl == 50)
        #expect(reply?.options[15] == nil)
        #expect(fixture.cache.statistics().hits == 1)
        #expect(fixture.cache.statistics().staleHits == 0)
    }

    @Test func failureBringsTheStaleAnswerAtOnce() {
        // The lifetime of failures, and the seconds until which each of three in a row keeps from asking again.
        for (failureTTL, ends) in [(5, [40, 100, 220]), (100, [110, 310, 610])] as [(UInt32, [Int64])] {
            var fixture = CacheFixture(stale: 10_000, failureTTL: failureTTL)
            fixture.store(CacheFixture.address(Self.name, ttl: 10))
            var second: Int64 = 10
            for end in ends {
                fixture.store(CacheFixture.failure(Self.name), at: second)
                for at in [second, end - 1] {
                    let found = fixture.look(Self.name, at: at)
                    #expect(found.outcome == .stale, "\(failureTTL) \(at)")
                    #expect(found.reply?.answers.map(\.ttl) == [30])
                    #expect(found.reply?.options[15]?.prefix(2) == [0, 3])
                }
                #expect(fixture.look(Self.name, at: end).outcome == .missWithStale, "\(failureTTL) \(end)")
                second = end
            }
            // Another type of the name has failed with nothing to give in its place.
            fixture.store(Self.failure(.mx), at: 10)
            let failed = fixture.look(Self.name, .mx, at: 10 + Int64(failureTTL) - 1)
            #expect(failed.outcome == .hit)
            #expect(failed.reply?.rcode == 2)
            #expect(fixture.look(Self.name, .mx, at: 10 + Int64(failureTTL)).outcome == .miss)
            #expect(fixture.cache.statistics().staleHits == 6)
            #expect(fixture.cache.statistics().hits == 1)
            #expect(fixture.cache.statistics().misses == 4)
        }
    }

    private static func failure(_ type: RecordType) -> TestResponse {
        var response = CacheFixture.failure(name)
        response.type = type
        return response
    }

    @Test func failedPrefetchKeepsFromAskingToo() {
        var fixture = CacheFixture(stale: 100)
        fixture.store(CacheFixture.address(Self.name, ttl: 60))
        fixture.store(CacheFixture.failure(Self.name), at: 55)
        #expect(fixture.look(Self.name, at: 59).outcome == .hit)
        #expect(fixture.look(Self.name, at: 84).outcome == .stale)
        #expect(fixture.look(Self.name, at: 85).outcome == .missWithStale)
        // An answer ends it all.
        fixture.store(CacheFixture.address(Self.name, ttl: 60), at: 86)
        #expect(fixture.look(Self.name, at: 86).outcome == .hit)
        #expect(fixture.look(Self.name, at: 146).outcome == .missWithStale)
    }

    @Test func longAnswersAreTruncatedAsFreshOnes() {
        var fixture = CacheFixture(stale: 100)
        var response = TestResponse(Self.name)
        for value: UInt32 in 0..<100 { response.answers.append(TestResponse.address(20, value)) }
        fixture.store(response)
        let reply = fixture.askStale(Self.name, at: 60)
        #expect(reply?.isTruncated == true)
        #expect(reply?.answers.count == 0)
        #expect(reply?.options[15]?.prefix(2) == [0, 3])
        fixture.answers.out.removeAll()
        let asked = fixture.answers.question(Self.name).question
        _ = fixture.cache.answerStale(
            asked, name: fixture.answers.names, nameOffset: 0, now: AnswerFixture.at(60), turn: 3,
            writer: fixture.answers.writer, to: AnswerFixture.client(stream: true), into: &fixture.answers.out)
        let whole = fixture.answers.lastReply()
        #expect(whole?.answers.map(\.ttl) == [UInt32](repeating: 30, count: 100))
        #expect(whole?.answers.first?.data == [0, 0, 0, 3])
    }
}
