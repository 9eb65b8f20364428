// TTL rules and what packing keeps: RFC 2181 5.2 and 8, RFC 2308, RFC 8914.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct PackedAnswerTests {
    /// Settings with the given limits.
    private static func settings(min: UInt32 = 0, max: UInt32 = 86_400, negative: UInt32 = 3_600) -> CacheSettings {
        var settings = CacheSettings()
        settings.minTTL = min
        settings.maxTTL = max
        settings.negativeMaxTTL = negative
        return settings
    }

    @Test func positiveTTLs() {
        // TTLs of one RRset, min_ttl, max_ttl; the TTL that all of them get, the lifetime.
        let table: [([UInt32], UInt32, UInt32, UInt32)] = [
            ([300], 0, 86_400, 300),
            ([300, 60, 900], 0, 86_400, 60),
            ([0], 0, 86_400, 0),
            ([0], 30, 86_400, 30),
            ([10], 60, 86_400, 60),
            ([1_000_000], 0, 86_400, 86_400),
            ([0x7fff_ffff], 0, 604_800, 604_800),
            ([0x8000_0001], 0, 86_400, 0),
            ([0xffff_ffff, 300], 0, 86_400, 0),
            ([0xffff_ffff], 5, 86_400, 5),
            ([50], 100, 20, 20),
        ]
        for (ttls, low, high, expected) in table {
            var fixture = AnswerFixture(Self.settings(min: low, max: high))
            var response = TestResponse("www.example.com")
            for (index, ttl) in ttls.enumerated() { response.answers.append(TestResponse.address(ttl, UInt32(index))) }
            let packed = fixture.pack(response)
            #expect(packed?.kind == .positive)
            #expect(packed?.lifetime == expected, "\(ttls) \(low) \(high)")
            let reply = fixture.give(to: AnswerFixture.client())
            #expect(reply?.answers.map(\.ttl) == ttls.map { _ in expected }, "\(ttls) \(low) \(high)")
        }
    }

    @Test func shortestOfTheChainDecidesButEachSetKeepsItsOwn() {
        var fixture = AnswerFixture()
        var response = TestResponse("www.example.com")
        // The CNAME's target is written out at offset 45: 33 of header and question, 12 of the record before RDATA.
        response.answers = [
            TestResponse.record(TestResponse.toQuestion, .cname, 300, TestResponse.wireName("a.b")),
            TestResponse.address(60, 1, owner: [0xc0, 45]), TestResponse.address(90, 2, owner: [0xc0, 45]),
        ]
        #expect(fixture.pack(response)?.lifetime == 60)
        let reply = fixture.give(to: AnswerFixture.client(), age: 10)
        #expect(reply?.answers.map(\.ttl) == [290, 50, 50])
        #expect(reply?.answers.map(\.owner) == ["www.example.com.", "a.b.", "a.b."])
    }

    @Test func negativeTTLs() {
        // The SOA's TTL and MINIMUM (nil = no SOA), min_ttl, negative_max_ttl, the lifetime.
        let table: [(UInt32?, UInt32, UInt32, UInt32, UInt32)] = [
            (3_600, 300, 0, 3_600, 300),
            (60, 300, 0, 3_600, 60),
            (86_400, 86_400, 0, 3_600, 3_600),
            (0, 300, 0, 3_600, 0),
            (300, 0, 0, 3_600, 0),
            (10, 20, 60, 3_600, 10),
            (300, 300, 0, 0, 0),
            (0x8000_0000, 300, 0, 3_600, 0),
            (nil, 0, 0, 3_600, 0),
        ]
        for (ttl, minimum, low, high, expected) in table {
            for rcode: UInt16 in [0, 3] {
                var fixture = AnswerFixture(Self.settings(min: low, negative: high))
                var response = TestResponse("none.example.com")
                response.rcode = rcode
                if let ttl { response.authorities = [TestResponse.soa("example.com", ttl: ttl, minimum: minimum)] }
                let packed = fixture.pack(response)
                #expect(packed?.kind == (rcode == 0 ? .noData : .nameError))
                #expect(packed?.lifetime == expected, "\(String(describing: ttl)) \(minimum) \(high)")
                #expect(packed?.deniesQuestion == (rcode == 3))
                let reply = fixture.give(to: AnswerFixture.client())
                #expect(reply?.rcode == Int(rcode))
                #expect(reply?.authorities.map(\.ttl) == (ttl == nil ? [] : [expected]))
            }
        }
    }

    @Test func denialAfterAliasIsBoundedByTheAliasAndDeniesNotTheQuestion() {
        for rcode: UInt16 in [0, 3] {
            var fixture = AnswerFixture()
            var response = TestResponse("www.example.com")
            response.rcode = rcode
            response.answers = [
                TestResponse.record(TestResponse.toQuestion, .cname, 20, TestResponse.wireName("gone.example.com"))
            ]
            response.authorities = [TestResponse.soa("example.com", ttl: 300, minimum: 300)]
            let packed = fixture.pack(response)
            #expect(packed?.lifetime == 20)
            #expect(packed?.deniesQuestion == false)
            #expect(fixture.give(to: AnswerFixture.client())?.authorities.first?.ttl == 20)
        }
    }

    @Test func failuresKeepOnlyTheirCode() {
        for rcode: UInt16 in [1, 2, 4, 5, 9] {
            for hasQuestion in [true, false] {
                var fixture = AnswerFixture()
                var response = TestResponse("www.example.com")
                response.rcode = rcode
                response.hasQuestion = hasQuestion
                let packed = fixture.pack(response)
                #expect(packed?.kind == .failure)
                #expect(packed?.lifetime == 5)
                let reply = fixture.give(to: AnswerFixture.client())
                #expect(reply?.rcode == Int(rcode))
                #expect(reply?.name == "www.example.com.")
                #expect(reply?.type == .a)
            }
        }
    }

    @Test func unusableResponsesAreRefused() {
        var fixture = AnswerFixture()
        var truncated = TestResponse("www.example.com")
        truncated.flags |= 0x0200
        truncated.answers = [TestResponse.address(60, 1)]
        #expect(fixture.pack(truncated) == nil)
        var referral = TestResponse("www.example.com")
        referral.authorities = [
            TestResponse.record(TestResponse.wireName("example.com"), .ns, 60, TestResponse.wireName("ns.example.com"))
        ]
        #expect(fixture.pack(referral) == nil)
        let other = fixture.question("www.example.org.net").question
        var answer = TestResponse("www.example.com")
        answer.answers = [TestResponse.address(60, 1)]
        #expect(fixture.pack(answer, for: other) == nil)
    }

    @Test func questionIsKeptFolded() {
        var fixture = AnswerFixture()
        var response = TestResponse("WwW.eXample.COM")
        response.answers = [TestResponse.address(60, 1)]
        #expect(fixture.pack(response) != nil)
        let reply = fixture.give(to: AnswerFixture.client())
        #expect(reply?.name == "www.example.com.")
        #expect(reply?.answers.first?.owner == "www.example.com.")
    }

    @Test func recordsOffTheChainAreLeftOut() {
        var fixture = AnswerFixture()
        var response = TestResponse("www.example.com")
        response.answers = [
            TestResponse.address(300, 666, owner: TestResponse.wireName("victim.example.net")),
            TestResponse.address(60, 7, owner: TestResponse.wireName("WWW.Example.COM")),
            TestResponse.address(90, 8, owner: TestResponse.wireName("www.example.com")),
        ]
        response.additionals = [TestResponse.optRecord(error: 3, text: "stale")]
        let packed = fixture.pack(response)
        #expect(packed?.kind == .positive)
        #expect(packed?.lifetime == 60)
        for turn: UInt32 in 0..<4 {
            let reply = fixture.give(to: AnswerFixture.client(edns: true), age: 1, turn: turn)
            #expect(reply?.answers.map(\.owner) == ["www.example.com.", "www.example.com."])
            #expect(reply?.answers.map(\.ttl) == [59, 59])
            #expect(Set(reply?.answers.map { $0.data[3] } ?? []) == [7, 8])
            #expect(reply?.options[15] == [0, 3] + Array("stale".utf8))
        }
    }

    @Test func extendedErrorIsKeptShort() {
        var fixture = AnswerFixture()
        for length in [0, 5, 64, 200] {
            var response = TestResponse("www.example.com")
            response.rcode = 2
            response.additionals = [TestResponse.optRecord(error: 6, text: String(repeating: "x", count: length))]
            #expect(fixture.pack(response) != nil)
            let reply = fixture.give(to: AnswerFixture.client(edns: true))
            #expect(reply?.options[15]?.count == 2 + min(length, 64))
            #expect(reply?.options[15]?.prefix(2) == [0, 6])
        }
    }

    @Test func ownFailureCarriesItsReason() {
        var fixture = AnswerFixture()
        let question = fixture.question("www.example.com", .aaaa).question
        let packed = fixture.packer.packFailure(
            .serverFailure, .noReachableAuthority, text: "no upstream answered", question: question,
            name: fixture.names, nameOffset: 0, now: AnswerFixture.at(0))
        #expect(packed.kind == .failure)
        let reply = fixture.give(to: AnswerFixture.client(edns: true))
        #expect(reply?.rcode == 2)
        #expect(reply?.type == .aaaa)
        #expect(reply?.options[15] == [0, 22] + Array("no upstream answered".utf8))
    }
}
