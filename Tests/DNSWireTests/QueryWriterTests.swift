// Queries as they go to an upstream (EDNS, client subnet, letter case), the comparison of a response's question with
// the one asked, and the OPT record of replies.

import Testing

@testable import DNSWire

@Suite struct QueryWriterTests {
    private let name = wire("www.example-1.com.")

    private func write(_ query: UpstreamQuery, limit: Int = 4096) -> [UInt8] {
        var writer = ByteWriter(capacity: min(32, limit), limit: limit)
        let cookies = store([9, 9] + Array(1...40))
        let size = writeQuery(
            query, name: store([7, 7, 7] + name), nameOffset: 3, nameLength: name.count, cookies: cookies,
            into: &writer)
        #expect(size == writer.count)
        return writer.withSpan(0, writer.count) { span in (0..<span.count).map { span[$0] } }
    }

    @Test func writesTheWholeQuery() {
        var query = UpstreamQuery(id: 0xabcd, type: .https, recordClass: 1)
        query.dnssecOK = true
        query.checkingDisabled = true
        query.cookieLength = 8
        query.cookieOffset = 2
        query.hasKeepalive = true
        query.clientSubnet = ClientSubnet(isIPv6: false, prefixLength: 22, high: 0xc0a8_ffff << 32, low: 0)
        var expected = TestMessage(id: 0xabcd, flags: 0x0130)
        expected.question("www.example-1.com.", 65)
        let subnet = option(8, [0, 1, 22, 0, 0xc0, 0xa8, 0xfc])
        expected.opt(size: 1232, ttl: 0x8000, option(10, [1, 2, 3, 4, 5, 6, 7, 8]) + option(11, []) + subnet)
        let octets = write(query)
        #expect(octets == expected.octets)
        let parsed = parseQuery(octets.span)
        #expect(parsed.problem == nil && parsed.cookieLength == 8 && parsed.hasKeepalive && parsed.dnssecOK)
    }

    @Test func writesWithoutEDNS() {
        var query = UpstreamQuery(id: 1, type: .a, recordClass: 1)
        query.hasEDNS = false
        query.cookieLength = 8
        var expected = TestMessage(id: 1, flags: 0x0120)
        expected.question("www.example-1.com.", 1)
        #expect(write(query) == expected.octets)
        #expect(write(query, limit: 20).isEmpty)
    }

    @Test func clientSubnetPrefixes() {
        let cases: [(ClientSubnet, [UInt8])] = [
            (ClientSubnet(isIPv6: false, prefixLength: 0, high: .max, low: .max), [0, 1, 0, 0]),
            (
                ClientSubnet(isIPv6: false, prefixLength: 255, high: 0x0102_0304 << 32, low: 0),
                [0, 1, 32, 0, 1, 2, 3, 4]
            ),
            (ClientSubnet(isIPv6: true, prefixLength: 9, high: .max, low: .max), [0, 2, 9, 0, 0xff, 0x80]),
            (
                ClientSubnet(isIPv6: true, prefixLength: 72, high: 0x2001_0db8_0000_0001, low: .max),
                [0, 2, 72, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0xff]
            ),
        ]
        for (subnet, value) in cases {
            var query = UpstreamQuery(id: 1, type: .a, recordClass: 1)
            query.clientSubnet = subnet
            #expect(Array(write(query).suffix(value.count + 4)) == option(8, value))
        }
    }

    @Test func caseBitsRaiseLettersOnly() {
        var random = SeededNumbers(state: 20)
        for _ in 0..<200 {
            var query = UpstreamQuery(id: 1, type: .a, recordClass: 1)
            query.caseBits = random.next()
            let octets = write(query)
            for i in 0..<name.count {
                let isLetter = name[i] >= 0x61 && name[i] <= 0x7a
                let raised = isLetter && query.caseBits >> UInt64(i & 63) & 1 != 0
                if octets[12 + i] != (raised ? name[i] - 32 : name[i]) { Issue.record("octet \(i)") }
            }
            #expect(compare(octets, query.caseBits) == .exact)
            let other = query.caseBits ^ 2
            #expect(compare(octets, other) == .caseDiffers)
        }
    }

    private func compare(_ octets: [UInt8], _ bits: UInt64, type: RecordType = .a) -> QuestionMatch {
        compareQuestion(
            octets.span, name: store(name), nameOffset: 0, nameLength: name.count, type: type, recordClass: 1,
            caseBits: bits)
    }

    @Test func comparesQuestions() {
        var good = TestMessage(flags: 0x8180)
        good.question("www.example-1.com.", 1)
        #expect(compare(good.octets, 0) == .exact)
        #expect(compare(good.octets, 0, type: .aaaa) == .differs)
        var raised = good.octets
        raised[13] = 0x57
        #expect(compare(raised, 0) == .caseDiffers && compare(raised, 2) == .exact)
        for i in 12..<good.octets.count {
            var other = good.octets
            other[i] ^= 0x01
            #expect(compare(other, 0) == .differs)
            // Bit 0x20 is case in letters only: '-' and digits and lengths are other names.
            other = good.octets
            other[i] ^= 0x20
            let isLetter = good.octets[i] >= 0x61 && good.octets[i] <= 0x7a
            #expect(compare(other, 0) == (isLetter ? .caseDiffers : .differs))
        }
        for length in 0..<good.octets.count { #expect(compare(Array(good.octets[..<length]), 0) == .differs) }
        #expect(compare(TestMessage().octets, 0) == .absent)
        good.octets[5] = 2
        #expect(compare(good.octets, 0) == .differs)
    }

    @Test func writesResponseOPT() {
        var opt = ResponseOPT(udpSize: 1232, rcode: .badVersion, dnssecOK: true)
        func written(_ text: [UInt8]) -> [UInt8] {
            var writer = ByteWriter(capacity: 64, limit: 4096)
            writeOPT(opt, text: text.span, into: &writer)
            #expect(writer.count == sizeOfOPT(opt, textLength: text.count))
            return writer.withSpan(0, writer.count) { span in (0..<span.count).map { span[$0] } }
        }
        #expect(written([]) == [0, 0, 41, 0x04, 0xd0, 1, 0, 0x80, 0, 0, 0])
        #expect(written([65]).count == 11)
        opt.keepalive = 100
        opt.extendedError = 22
        #expect(
            Array(written([65, 66]).dropFirst(9)) == [0, 14] + option(11, [0, 100]) + option(15, [0, 22, 65, 66]))
        opt.keepalive = nil
        opt.cookie = CookieOption(
            client: 0x0102_0304_0506_0708, server: (0x090a_0b0c_0d0e_0f10, 0x1112_1314_1516_1718))
        let cookie = option(10, (1...24).map { UInt8($0) })
        #expect(Array(written([]).dropFirst(9)) == [0, 34] + cookie + option(15, [0, 22]))
    }
}
