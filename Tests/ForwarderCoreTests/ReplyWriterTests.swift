// What each client gets: its id, case and flags, counted-down TTLs, a fair turn of addresses, no octet too many.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct ReplyWriterTests {
    /// A response of `count` addresses, 1 to `count`.
    private static func addresses(_ count: UInt32, ttl: UInt32 = 300) -> TestResponse {
        var response = TestResponse("www.example.com")
        for value in 0..<count { response.answers.append(TestResponse.address(ttl, value + 1)) }
        return response
    }

    @Test func headerIsTheClientsOwn() {
        var fixture = AnswerFixture()
        var response = Self.addresses(1)
        // An upstream's AA and AD.
        response.flags |= 0x0420
        #expect(fixture.pack(response) != nil)
        for bits in 0..<16 {
            var query = AnswerFixture.client()
            query.id = UInt16(0x1000 + bits)
            query.recursionDesired = bits & 1 != 0
            query.checkingDisabled = bits & 2 != 0
            query.authenticData = bits & 4 != 0
            query.dnssecOK = bits & 8 != 0
            let reply = fixture.give(to: query)
            var expected = 0x8080
            if bits & 1 != 0 { expected |= 0x0100 }
            if bits & 2 != 0 { expected |= 0x0010 }
            if bits & 12 != 0 { expected |= 0x0020 }
            #expect(reply?.id == 0x1000 + bits)
            #expect(reply?.flags == expected)
        }
    }

    @Test func letterCaseComesBack() {
        let long = (0..<4).map { _ in String(repeating: "aB", count: 30) }.joined(separator: ".") + ".Z-9.cOM"
        for name in ["www.example.com", "WWW.EXAMPLE.COM", "wWw.3xAmPle.cOm", "A", "[@`{.Z", long] {
            var fixture = AnswerFixture()
            let asked = fixture.question(name)
            var response = TestResponse(name.lowercased())
            response.answers = [TestResponse.address(300, 1)]
            #expect(fixture.pack(response, for: asked.question) != nil)
            var query = AnswerFixture.client()
            query.caseMask = asked.mask
            #expect(fixture.give(to: query)?.name == name + ".")
        }
    }

    @Test func agesCountDownToZero() {
        var fixture = AnswerFixture()
        #expect(fixture.pack(Self.addresses(2, ttl: 100)) != nil)
        for (age, ttl) in [(0, 100), (1, 99), (99, 1), (100, 0), (101, 0), (UInt32.max, 0)] as [(UInt32, UInt32)] {
            #expect(fixture.give(to: AnswerFixture.client(), age: age)?.answers.map(\.ttl) == [ttl, ttl])
        }
    }

    @Test func everyTurnIsAPermutationBehindTheAlias() {
        for count: UInt32 in 1...7 {
            var fixture = AnswerFixture()
            var response = TestResponse("www.example.com")
            response.answers = [
                TestResponse.record(TestResponse.toQuestion, .cname, 300, TestResponse.wireName("a.b"))
            ]
            for value in 0..<count {
                response.answers.append(TestResponse.address(60, value + 1, owner: [0xc0, 45]))
            }
            #expect(fixture.pack(response) != nil)
            var firsts: Set<[UInt8]> = []
            for turn in 0..<2 * count {
                let reply = fixture.give(to: AnswerFixture.client(), age: 7, turn: turn)
                #expect(reply?.answers.first?.type == .cname)
                #expect(reply?.answers.map(\.ttl) == [293] + (0..<count).map { _ in 53 })
                let given = reply?.answers.dropFirst().map(\.data) ?? []
                #expect(Set(given).count == Int(count))
                if let first = given.first { firsts.insert(first) }
                // The order goes round, it is not shuffled.
                let values = given.map { UInt32($0[3]) - 1 }
                #expect(values == (0..<count).map { ($0 + turn) % count })
            }
            #expect(firsts.count == Int(count))
        }
    }

    @Test func truncatesWholeOrNot() {
        var fixture = AnswerFixture()
        #expect(fixture.pack(Self.addresses(40)) != nil)
        let whole = 33 + 40 * 16
        for (edns, optSize) in [(false, 0), (true, 11)] {
            for (limit, fits) in [(512, false), (whole + optSize - 1, false), (whole + optSize, true), (4_096, true)] {
                let reply = fixture.give(to: AnswerFixture.client(edns: edns, limit: limit))
                #expect(reply?.isTruncated == !fits, "\(edns) \(limit)")
                #expect(reply?.answers.count == (fits ? 40 : 0))
                #expect(reply?.questions == 1)
                #expect((reply?.opt != nil) == edns)
                #expect((reply?.size ?? .max) <= limit)
            }
        }
    }

    @Test func extendedErrorGivesWayToTheAnswer() {
        var fixture = AnswerFixture()
        var response = Self.addresses(1)
        response.additionals = [TestResponse.optRecord(error: 3, text: "ten octets")]
        #expect(fixture.pack(response) != nil)
        let message = 33 + 16 + 11
        for (room, octets) in [(16, 12), (15, 2), (6, 2), (5, 0), (0, 0)] {
            let reply = fixture.give(to: AnswerFixture.client(edns: true, limit: message + room))
            #expect(reply?.options[15]?.count ?? 0 == octets, "\(room)")
            #expect(reply?.isTruncated == false)
        }
        #expect(fixture.give(to: AnswerFixture.client(edns: true, limit: message - 1))?.isTruncated == true)
        let own = fixture.give(to: AnswerFixture.client(edns: true), extendedError: .cachedError)
        #expect(own?.options[15]?.prefix(2) == [0, 13])
        #expect(fixture.give(to: AnswerFixture.client())?.opt == nil)
    }

    @Test func optSaysWhatIsSet() {
        var fixture = AnswerFixture {
            $0.udpPayload = 1400
            $0.extendedErrors = false
            $0.tcpIdleTimeout = .seconds(12)
        }
        var response = Self.addresses(1)
        response.additionals = [TestResponse.optRecord(error: 3, text: "")]
        #expect(fixture.pack(response) != nil)
        var query = AnswerFixture.client(stream: true, edns: true)
        query.dnssecOK = true
        query.wantsKeepalive = true
        let reply = fixture.give(to: query)
        #expect(reply?.options == [11: [0, 120]])
        #expect(reply?.opt?.ttl == 0x8000)
        #expect(reply?.opt?.type == .opt)
    }

    @Test func codesAboveFifteenNeedEDNS() {
        var fixture = AnswerFixture()
        let question = fixture.question("www.example.com").question
        for (edns, low, high) in [(true, 0, UInt32(1) << 24), (false, 2, 0)] {
            fixture.out.removeAll()
            fixture.writer.writeError(
                .badVersion, nil, text: "", question: question, name: fixture.names, nameOffset: 0,
                to: AnswerFixture.client(edns: edns), into: &fixture.out)
            let reply = fixture.lastReply()
            #expect(reply?.rcode == low)
            #expect(reply?.opt?.ttl ?? 0 == high)
        }
    }

    @Test func streamsAreFramedAndNeverTruncated() {
        var fixture = AnswerFixture()
        #expect(fixture.pack(Self.addresses(100)) != nil)
        #expect(fixture.give(to: AnswerFixture.client(stream: true, edns: true))?.answers.count == 100)

        // One record that leaves room for five octets only.
        var huge = TestResponse("www.example.com")
        let filling = [UInt8](repeating: 0, count: 65_530 - 33 - 12)
        huge.type = RecordType(rawValue: 65_280)
        huge.answers = [TestResponse.record(TestResponse.toQuestion, huge.type, 60, filling)]
        #expect(fixture.pack(huge) != nil)
        #expect(fixture.give(to: AnswerFixture.client(stream: true))?.size == 65_530)
        let refused = fixture.give(to: AnswerFixture.client(stream: true, edns: true))
        #expect(refused?.rcode == 2)
        #expect(refused?.isTruncated == false)
        #expect(refused?.opt != nil)
    }

    @Test func fullBufferDropsTheReplyWhole() {
        var fixture = AnswerFixture()
        #expect(fixture.pack(Self.addresses(20)) != nil)
        var out = ActionBuffer(byteCapacity: 128, byteLimit: 1_000)
        for _ in 0..<5 {
            fixture.writer.write(
                fixture.packer.scratch, at: 0, age: 0, turn: 0, extendedError: nil, to: AnswerFixture.client(),
                into: &out)
        }
        let size = 33 + 20 * 16
        #expect(out.replies.map(\.count) == [size, size])
        let written = out.bytes.count
        #expect(written == 2 * size)
        let overflowed = out.bytes.overflowed
        #expect(overflowed)
    }

    @Test func errorsEchoTheQuestionWhenThereIsOne() {
        var fixture = AnswerFixture()
        let asked = fixture.question("WWW.example.com", .txt)
        var query = AnswerFixture.client(edns: true)
        query.caseMask = asked.mask
        for question in [asked.question, nil] {
            fixture.out.removeAll()
            fixture.writer.writeError(
                .refused, .prohibited, text: "not allowed", question: question, name: fixture.names, nameOffset: 0,
                to: query, into: &fixture.out)
            let reply = fixture.lastReply()
            #expect(reply?.rcode == 5)
            #expect(reply?.questions == (question == nil ? 0 : 1))
            #expect(reply?.name == (question == nil ? "" : "WWW.example.com."))
            #expect(reply?.options[15] == [0, 18] + Array("not allowed".utf8))
        }
    }
}

@Suite struct SyntheticReplyTests {
    @Test func localAnswers() {
        // The answer, name, type; RCODE, the record's data, the owner of the SOA.
        let localhost = TestResponse.wireName("localhost")
        let table: [(LocalAnswer, String, RecordType, Int, [UInt8]?, String?)] = [
            (.loopback, "localhost", .a, 0, [127, 0, 0, 1], nil),
            (.loopback, "x.localhost", .aaaa, 0, [UInt8](repeating: 0, count: 15) + [1], nil),
            (.loopback, "x.localhost", .mx, 0, nil, "localhost."),
            (.loopbackPointer, "1.0.0.127.in-addr.arpa", .ptr, 0, localhost, nil),
            (.loopbackPointer, "1.0.0.127.in-addr.arpa", .a, 0, nil, "in-addr.arpa."),
            (.nameError, "a.b.test", .a, 3, nil, "test."),
            (.nameError, "onion", .aaaa, 3, nil, "onion."),
            (.noData, "resolver.arpa", .a, 0, nil, "resolver.arpa."),
            (.noData, "", .a, 0, nil, "."),
        ]
        for (answer, name, type, rcode, data, zone) in table {
            var fixture = AnswerFixture()
            let asked = fixture.question(name, type)
            fixture.writer.writeLocal(
                answer, question: asked.question, name: fixture.names, nameOffset: 0,
                to: AnswerFixture.client(edns: true), into: &fixture.out)
            let reply = fixture.lastReply()
            #expect(reply?.rcode == rcode, "\(name)")
            #expect(reply?.answers.first?.data == data, "\(name)")
            #expect(reply?.answers.first?.ttl == (data == nil ? nil : 3_600))
            #expect(reply?.authorities.first?.owner == zone, "\(name)")
            #expect(reply?.authorities.first?.data.suffix(4) == (zone == nil ? nil : [0, 0, 0x2a, 0x30]))
            #expect(reply?.options[15] == [0, 29])
        }
    }

    @Test func minimalAnyAndIdentity() {
        var fixture = AnswerFixture { $0.identity = "resolver 1" }
        let any = fixture.question("example.com", .any).question
        fixture.writer.writeMinimalAny(
            question: any, name: fixture.names, nameOffset: 0, to: AnswerFixture.client(), into: &fixture.out)
        let minimal = fixture.lastReply()
        #expect(minimal?.answers.first?.type == .hinfo)
        #expect(minimal?.answers.first?.data == [7] + Array("RFC8482".utf8) + [0])
        #expect(minimal?.type == .any)

        fixture.out.removeAll()
        var identity = fixture.question("id.server", .txt).question
        identity.recordClass = RecordClass.chaos
        fixture.writer.writeIdentity(
            question: identity, name: fixture.names, nameOffset: 0, to: AnswerFixture.client(), into: &fixture.out)
        let text = fixture.lastReply()
        #expect(text?.answers.first?.data == [10] + Array("resolver 1".utf8))
        #expect(text?.answers.first?.ttl == 0)
    }
}
