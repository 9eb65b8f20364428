// The survey of a response: what it finds, where the TTLs stand, which responses have to be rewritten, and which it
// refuses. Also the shorthands for surveying that the other tests of responses call.

import Testing

@testable import DNSWire

/// Surveys and gives the TTL offsets with it.
func survey(_ octets: [UInt8], dnssecOK: Bool = false) throws(WireError) -> (SurveyedResponse, [Int]) {
    var offsets = TTLOffsets()
    let result = try surveyResponse(octets.span, dnssecOK: dnssecOK, ttlOffsets: &offsets)
    var list: [Int] = []
    for i in 0..<offsets.count { list.append(offsets[i]) }
    return (result, list)
}

/// The error that a survey ends with, nil when it does not.
func surveyError(_ octets: [UInt8]) -> WireError? {
    do throws(WireError) {
        _ = try survey(octets)
        return nil
    } catch {
        return error
    }
}

/// RRSIG RDATA.
func rrsig(covering type: UInt16) -> [UInt8] {
    [UInt8(type >> 8), UInt8(type & 0xff)] + [UInt8](repeating: 1, count: 16) + wire("example.") + [1, 2, 3]
}

@Suite struct ResponseSurveyTests {
    private func response(_ name: String = "www.example.", _ type: UInt16 = 1, rcode: UInt16 = 0) -> TestMessage {
        var message = TestMessage(id: 7, flags: 0x8180 | rcode)
        message.question(name, type)
        return message
    }

    @Test func ordinaryAnswer() throws {
        var message = response()
        let first = message.record(1, pointer(12), 1, ttl: 300, [1, 2, 3, 4])
        message.record(1, pointer(12), 1, ttl: 200, [1, 2, 3, 5])
        let end = message.octets.count
        message.record(2, pointer(16), 2, ttl: 1, wire("ns.example."))
        message.record(3, wire("ns.example."), 1, ttl: 2, [9, 9, 9, 9])
        message.opt(option(10, Array(1...16)) + option(11, [0, 50]) + option(15, [0, 22, 72, 105]))
        let (result, ttls) = try survey(message.octets)
        #expect(result.id == 7 && result.shape == .answer && !result.needsRewrite && result.nameLength == 13)
        #expect(result.answerCount == 2 && result.authorityCount == 0 && result.keptEnd == end)
        #expect(result.minimumTTL == 200 && result.negativeTTL == nil && ttls == [first + 6, first + 22])
        #expect(result.rotation.start == first && result.rotation.recordLength == 16 && result.rotation.count == 2)
        #expect(result.hasEDNS && Array(message.octets[result.cookie]) == Array(1...16))
        #expect(result.keepalive == 50 && result.extendedError == 22)
        #expect(Array(message.octets[result.extendedText]) == [72, 105])
    }

    @Test func everyCutThrowsOrIsClean() {
        var message = response()
        message.record(1, pointer(12), 5, pointer(16))
        message.record(1, pointer(16), 1, [1, 2, 3, 4])
        message.record(2, pointer(16), 6, soa(minimum: 5))
        message.opt(option(10, Array(1...8)))
        #expect(surveyError(message.octets) == nil)
        for length in 0..<message.octets.count { #expect(surveyError(Array(message.octets[..<length])) != nil) }
        #expect(surveyError(message.octets + [1, 2]) == nil)
    }

    @Test func chainInOrderStaysVerbatim() throws {
        var message = response("a.example.")
        let start = message.record(1, pointer(12), 5, ttl: 60, [1, 98] + pointer(14))
        let second = message.record(1, pointer(start + 12), 5, ttl: 50, [1, 99] + pointer(14))
        message.record(1, pointer(second + 12), 1, ttl: 40, [1, 2, 3, 4])
        let (result, ttls) = try survey(message.octets)
        #expect(result.shape == .answer && !result.needsRewrite && result.answerCount == 3)
        #expect(result.minimumTTL == 40 && ttls.count == 3 && result.keptEnd == message.octets.count)
        #expect(result.rotation.count < 2)
    }

    @Test func whatMakesARewriteNeeded() throws {
        // Chain out of order.
        var swapped = response("a.example.")
        swapped.record(1, wire("b.example."), 1, [1, 2, 3, 4])
        swapped.record(1, pointer(12), 5, wire("b.example."))
        // A stranger before a kept record; after it, it is cut off.
        var stranger = response("a.example.")
        stranger.record(1, wire("evil.example."), 1, [6, 6, 6, 6])
        stranger.record(1, pointer(12), 1, [1, 2, 3, 4])
        var trailing = response("a.example.")
        trailing.record(1, pointer(12), 1, [1, 2, 3, 4])
        trailing.record(1, wire("evil.example."), 1, [6, 6, 6, 6])
        // The question's name with letters of its own.
        var shown = response("a.example.")
        shown.record(1, wire("A.eXample."), 1, [1, 2, 3, 4])
        // NS before the SOA of a negative answer.
        var negative = response("a.example.", rcode: 3)
        negative.record(2, pointer(14), 2, wire("ns.example."))
        negative.record(2, pointer(14), 6, soa(minimum: 9))
        for (message, needs) in [(swapped, true), (stranger, true), (trailing, false), (shown, true), (negative, true)]
        {
            let (result, _) = try survey(message.octets)
            #expect(result.needsRewrite == needs)
            let clean = try rewrite(message.octets)
            let (again, _) = try survey(clean)
            #expect(!again.needsRewrite && again.shape == result.shape && again.keptEnd == clean.count)
            #expect(again.answerCount == result.answerCount && again.authorityCount == result.authorityCount)
        }
        #expect(try survey(trailing.octets).0.keptEnd == 27 + 16)
    }

    @Test func negativeAnswers() throws {
        for rcode in [0, 3] as [UInt16] {
            var message = response(rcode: rcode)
            message.record(2, pointer(16), 6, ttl: 100, soa(minimum: 60))
            let (result, ttls) = try survey(message.octets)
            #expect(result.shape == (rcode == 0 ? .noData : .nameError))
            #expect(result.negativeTTL == 60 && result.minimumTTL == 100 && ttls.count == 1)
            #expect(result.authorityCount == 1 && result.keptEnd == message.octets.count)
            // The SOA of another zone proves nothing.
            message = response(rcode: rcode)
            message.record(2, wire("other."), 6, ttl: 100, soa(minimum: 60))
            #expect(try survey(message.octets).0.negativeTTL == nil)
            // After a CNAME the SOA belongs to the last name.
            message = response(rcode: rcode)
            message.record(1, pointer(12), 5, wire("x.other."))
            message.record(2, wire("other."), 6, ttl: 100, soa(minimum: 600))
            #expect(try survey(message.octets).0.negativeTTL == 100)
            #expect(try survey(message.octets).0.shape == (rcode == 0 ? .noData : .nameError))
        }
        var referral = response()
        referral.record(2, pointer(16), 2, wire("ns.example."))
        #expect(try survey(referral.octets).0.shape == .referral)
        #expect(try survey(response().octets).0.shape == .noData)
        for rcode in [1, 2, 4, 5, 9, 15] as [UInt16] {
            var message = response(rcode: rcode)
            message.record(1, pointer(12), 1, [1, 2, 3, 4])
            let (result, _) = try survey(message.octets)
            #expect(result.shape == .failure && result.answerCount == 0 && result.keptEnd == 29)
        }
        var extended = response()
        extended.opt(ttl: 1 << 24)
        #expect(try survey(extended.octets).0.rcode == .badVersion)
        let bare = try survey(TestMessage(flags: 0x8181).octets).0
        #expect(bare.questionCount == 0 && bare.nameLength == 0 && bare.rcode == .formatError && bare.keptEnd == 12)
    }

    @Test func dnssecRecords() throws {
        var message = response()
        message.record(1, pointer(12), 1, [1, 2, 3, 4])
        let plainEnd = message.octets.count
        message.record(1, pointer(12), 46, rrsig(covering: 1))
        message.record(2, pointer(16), 47, wire("z.example.") + [0, 1, 0x40])
        message.record(2, pointer(16), 46, rrsig(covering: 47))
        let end = message.octets.count
        message.record(2, pointer(16), 2, wire("ns.example."))
        message.record(2, pointer(16), 46, rrsig(covering: 2))
        let plain = try survey(message.octets).0
        #expect(plain.answerCount == 1 && plain.authorityCount == 0 && plain.keptEnd == plainEnd)
        #expect(!plain.needsRewrite)
        let full = try survey(message.octets, dnssecOK: true).0
        #expect(full.answerCount == 2 && full.authorityCount == 2 && full.keptEnd == end && !full.needsRewrite)
        // Asked for by type, or by ANY, they are the answer.
        for type in [46, 255] as [UInt16] {
            var asked = response("www.example.", type)
            asked.record(1, pointer(12), 46, rrsig(covering: 1))
            let result = try survey(asked.octets).0
            #expect(result.shape == .answer && result.answerCount == 1)
        }
    }

    @Test func otherQuestions() throws {
        // DNAME with its CNAME; the DNAME above the name belongs to the chain.
        var dname = response("a.old.example.")
        dname.record(1, pointer(14), 39, wire("new.example."))
        dname.record(1, pointer(12), 5, wire("a.new.example."))
        dname.record(1, wire("a.new.example."), 1, [1, 2, 3, 4])
        let result = try survey(dname.octets).0
        #expect(result.shape == .answer && result.answerCount == 3 && !result.needsRewrite)
        // CNAME asked for: not followed.
        var cname = response("a.example.", 5)
        cname.record(1, pointer(12), 5, wire("b.example."))
        let end = cname.octets.count
        cname.record(1, wire("b.example."), 1, [1, 2, 3, 4])
        #expect(try survey(cname.octets).0.keptEnd == end)
        var any = response("a.example.", 255)
        any.record(1, pointer(12), 1, [1, 2, 3, 4])
        any.record(1, pointer(12), 15, [0, 1] + wire("mx.example."))
        #expect(try survey(any.octets).0.answerCount == 2)
        // Another class is another question.
        var chaos = response()
        chaos.record(1, pointer(12), 1, recordClass: 3, [1, 2])
        #expect(try survey(chaos.octets).0.shape == .noData)
        // An unknown type is opaque, even when it looks like a pointer forward.
        var unknown = response("a.example.", 65_280)
        unknown.record(1, pointer(12), 65_280, [0xff, 0xff, 0xff])
        #expect(try survey(unknown.octets).0.shape == .answer)
    }

    @Test func ttlCorners() throws {
        for (ttl, read) in [(0, 0), (1, 1), (0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, 0), (.max, 0)]
            as [(UInt32, UInt32)]
        {
            var message = response()
            message.record(1, pointer(12), 1, ttl: ttl, [1, 2, 3, 4])
            #expect(try survey(message.octets).0.minimumTTL == read)
        }
    }

    @Test func loopsAndLongChains() throws {
        var loop = response("a.example.")
        loop.record(1, pointer(12), 5, wire("b.example."))
        loop.record(1, wire("b.example."), 5, wire("a.example."))
        #expect(try survey(loop.octets).0.shape == .noData)
        for links in [16, 17] {
            var message = response("n0.example.")
            for i in 0..<links { message.record(1, wire("n\(i).example."), 5, wire("n\(i + 1).example.")) }
            message.record(1, wire("n\(links).example."), 1, [1, 2, 3, 4])
            #expect(surveyError(message.octets) == (links == 16 ? nil : .tooManyRecords))
        }
        // Backwards, the hardest order.
        var reversed = response("n0.example.")
        for i in (0..<16).reversed() { reversed.record(1, wire("n\(i).example."), 5, wire("n\(i + 1).example.")) }
        reversed.record(1, wire("n16.example."), 1, [1, 2, 3, 4])
        let clean = try rewrite(reversed.octets)
        let result = try survey(clean).0
        #expect(result.answerCount == 17 && !result.needsRewrite && result.shape == .answer)
    }

    @Test func brokenNamesAndRecords() {
        let at = response("a.example.").octets.count
        let owners: [[UInt8]] = [
            pointer(at), pointer(at + 2), pointer(0), pointer(11), pointer(0x3fff), [0xc0], [0x40, 0], [0x80, 0],
            [1, 97] + pointer(at), [UInt8](repeating: 1, count: 254) + pointer(12),
        ]
        for owner in owners {
            var message = response("a.example.")
            message.record(1, owner, 1, [1, 2, 3, 4])
            #expect(surveyError(message.octets) == .name, "\(owner)")
        }
        let rdata: [(UInt16, [UInt8])] = [
            (1, [1, 2, 3]), (28, [1, 2, 3, 4]), (2, []), (5, [0, 0]), (5, [3, 97]), (6, [0, 0] + [1, 2, 3]),
            (15, [0]), (15, [0, 1]), (33, [0, 1, 0, 1, 0]), (35, [0, 1, 0, 1, 9]), (46, [0, 1]), (47, []),
            (12, pointer(at + 12)),
        ]
        for (type, octets) in rdata {
            var message = response("a.example.")
            message.record(3, pointer(12), type, octets)
            #expect(surveyError(message.octets) != nil, "type \(type)")
        }
        // Chains of pointers: long ones are refused, each jump leads backward.
        for (jumps, error) in [(128, nil), (129, .name)] as [(Int, WireError?)] {
            var message = response("a.example.")
            var chain = pointer(12)
            for i in 0..<jumps - 1 { chain += pointer(at + 12 + i * 2) }
            message.record(1, pointer(12), 65_280, chain)
            message.record(1, pointer(at + 12 + (jumps - 2) * 2), 1, [1, 2, 3, 4])
            #expect(surveyError(message.octets) == error)
        }
    }

    @Test func brokenOPT() {
        var twice = response()
        twice.opt()
        twice.opt()
        var owned = response()
        owned.opt(owner: pointer(12))
        var early = response()
        early.opt(section: 1)
        var overrun = response()
        overrun.opt([0, 10, 0, 9, 1])
        #expect(surveyError(twice.octets) == .duplicateOPT)
        for message in [owned, early, overrun] { #expect(surveyError(message.octets) == .option) }
        // Options of odd lengths and repeated ones are passed over; the first good one counts.
        for length in [0, 1, 3, 7, 9, 15, 41] {
            var message = response()
            let odd = [UInt8](repeating: 9, count: length)
            message.opt(option(10, odd) + option(11, odd) + option(11, [0, 5]) + option(11, [0, 6]))
            let result = try? survey(message.octets).0
            #expect(result?.cookie.isEmpty == true && result?.keepalive == 5)
        }
    }
}
