// Hostile responses: whatever the survey lets through must pack, and be given whole and readable, without a trap.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct AnswerMutationTests {
    private static func templates() -> [TestResponse] {
        var plain = TestResponse("www.example.com")
        plain.answers = (1...4).map { TestResponse.address(60, $0) }
        var alias = TestResponse("www.example.com")
        alias.answers = [
            TestResponse.record(TestResponse.toQuestion, .cname, 300, TestResponse.wireName("a.b")),
            TestResponse.address(60, 1, owner: [0xc0, 45]), TestResponse.address(90, 2, owner: [0xc0, 48 + 2]),
            TestResponse.address(90, 3, owner: TestResponse.wireName("a.b")),
        ]
        alias.additionals = [TestResponse.optRecord(error: 6, text: "bogus")]
        var denial = CacheFixture.denial("none.example.com")
        denial.authorities.append(TestResponse.record([0xc0, 0x0c], .ns, 5, [0xc0, 0x0c]))
        var noData = CacheFixture.denial("WWW.example.com")
        noData.rcode = 0
        return [plain, alias, denial, noData, CacheFixture.failure("www.example.com")]
    }

    @Test func mutatedResponsesAreGivenWholeOrNotAtAll() throws {
        var fixture = CacheFixture(size: 64 << 10)
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        var given = 0
        for round in 0..<3_000 {
            let template = Self.templates()[round % 5]
            var message = template.bytes
            for _ in 0..<random(4) {
                switch random(5) {
                case 0: message[random(message.count)] = UInt8(random(256))
                case 1: message[random(message.count)] ^= 1 << UInt8(random(8))
                case 2: message.removeLast(random(min(20, message.count - 12)))
                case 3: message.insert(UInt8(random(256)), at: random(message.count))
                default: message[12 + random(message.count - 12)] = [0, 0xc0, 0x0c, 0xff, 45][random(5)]
                }
            }
            let asked = fixture.answers.question(template.name, dnssecOK: round % 3 == 0)
            guard
                let survey = try? surveyResponse(
                    message.span, dnssecOK: asked.question.dnssecOK, ttlOffsets: &fixture.answers.offsets),
                let packed = fixture.answers.packer.pack(
                    message.span, survey, ttlOffsets: &fixture.answers.offsets, question: asked.question,
                    name: fixture.answers.names, nameOffset: 0, now: AnswerFixture.at(0))
            else { continue }
            given += 1
            fixture.cache.store(
                packed, fixture.answers.packer.scratch, question: asked.question, name: fixture.answers.names,
                nameOffset: 0, now: AnswerFixture.at(0))
            let first = fixture.answers.give(to: AnswerFixture.client(edns: round % 2 == 0))
            #expect(first?.name == template.name.lowercased() + ".", "\(message)")
            for turn: UInt32 in 1...3 {
                let turned = fixture.answers.give(to: AnswerFixture.client(), age: 3, turn: turn)
                #expect(turned?.answers.map(\.owner) == first?.answers.map(\.owner), "\(message)")
                #expect(turned?.answers.map(\.ttl) == first?.answers.map { $0.ttl > 3 ? $0.ttl - 3 : 0 })
            }
            if packed.deniesQuestion && packed.lifetime > 0 && !asked.question.dnssecOK {
                #expect(fixture.ask("below." + template.name) != nil, "\(message)")
            }
        }
        #expect(given > 1_000, "\(given)")
    }
}
