// What the parser reads of a client's query, and what it calls a problem: cuts, header fields, the question's name, OPT
// records and options (RFC 1035 4.1, 6891 6.1, 7873 5.2).

import Testing

@testable import DNSWire

@Suite struct QueryParserTests {
    private func ordinary(_ name: String = "wWw.Example.", type: UInt16 = 28, options: [UInt8]? = []) -> TestMessage {
        var message = TestMessage()
        message.question(name, type)
        if let options { message.opt(options) }
        return message
    }

    private func problem(_ octets: [UInt8]) -> QueryProblem? { parseQuery(octets.span).problem }

    @Test func readsAnOrdinaryQuery() {
        var message = TestMessage(id: 0xbeef, flags: 0x0130)
        message.question("wWw.Example.", 28)
        message.opt(
            size: 4096, ttl: 0x8000, option(10, [1, 2, 3, 4, 5, 6, 7, 8]) + option(11, []) + option(65_001, [0]))
        let query = parseQuery(message.octets.span)
        #expect(query.problem == nil)
        #expect(query.id == 0xbeef && query.recursionDesired && query.checkingDisabled && query.authenticData)
        #expect(query.nameLength == 13 && query.labelCount == 2 && query.questionEnd == 29)
        #expect(query.type == .aaaa && query.recordClass == 1)
        #expect(query.hasEDNS && query.udpSize == 4096 && query.dnssecOK && query.ednsVersion == 0)
        #expect(query.cookieLength == 8 && query.cookieOffset == 44 && query.hasKeepalive)
        #expect(!query.asksOnlyForCookie)
        let plain = parseQuery(ordinary(options: nil).octets.span)
        #expect(plain.problem == nil && !plain.hasEDNS && plain.udpSize == 512 && !plain.dnssecOK)
    }

    @Test func everyCutOfAQueryIsAProblem() {
        let whole = ordinary(options: option(10, [UInt8](repeating: 5, count: 8))).octets
        for length in 0..<whole.count {
            #expect(problem(Array(whole[..<length])) == (length < 12 ? .short : length < 29 ? .question : .records))
        }
        #expect(problem(whole + [1, 2, 3]) == nil)
    }

    @Test func headerProblems() {
        for opcode in 0...15 as ClosedRange<UInt16> {
            var message = TestMessage(flags: opcode << 11)
            message.question("a.", 1)
            message.opt()
            let query = parseQuery(message.octets.span)
            #expect(query.problem == (opcode == 0 ? nil : .opcode))
            #expect(query.nameLength == 3 && query.hasEDNS)
        }
        // Every flag and RCODE alone, QR aside, is no reason to refuse (RFC 5625 4.1).
        for bit in 0..<16 where bit < 11 {
            var message = TestMessage(flags: 1 << UInt16(bit))
            message.question("a.", 1)
            #expect(problem(message.octets) == nil)
        }
        var response = TestMessage(flags: 0xf800)
        response.question("a.", 1)
        #expect(problem(response.octets) == .isResponse)
        for count in [0, 2, 65_535] {
            var message = ordinary()
            message.octets[4] = UInt8(count >> 8)
            message.octets[5] = UInt8(count & 0xff)
            #expect(problem(message.octets) == .questionCount)
        }
        var bare = TestMessage(flags: 6 << 11)
        #expect(problem(bare.octets) == .opcode)
        bare.opt()
        #expect(parseQuery(bare.octets.span).hasEDNS)
        // Counts that the message does not hold.
        for section in 1...3 {
            for count in [1, 2, 65_535] {
                var message = ordinary(options: nil)
                message.octets[4 + section * 2] = UInt8(count >> 8)
                message.octets[5 + section * 2] = UInt8(count & 0xff)
                #expect(problem(message.octets) == .records)
            }
        }
    }

    @Test func questionNames() {
        func question(_ name: [UInt8]) -> ParsedQuery {
            var message = TestMessage(counts: (1, 0, 0, 0))
            message.octets += name + [0, 1, 0, 1]
            return parseQuery(message.octets.span)
        }
        #expect(question([0]).problem == nil && question([0]).nameLength == 1 && question([0]).labelCount == 0)
        let label = [63] + [UInt8](repeating: 0, count: 63)
        let longest = label + label + label + [61] + [UInt8](repeating: 0xff, count: 61) + [0]
        #expect(question(longest).problem == nil && question(longest).nameLength == 255)
        let short = [UInt8](repeating: 1, count: 254) + [0]
        #expect(question(short).labelCount == 127 && question(short).problem == nil)
        let tooLong = label + label + label + [62] + [UInt8](repeating: 0xff, count: 62) + [0]
        let bad: [[UInt8]] = [
            tooLong, label + label + label + label + [0], [0xc0, 12], [0xc0, 0], [0xc0, 14, 0], [64] + label + [0],
            [0x41, 1, 0], [0x80, 1, 0], [1, 0x61, 0xc0, 12], [0xff],
        ]
        for name in bad { #expect(question(name).problem == .question && question(name).nameLength == 0) }
        var odd = TestMessage(flags: 0x2800)
        odd.octets[5] = 1
        odd.octets += [0xc0, 12, 0, 1, 0, 1]
        #expect(problem(odd.octets) == .opcode && parseQuery(odd.octets.span).nameLength == 0)
    }

    @Test func optProblems() {
        var twice = ordinary()
        twice.opt()
        var owned = ordinary(options: nil)
        owned.opt(owner: [1, 0x61, 0])
        var pointed = ordinary(options: nil)
        pointed.opt(owner: pointer(24))
        var answered = ordinary(options: nil)
        answered.opt(section: 1)
        for message in [twice, owned, pointed, answered] {
            let query = parseQuery(message.octets.span)
            #expect(query.problem == .opt && query.hasEDNS && query.nameLength == 13)
        }
        // Options that overrun the record.
        for options in [[0], [0, 3, 0], [0, 3, 0, 1], [0, 3, 0xff, 0xff, 1]] as [[UInt8]] {
            #expect(problem(ordinary(options: options).octets) == .opt)
        }
        let empties = [UInt8](repeating: 0, count: 48_000)
        #expect(problem(ordinary(options: empties).octets) == nil)
        for version in [1, 255] as [UInt32] {
            var message = ordinary(options: nil)
            message.opt(ttl: version << 16)
            let query = parseQuery(message.octets.span)
            #expect(query.problem == .version && query.hasEDNS && query.ednsVersion == UInt8(version))
        }
        for (written, read) in [(0, 512), (10, 512), (511, 512), (512, 512), (65_535, 65_535)] as [(UInt16, UInt16)] {
            var message = ordinary(options: nil)
            message.opt(size: written)
            #expect(parseQuery(message.octets.span).udpSize == read)
        }
    }

    @Test func optionLengths() {
        for length in [0, 1, 7, 8, 9, 15, 16, 40, 41] {
            let value = [UInt8](repeating: 1, count: length)
            let isGood = length == 8 || length >= 16 && length <= 40
            let query = parseQuery(ordinary(options: option(10, value)).octets.span)
            #expect(query.problem == (isGood ? nil : .cookie))
            #expect(query.cookieLength == (isGood ? length : 0) && query.hasEDNS)
            // Others of any length, repeated, are ignored (RFC 6891 6.1.2).
            for code in [3, 8, 11, 12, 15, 65_535] as [UInt16] {
                #expect(problem(ordinary(options: option(code, value) + option(code, value)).octets) == nil)
            }
        }
        // The earlier problem wins: options that overrun, then the cookie, then the version.
        var message = ordinary(options: nil)
        message.opt(ttl: 1 << 16, option(10, [1]))
        #expect(problem(message.octets) == .cookie)
        message = ordinary(options: nil)
        message.opt(ttl: 1 << 16, option(10, [1]) + [0])
        #expect(problem(message.octets) == .opt)
    }

    @Test func theFirstOfSeveralCookiesCounts() {
        let first = option(10, [UInt8](repeating: 7, count: 24))
        for second in [8, 16, 40] {
            let octets = ordinary(options: first + option(10, [UInt8](repeating: 9, count: second))).octets
            let query = parseQuery(octets.span)
            #expect(query.cookieLength == 24 && octets[query.cookieOffset] == 7 && octets[query.cookieOffset + 23] == 7)
        }
    }

    /// RFC 7873 5.4: without a question only a query with a cookie, and nothing wrong with it, is one.
    @Test func requestsForACookie() {
        func request(_ options: [UInt8], ttl: UInt32 = 0, flags: UInt16 = 0) -> TestMessage {
            var message = TestMessage(flags: flags)
            message.opt(ttl: ttl, options)
            return message
        }
        let cookie = option(10, [UInt8](repeating: 3, count: 8))
        let good = parseQuery(request(cookie).octets.span)
        #expect(good.problem == nil && good.asksOnlyForCookie && good.cookieLength == 8 && good.cookieOffset == 27)
        for bad in [
            request([]), request(option(11, [])), request(option(10, [1])), request(cookie + [0]),
            request(cookie, ttl: 1 << 16), TestMessage(),
        ] {
            let query = parseQuery(bad.octets.span)
            #expect(query.problem == .questionCount && !query.asksOnlyForCookie)
        }
        #expect(problem(request(cookie, flags: 0x2000).octets) == .opcode)
        let whole = request(cookie).octets
        for length in 12..<whole.count { #expect(problem(Array(whole[..<length])) == .questionCount) }
    }

    @Test func otherRecordsAreWalked() {
        var message = ordinary(options: nil)
        message.record(1, wire("x."), 1, [1, 2, 3, 4])
        message.record(2, pointer(12), 6, [])
        message.opt()
        message.record(3, wire("key."), 250, recordClass: 255, [1, 2, 3])
        #expect(problem(message.octets) == nil && parseQuery(message.octets.span).hasEDNS)
        for owner in [[0x40, 1], [0x80, 0], [UInt8](repeating: 1, count: 256) + [0]] as [[UInt8]] {
            var bad = ordinary(options: nil)
            bad.record(1, owner, 1, [])
            #expect(problem(bad.octets) == .records)
        }
    }
}
