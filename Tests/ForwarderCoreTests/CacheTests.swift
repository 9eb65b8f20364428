// The cache's promises: life of entries, keys that never meet, denials, failures that back off, bounds.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct CacheTests {
    @Test func livesForItsTTL() {
        var fixture = CacheFixture()
        #expect(fixture.ask("www.example.com") == nil)
        fixture.store(CacheFixture.address("www.example.com", ttl: 60), at: 100)
        for (second, ttl) in [(100, 60), (101, 59), (159, 1), (160, nil), (1_000, nil)] as [(Int64, UInt32?)] {
            #expect(fixture.ask("www.example.com", at: second)?.answers.first?.ttl == ttl)
        }
        // A worker whose clock reading is a little older.
        #expect(fixture.ask("www.example.com", at: 99)?.answers.first?.ttl == 60)
        let statistics = fixture.cache.statistics()
        #expect(statistics.hits == 4)
        #expect(statistics.misses == 3)
        #expect(statistics.inserts == 1)
        #expect(statistics.entries == 1)
    }

    @Test func secondsMayWrap() {
        var fixture = CacheFixture()
        let edge = Int64(UInt32.max) - 1_000 - 5
        fixture.store(CacheFixture.address("www.example.com", ttl: 60), at: edge)
        #expect(fixture.ask("www.example.com", at: edge + 30)?.answers.first?.ttl == 30)
        #expect(fixture.ask("www.example.com", at: edge + 60) == nil)
    }

    @Test func zeroIsNotKept() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.address("www.example.com", ttl: 0))
        #expect(fixture.ask("www.example.com") == nil)
        #expect(fixture.cache.statistics().entries == 0)
    }

    @Test func everyPartOfTheKeySeparates() {
        var fixture = CacheFixture()
        var value: UInt32 = 0
        for stored in [true, false] {
            value = 0
            for type in [RecordType.a, .aaaa, .txt] {
                for bits in 0..<4 {
                    for group: UInt16 in [0, 1, 256] {
                        value += 1
                        let (dnssecOK, checkingDisabled) = (bits & 1 != 0, bits & 2 != 0)
                        if stored {
                            var response = TestResponse("www.example.com", type)
                            response.answers = [
                                TestResponse.record(TestResponse.toQuestion, type, 60, TestResponse.long(value))
                            ]
                            if type == .aaaa {
                                let data = [UInt8](repeating: 0, count: 12) + TestResponse.long(value)
                                response.answers = [TestResponse.record(TestResponse.toQuestion, type, 60, data)]
                            }
                            fixture.store(
                                response, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled, group: group)
                        } else {
                            let reply = fixture.ask(
                                "www.example.com", type, dnssecOK: dnssecOK, checkingDisabled: checkingDisabled,
                                group: group)
                            #expect(reply?.answers.first?.data.suffix(4) == TestResponse.long(value)[...])
                        }
                    }
                }
            }
        }
        #expect(fixture.cache.statistics().entries == Int(value))
        #expect(fixture.ask("www.example.com", .mx) == nil)
        #expect(fixture.ask("www.example.com", group: 2) == nil)
    }

    @Test func classSeparates() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.address("www.example.com"))
        var (question, mask) = fixture.answers.question("www.example.com")
        question.recordClass = RecordClass.chaos
        #expect(fixture.ask(question, mask, at: 0) == nil)
    }

    @Test func caseIsFoldedLabelsAreNot() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.address("www.example.com", 7))
        #expect(fixture.ask("WWW.eXample.com")?.name == "WWW.eXample.com.")
        // One label "www.example", octets beyond A-Z, and neighbours by a bit of case.
        let names: [[UInt8]] = [
            [11] + Array("www.example".utf8) + [3] + Array("com".utf8) + [0],
            [3] + Array("www".utf8) + [11] + Array("example.com".utf8) + [0],
            [3] + Array("ww\u{57}".utf8.map { $0 ^ 0x80 }) + TestResponse.wireName("example.com"),
        ]
        for wire in names {
            let (question, mask) = fixture.answers.question(wire: wire, .a, false, false, 0)
            #expect(fixture.ask(question, mask, at: 0) == nil)
        }
        for (kept, other) in [("a[b", "a{b"), ("a@b", "a`b"), ("a]b", "a}b")] {
            fixture.store(CacheFixture.address(kept))
            #expect(fixture.ask(kept) != nil)
            #expect(fixture.ask(other) == nil)
        }
    }

    @Test func newerReplacesOlder() {
        var fixture = CacheFixture()
        for count: UInt32 in [1, 1, 4, 2, 9, 1] {
            var response = TestResponse("www.example.com")
            for value in 0..<count { response.answers.append(TestResponse.address(60 + count, value)) }
            fixture.store(response)
            #expect(fixture.ask("www.example.com")?.answers.count == Int(count))
            #expect(fixture.cache.statistics().entries == 1)
        }
    }

    @Test func denialIsForAllTypes() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.denial("none.example.com", ttl: 60))
        for type in [RecordType.a, .aaaa, .mx, .txt] {
            let reply = fixture.ask("NONE.example.com", type, at: 10)
            #expect(reply?.rcode == 3)
            #expect(reply?.type == type)
            #expect(reply?.name == "NONE.example.com.")
            #expect(reply?.authorities.first?.ttl == 50)
        }
        #expect(fixture.ask("none.example.com", dnssecOK: true) == nil)
        #expect(fixture.ask("none.example.com", checkingDisabled: true) == nil)
        #expect(fixture.ask("none.example.com", group: 1) == nil)
        #expect(fixture.ask("none.example.com", at: 60) == nil)
        // The name comes to exist: also the other types must be asked for again.
        fixture.store(CacheFixture.address("none.example.com"), at: 20)
        #expect(fixture.ask("none.example.com", at: 20)?.rcode == 0)
        #expect(fixture.ask("none.example.com", .mx, at: 20) == nil)
    }

    @Test func olderAnswerIsNotHiddenByADenial() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.address("x.example.com"))
        var denial = CacheFixture.denial("x.example.com")
        denial.type = .mx
        fixture.store(denial)
        #expect(fixture.ask("x.example.com", .a)?.rcode == 0)
        #expect(fixture.ask("x.example.com", .mx)?.rcode == 3)
    }

    @Test func denialCoversWhatIsBelow() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.denial("none.example.com", ttl: 60))
        for name in ["a.none.example.com", "A.b.C.none.example.com"] {
            let reply = fixture.ask(name, .mx, edns: true, at: 10)
            #expect(reply?.rcode == 3)
            #expect(reply?.name == name + ".")
            #expect(reply?.type == .mx)
            #expect(reply?.opt != nil)
            #expect(reply?.authorities.map(\.owner) == ["example.com."])
            #expect(reply?.authorities.first?.ttl == 50)
            let data = TestResponse.wireName("ns.example.com") + TestResponse.wireName("mail.example.com")
            #expect(reply?.authorities.first?.data.prefix(data.count) == data[...])
        }
        for name in ["example.com", "xnone.example.com", "none.example.org", "com"] {
            #expect(fixture.ask(name) == nil)
        }
        #expect(fixture.ask("a.none.example.com", dnssecOK: true) == nil)
        #expect(fixture.ask("a.none.example.com", checkingDisabled: true) == nil)
        #expect(fixture.ask("a.none.example.com", group: 1) == nil)
        #expect(fixture.ask("a.none.example.com", at: 60) == nil)
        fixture.store(CacheFixture.address("a.none.example.com", ttl: 60), at: 5)
        #expect(fixture.ask("a.none.example.com", at: 10)?.rcode == 0)
    }

    @Test func denialBelowWritesCompressedNamesOut() {
        var fixture = CacheFixture()
        var response = TestResponse("none.example.com")
        response.rcode = 3
        // Owner, MNAME's and RNAME's ends are pointers to "example.com" of the question.
        let zone: [UInt8] = [0xc0, 17]
        let data = [2] + Array("ns".utf8) + zone + [4] + Array("mail".utf8) + zone + [UInt8](repeating: 1, count: 20)
        response.authorities = [TestResponse.record(zone, .soa, 60, data)]
        fixture.store(response)
        let reply = fixture.ask("much.longer.below.none.example.com")
        #expect(reply?.authorities.first?.owner == "example.com.")
        let names = TestResponse.wireName("ns.example.com") + TestResponse.wireName("mail.example.com")
        #expect(reply?.authorities.first?.data == names + [UInt8](repeating: 1, count: 20))
    }

    @Test func lookingAboveIsBounded() {
        var fixture = CacheFixture()
        let deep = (0..<40).map { "l\($0)" }
        // Denied at seventeen labels: too deep to be looked for; at sixteen and at one: found.
        for (labels, found) in [(17, false), (16, true), (1, true)] {
            fixture = CacheFixture()
            let name = deep.suffix(labels).joined(separator: ".")
            fixture.store(CacheFixture.denial(name, zone: "l39"))
            #expect(fixture.ask(name)?.rcode == 3)
            #expect((fixture.ask(deep.joined(separator: ".")) != nil) == found, "\(labels)")
        }
    }

    @Test func rootDenialCoversNothing() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.denial("", zone: ""))
        #expect(fixture.ask("")?.rcode == 3)
        #expect(fixture.ask("example.com") == nil)
        #expect(fixture.ask("com") == nil)
    }

    @Test func denialAfterAliasIsForItsQuestionOnly() {
        var fixture = CacheFixture()
        var response = CacheFixture.denial("alias.example.com")
        response.answers = [
            TestResponse.record(TestResponse.toQuestion, .cname, 60, TestResponse.wireName("gone.example.com"))
        ]
        fixture.store(response)
        #expect(fixture.ask("alias.example.com")?.rcode == 3)
        #expect(fixture.ask("alias.example.com", .mx) == nil)
        #expect(fixture.ask("below.alias.example.com") == nil)
    }

    @Test func failuresBackOff() {
        var fixture = CacheFixture()
        var second: Int64 = 0
        for lifetime: Int64 in [5, 10, 20, 40, 80, 160, 300, 300] {
            fixture.store(CacheFixture.failure("www.example.com"), at: second)
            let last = fixture.ask("www.example.com", edns: true, at: second + lifetime - 1)
            #expect(last?.rcode == 2)
            #expect(last?.options[15]?.prefix(2) == [0, 13])
            // While it is fresh another failure changes nothing.
            fixture.store(CacheFixture.failure("www.example.com"), at: second + lifetime - 1)
            second += lifetime
            #expect(fixture.ask("www.example.com", at: second) == nil, "\(lifetime)")
        }
        // Long after, it begins anew.
        second += 700
        fixture.store(CacheFixture.failure("www.example.com"), at: second)
        #expect(fixture.ask("www.example.com", at: second + 4) != nil)
        #expect(fixture.ask("www.example.com", at: second + 5) == nil)
    }

    @Test func failureHidesNothingAndAnswersEndIt() {
        var fixture = CacheFixture()
        fixture.store(CacheFixture.address("www.example.com"))
        fixture.store(CacheFixture.failure("www.example.com"))
        #expect(fixture.ask("www.example.com")?.rcode == 0)
        #expect(fixture.ask("www.example.com", .aaaa) == nil)
        fixture.store(CacheFixture.failure("x.example.com"))
        #expect(fixture.cache.statistics().entries == 3)
        #expect(fixture.ask("x.example.com")?.rcode == 2)
        // An answer that may not be kept is still an end of the failure.
        fixture.store(CacheFixture.address("x.example.com", ttl: 0), at: 1)
        #expect(fixture.ask("x.example.com", at: 1) == nil)
        #expect(fixture.cache.statistics().entries == 2)
    }

    @Test func offKeepsNothing() {
        for size in [0, 1, 8_192] {
            var fixture = CacheFixture(size: size)
            fixture.store(CacheFixture.address("www.example.com"))
            #expect(fixture.ask("www.example.com") == nil)
            #expect(fixture.cache.statistics().limit == 0)
        }
    }
}
