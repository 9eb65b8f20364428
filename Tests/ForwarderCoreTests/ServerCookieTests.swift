// Cookies toward clients: SipHash and RFC 9018 by their own vectors, all octets that count, the ages, and the option in
// replies.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct ServerCookieTests {
    private static let secret: (UInt64, UInt64) = (0x0123_4567_89ab_cdef, 0x0011_2233_4455_6677)
    private static let client = NetworkAddress(ipv4: 0xc633_6464)
    private static let client6 = NetworkAddress(high: 0x2001_0db8_0220_0001, low: 0x59de_d0f4_8769_82b8)

    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    /// The words of a secret in hexadecimal octets, lowest octet first.
    private func secret(_ high: UInt64, _ low: UInt64) -> (UInt64, UInt64) { (high.byteSwapped, low.byteSwapped) }

    @Test func sipHashIsSipHash24() {
        // The message 00 01 02 ... under the key 00 01 ... 0f. The codes for 0, 1, ... octets are the table of the
        // algorithm's own reference; 15 octets are the example of the paper's appendix A.
        let expected: [Int: UInt64] = [
            0: 0x726f_db47_dd0e_0e31, 1: 0x74f8_39c5_93dc_67fd, 7: 0xab02_00f5_8b01_d137, 8: 0x93f5_f579_9a93_2462,
            15: 0xa129_ca61_49be_45e5, 16: 0x3f2a_cc7f_57c2_9bdb, 23: 0xa80c_038c_cd5c_cec8,
        ]
        for (length, code) in expected {
            var state = SipHash(key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908))
            for word in 0..<length / 8 { state.append(0x0706_0504_0302_0100 + UInt64(word) * 0x0808_0808_0808_0808) }
            // What lies above the last octets does not count.
            let rest = 0x0706_0504_0302_0100 + UInt64(length / 8) * 0x0808_0808_0808_0808
            let found = state.finish(rest: rest, count: length % 8)
            #expect(found == code, "\(length) octets")
        }
    }

    @Test func makesTheCookiesOfRFC9018() {
        let first = secret(0xe5e9_73e5_a6b2_a43f, 0x48e7_dc84_9e37_bfcf)
        let other = NetworkAddress(ipv4: 0xcb00_71cb)
        let rows: [(key: (UInt64, UInt64), client: UInt64, NetworkAddress, at: Int64, server: (UInt64, UInt64))] = [
            (
                first, 0x2464_c4ab_cf10_c957, ServerCookieTests.client, 1_559_731_985,
                (0x0100_0000_5cf7_9f11, 0x1f81_30c3_eee2_9480)
            ),
            (
                first, 0x2464_c4ab_cf10_c957, ServerCookieTests.client, 1_559_734_385,
                (0x0100_0000_5cf7_a871, 0xd4a5_64a1_442a_ca77)
            ),
            (first, 0xfc93_fc62_807d_db86, other, 1_559_734_700, (0x0100_0000_5cf7_a9ac, 0xf73a_7810_aca2_381e)),
            (
                secret(0x4455_36bc_d251_3298, 0x075a_5d37_9663_c962), 0x2268_1ab9_7d52_c298,
                ServerCookieTests.client6, 1_559_741_961, (0x0100_0000_5cf7_c609, 0xa6bb_79d1_6625_507a)
            ),
        ]
        for (place, row) in rows.enumerated() {
            let made = ServerCookie(secret: row.key).make(row.client, for: row.2, now: at(row.at))
            #expect(made.client == row.client && made.server == row.server, "row \(place)")
        }
        // A.3's first cookie: reserved octets are hashed, accepted, and not given again.
        let reserved = CookieOption(
            client: 0xfc93_fc62_807d_db86, server: (0x01ab_cdef_5cf7_8f71, 0xa314_227b_6679_ebf5))
        let cookies = ServerCookie(secret: first)
        #expect(cookies.isValid(reserved, from: other, now: at(1_559_727_985)))
        let read = read(cookies, reserved, from: other, now: at(1_559_727_986))
        #expect(read?.isValid == true && read?.option.server.0 == 0x0100_0000_5cf7_8f72)
    }

    /// A message whose only content is the option's value, and the parser's facts of it.
    private func read(
        _ cookies: ServerCookie, _ option: CookieOption, length: Int = 24, from client: NetworkAddress, now: Instant
    ) -> ClientCookie? {
        var octets = [UInt8](repeating: 0, count: 30)
        for word in [option.client, option.server.0, option.server.1] {
            for i in 0..<8 { octets.append(UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * i))) }
        }
        octets += [UInt8](repeating: 0x5a, count: 16)
        let message = Array(octets.prefix(30 + length))
        var query = ParsedQuery()
        query.cookieOffset = 30
        query.cookieLength = length
        return cookies.read(message.span, query, from: client, now: now)
    }

    @Test func everyBitCounts() {
        let cookies = ServerCookie(secret: ServerCookieTests.secret)
        for address in [ServerCookieTests.client, ServerCookieTests.client6] {
            let good = cookies.make(0x1122_3344_5566_7788, for: address, now: at(5_000))
            #expect(cookies.isValid(good, from: address, now: at(5_000)))
            for bit in 0..<192 {
                var bad = good
                let mask = UInt64(1) << UInt64(bit % 64)
                switch bit / 64 {
                case 0: bad.client ^= mask
                case 1: bad.server.0 ^= mask
                default: bad.server.1 ^= mask
                }
                if cookies.isValid(bad, from: address, now: at(5_000)) { Issue.record("bit \(bit)") }
            }
            var neighbour = address
            neighbour.low ^= 1
            #expect(!cookies.isValid(good, from: neighbour, now: at(5_000)))
            let another = ServerCookie(derivedFrom: ServerCookieTests.secret)
            #expect(!another.isValid(good, from: address, now: at(5_000)))
        }
        let mapped = NetworkAddress(high: 0, low: 0xffff_c633_6464)
        let good = cookies.make(1, for: mapped, now: at(9))
        #expect(cookies.isValid(good, from: ServerCookieTests.client, now: at(9)))
    }

    @Test func agesAndRenewal() {
        let cookies = ServerCookie(secret: ServerCookieTests.secret)
        // Among them the wrap of the 32-bit timestamp.
        for birth in [0, 5_000, 0xffff_ff00, 0x7fff_fff0] as [Int64] {
            let given = cookies.make(7, for: ServerCookieTests.client, now: at(birth))
            for (age, isValid, isKept) in [
                (-301, false, false), (-300, true, true), (0, true, true), (1_800, true, true), (1_801, true, false),
                (3_600, true, false), (3_601, false, false), (1 << 31, false, false),
            ] as [(Int64, Bool, Bool)] where birth + age >= 0 {
                let now = at(birth + age)
                let read = read(cookies, given, from: ServerCookieTests.client, now: now)
                guard let read else {
                    Issue.record("no cookie")
                    continue
                }
                #expect(read.isValid == isValid && read.isWrong != isValid, "age \(age)")
                let expected = isKept ? given : cookies.make(7, for: ServerCookieTests.client, now: now)
                #expect(read.option.server == expected.server && read.option.client == 7, "age \(age)")
            }
        }
    }

    @Test func otherLengthsAreNeverValid() {
        let cookies = ServerCookie(secret: ServerCookieTests.secret)
        let good = cookies.make(7, for: ServerCookieTests.client, now: at(100))
        for length in [0, 8, 16, 23, 24, 25, 40] {
            let read = read(cookies, good, length: length, from: ServerCookieTests.client, now: at(100))
            guard let read else {
                #expect(length == 0)
                continue
            }
            #expect(length >= 8 && read.isValid == (length == 24) && read.isWrong == (length > 8 && length != 24))
            #expect(read.option.server == good.server)
        }
        // Facts that the message does not bear out.
        var query = ParsedQuery()
        query.cookieLength = 24
        let octets = [UInt8](repeating: 1, count: 40)
        for offset in [0, 17, 40, Int.max] {
            query.cookieOffset = offset
            let read = cookies.read(octets.span, query, from: ServerCookieTests.client, now: at(1))
            #expect(read == nil)
        }
    }

    @Test func repliesCarryBothCookies() {
        var fixture = AnswerFixture()
        let expected = [UInt8](1...24)
        var query = AnswerFixture.client(edns: true)
        query.cookie = ClientCookie(
            option: CookieOption(
                client: 0x0102_0304_0506_0708, server: (0x090a_0b0c_0d0e_0f10, 0x1112_1314_1516_1718)),
            serverPart: .missing)
        var response = TestResponse("example.com")
        response.answers = [TestResponse.address(60, 1)]
        _ = fixture.pack(response)
        let plain = fixture.give(to: query)
        #expect(plain?.answers.count == 1 && plain?.options == [10: expected])
        let failed = fixture.give(to: query, extendedError: .cachedError)
        #expect(failed?.options[10] == expected)
        // Neither to those who sent none, nor in place of an OPT that is not owed.
        let other = fixture.give(to: AnswerFixture.client(edns: true))
        #expect(other?.options == [:])
        query.hasEDNS = false
        let old = fixture.give(to: query)
        #expect(old?.answers.count == 1 && old?.opt == nil)
        query.hasEDNS = true
        // What does not fit with the cookie is truncated, and the cookie is there.
        query.sizeLimit = plain?.size ?? 0
        let fits = fixture.give(to: query)
        #expect(fits?.isTruncated == false)
        query.sizeLimit -= 1
        let cut = fixture.give(to: query)
        #expect(cut?.isTruncated == true && cut?.options == [10: expected])
        fixture.out.removeAll()
        fixture.writer.writeError(
            .noError, nil, text: "", question: nil, name: fixture.names, nameOffset: 0, to: query, into: &fixture.out)
        let bare = fixture.lastReply()
        #expect(bare?.questions == 0 && bare?.rcode == 0 && bare?.options == [10: expected] && bare?.size == 51)
    }
}
