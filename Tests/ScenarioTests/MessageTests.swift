// The oracle is tried against octets written out by hand, so that a mistake in it cannot hide one in the product.

import Testing

@testable import Simulator

struct MessageTests {
    /// A response with a compressed owner, a CNAME whose target is compressed, and an OPT with one option.
    static let octets: [UInt8] =
        [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 2, 0, 0, 0, 1]
        + [3, 0x77, 0x57, 0x77, 2, 0x65, 0x78, 0, 0, 1, 0, 1]
        + [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 0x61, 0xc0, 16]
        + [0xc0, 36, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 1]
        + [0, 0, 41, 4, 0xd0, 1, 0, 0x80, 0, 0, 6, 0, 15, 0, 2, 0, 22]

    @Test func readsAndWritesOctets() throws {
        let message = try TestMessage(MessageTests.octets)
        #expect(message.id == 0x1234)
        #expect(message.flags == 0x8580)
        #expect(message.rcode == 16)
        #expect(message.questions == [TestQuestion(name: try TestName("wWw.ex."), type: 1)])
        let records = ["wWw.ex. 60 IN CNAME a.ex.", "a.ex. 256 IN A 192.0.2.1"]
        #expect(try message.answer == records.map { try TestRecord($0) })
        #expect(message.opt?.dnssecOK == true)
        #expect(message.opt?.option(15) == [0, 22])
        #expect(message.encoded() == MessageTests.octets)
    }

    @Test func refusesWhatIsCutShort() {
        for count in 0..<MessageTests.octets.count {
            #expect(throws: TestFormatError.self) { try TestMessage(Array(MessageTests.octets.prefix(count))) }
        }
    }

    @Test func readsRecords() throws {
        let table: [(String, [UInt8])] = [
            ("a. 1 IN AAAA 2001:db8::1", [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("a. MX 10 m.", [0, 10, 1, 0x6d, 0]), ("a. TXT \"b c\" d", [3, 0x62, 0x20, 0x63, 1, 0x64]),
            ("a. SRV 1 2 3 t.", [0, 1, 0, 2, 0, 3, 1, 0x74, 0]), ("a. TYPE9 \\# 2 0a0B", [10, 11]),
            ("a. PTR \\065\\..", [2, 0x41, 0x2e, 0]),
        ]
        for (text, rdata) in table { #expect(try TestRecord(text).rdata == rdata, "\(text)") }
        for text in ["a. A 1.2.3", "a. MX m.", "a. TYPE9 \\# 3 0a0b", "a..b. A 1.2.3.4", "a. HTTPS 1 ."] {
            #expect(throws: TestFormatError.self, "\(text)") { try TestRecord(text) }
        }
    }
}
