// The rewriter: what is left of a response when only the records that answer its question are written again, with names
// compressed, and the sizes and counts at which it gives up.

import Testing

@testable import DNSWire

/// Surveys and rewrites; the message goes behind other octets, as in the engine's buffer.
func rewrite(_ octets: [UInt8], dnssecOK: Bool = false) throws(WireError) -> [UInt8] {
    let (result, _) = try survey(octets, dnssecOK: dnssecOK)
    var writer = ByteWriter(capacity: 64, limit: 1 << 17)
    writer.append32(0xdead_beef)
    do throws(WireError) {
        try rewriteResponse(octets.span, result, dnssecOK: dnssecOK, into: &writer)
    } catch {
        #expect(writer.count == 4)
        throw error
    }
    return writer.withSpan(4, writer.count - 4) { span in (0..<span.count).map { span[$0] } }
}

@Suite struct ResponseRewriterTests {
    @Test func writesTheCleanMessage() throws {
        var message = TestMessage(id: 9, flags: 0x8180)
        message.question("wWw.example.", 1)
        message.record(1, wire("EVIL."), 1, [6, 6, 6, 6])
        message.record(1, wire("host.example."), 1, ttl: 5, [1, 2, 3, 4])
        message.record(1, wire("www.Example."), 5, ttl: 6, wire("host.example."))
        message.record(1, wire("host.example."), 1, ttl: 7, [1, 2, 3, 5])
        message.record(2, wire("example."), 2, wire("ns.example."))
        message.opt()
        var expected = TestMessage(id: 9, flags: 0x8180)
        expected.question("wWw.example.", 1)
        let cname = expected.record(1, pointer(12), 5, ttl: 6, [4, 104, 111, 115, 116] + pointer(16))
        expected.record(1, pointer(cname + 12), 1, ttl: 5, [1, 2, 3, 4])
        expected.record(1, pointer(cname + 12), 1, ttl: 7, [1, 2, 3, 5])
        let clean = try rewrite(message.octets)
        #expect(clean == expected.octets)
        #expect(try survey(clean).0.rotation.count == 2)
    }

    @Test func namesInRDATA() throws {
        // RFC 3597 4: decompressed in types younger than RFC 1035, opaque where the type is unknown.
        let cases: [(UInt16, [UInt8], [UInt8])] = [
            (33, [0, 1, 0, 2, 0, 3] + pointer(12), [0, 1, 0, 2, 0, 3] + wire("a.example.")),
            (15, [0, 1] + wire("mx.a.example."), [0, 1, 2, 109, 120] + pointer(12)),
            (
                35, [0, 1, 0, 2, 1, 85, 0, 2, 33, 33] + pointer(14),
                [0, 1, 0, 2, 1, 85, 0, 2, 33, 33] + wire("example.")
            ),
            (17, pointer(12) + pointer(14), wire("a.example.") + wire("example.")),
            (65_280, pointer(12), pointer(12)),
            (65, [0, 1] + wire("b.example."), [0, 1] + wire("b.example.")),
        ]
        for (type, rdata, expected) in cases {
            var message = TestMessage(flags: 0x8180)
            message.question("a.example.", type)
            message.record(1, wire("evil."), 1, [6, 6, 6, 6])
            message.record(1, pointer(12), type, rdata)
            let clean = try rewrite(message.octets)
            #expect(Array(clean.suffix(expected.count + 2)) == [0, UInt8(expected.count)] + expected, "\(type)")
            #expect(surveyError(clean) == nil)
        }
    }

    @Test func signaturesStayWithTheirRecords() throws {
        var message = TestMessage(flags: 0x8180)
        message.question("a.example.", 1)
        message.record(1, wire("b.example."), 46, rrsig(covering: 1))
        message.record(1, wire("b.example."), 1, [1, 2, 3, 4])
        message.record(1, pointer(12), 46, rrsig(covering: 5))
        message.record(1, pointer(12), 5, wire("b.example."))
        let clean = try rewrite(message.octets, dnssecOK: true)
        let (result, ttls) = try survey(clean, dnssecOK: true)
        #expect(result.answerCount == 4 && !result.needsRewrite)
        #expect(ttls.map { Int(clean[$0 - 3]) } == [5, 46, 1, 46])
        #expect(try survey(rewrite(message.octets)).0.answerCount == 2)
    }

    @Test func whatGrowsTooLargeThrows() {
        var message = TestMessage(flags: 0x8180)
        message.question(String(repeating: "abcdefgh.", count: 25), 33)
        message.record(1, wire("evil."), 1, [6, 6, 6, 6])
        for _ in 0..<1000 { message.record(1, pointer(12), 33, [0, 1, 0, 2, 0, 3] + pointer(12)) }
        #expect(throws: WireError.tooManyRecords) { try rewrite(message.octets) }
        message = TestMessage(flags: 0x8180)
        message.question("a.", 65_280)
        for _ in 0...TTLOffsets.limit { message.record(1, pointer(12), 65_280, []) }
        #expect(surveyError(message.octets) == .tooManyRecords)
    }

    /// Names that differ only near the root, and thousands of owners: found by hash, so that it neither takes long nor
    /// loses the compression of repeated owners.
    @Test func manyNamesThatAreNearlyAlike() throws {
        func name(_ i: Int) -> String { String(repeating: "a.", count: 120) + "x\(i).z." }
        var message = TestMessage(flags: 0x8180)
        message.question(name(0), 1)
        let owner = message.record(1, wire(name(16)), 1, [1, 2, 3, 4])
        for i in (0..<16).reversed() { message.record(1, wire(name(i)), 5, wire(name(i + 1))) }
        for i in 0..<3000 { message.record(1, pointer(owner), 1, [1, 2, UInt8(i >> 8), UInt8(i & 255)]) }
        let clean = try rewrite(message.octets)
        let (result, _) = try survey(clean)
        #expect(result.answerCount == 3017 && !result.needsRewrite && clean.count < 3000 * 16 + 17 * 512)
        #expect(result.rotation.count == 3001)
    }

    @Test func countsOfDNAMEsAreBounded() {
        for (count, error) in [(64, nil), (65, .tooManyRecords)] as [(Int, WireError?)] {
            var message = TestMessage(flags: 0x8180)
            message.question("a.b.", 1)
            for _ in 0..<count { message.record(1, pointer(14), 39, wire("c.")) }
            #expect(surveyError(message.octets) == error)
        }
    }
}
