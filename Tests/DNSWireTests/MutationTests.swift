// Mutated queries and responses, from a seeded generator: parser, survey and rewriter must neither trap nor keep what
// is not clean. The same seed gives the same messages, so that a failure can be repeated.

import Testing

@testable import DNSWire

/// Seeded mutations of good messages. Whatever comes out, nothing may trap, and what is kept must be clean.
@Suite struct MutationTests {
    /// Octets that mean something somewhere: lengths, pointers, types, option codes.
    private static let spices: [UInt8] = [0, 1, 5, 6, 8, 10, 12, 16, 33, 39, 40, 41, 46, 63, 64, 128, 192, 255]

    private func mutate(_ octets: inout [UInt8], _ random: inout SeededNumbers) {
        for _ in 0...random.below(3) {
            guard !octets.isEmpty else { return }
            let at = random.below(octets.count)
            switch random.below(8) {
            case 0: octets[at] ^= 1 << UInt8(random.below(8))
            case 1: octets[at] = UInt8(random.below(256))
            case 2, 3: octets[at] = MutationTests.spices[random.below(MutationTests.spices.count)]
            case 4: octets.removeSubrange(at..<min(octets.count, at + 1 + random.below(4)))
            case 5: octets.insert(UInt8(random.below(256)), at: at)
            case 6:
                octets[at] = 0xc0
                if at + 1 < octets.count { octets[at + 1] = UInt8(random.below(octets.count) & 0xff) }
            default: octets.removeLast(random.below(octets.count) / 4)
            }
        }
    }

    private var queries: [[UInt8]] {
        var plain = TestMessage()
        plain.question("www.example.com.", 1)
        var full = TestMessage(flags: 0x0130)
        full.question("wWw.example.com.", 65)
        full.opt(ttl: 0x8000, option(10, Array(1...24)) + option(11, []) + option(8, [0, 1, 24, 0, 1, 2, 3]))
        var odd = TestMessage(flags: 0x2800)
        odd.question("example.com.", 6)
        odd.record(1, pointer(12), 1, [1, 2, 3, 4])
        odd.record(2, wire("x.example.com."), 5, pointer(12))
        odd.opt()
        return [plain.octets, full.octets, odd.octets]
    }

    private var responses: [[UInt8]] {
        var chain = TestMessage(flags: 0x8180)
        chain.question("a.example.", 1)
        let first = chain.record(1, pointer(12), 5, [1, 98] + pointer(14))
        chain.record(1, pointer(12), 46, rrsig(covering: 5))
        chain.record(1, pointer(first + 12), 1, [1, 2, 3, 4])
        chain.record(1, pointer(first + 12), 1, [1, 2, 3, 5])
        chain.record(1, pointer(first + 12), 46, rrsig(covering: 1))
        chain.record(2, pointer(14), 47, wire("z.example.") + [0, 1, 0x40])
        chain.opt(option(10, Array(1...16)) + option(15, [0, 22, 72]))
        var muddle = TestMessage(flags: 0x8180)
        muddle.question("a.old.example.", 33)
        muddle.record(1, wire("c.new.example."), 33, [0, 1, 0, 2, 0, 3] + pointer(14))
        muddle.record(1, wire("evil."), 1, [6, 6, 6, 6])
        muddle.record(1, wire("b.new.example."), 5, wire("c.new.example."))
        muddle.record(1, pointer(14), 39, wire("new.example."))
        muddle.record(1, wire("A.old.example."), 5, wire("b.new.example."))
        muddle.record(2, wire("example."), 2, wire("ns.example."))
        var negative = TestMessage(flags: 0x8183)
        negative.question("a.example.", 28)
        negative.record(2, pointer(14), 2, wire("ns.example."))
        negative.record(2, pointer(14), 6, soa(minimum: 60))
        negative.record(2, pointer(14), 46, rrsig(covering: 6))
        negative.record(3, wire("ns.example."), 1, [1, 2, 3, 4])
        negative.opt()
        var mixed = TestMessage(flags: 0x8180)
        mixed.question("a.example.", 255)
        mixed.record(1, pointer(12), 15, [0, 1] + pointer(14))
        mixed.record(1, wire("a.example."), 35, [0, 1, 0, 2, 1, 85, 0, 2, 33, 33] + pointer(14))
        mixed.record(1, pointer(12), 17, pointer(12) + pointer(14))
        mixed.record(1, pointer(12), 65, [0, 1, 0])
        return [chain.octets, muddle.octets, negative.octets, mixed.octets]
    }

    @Test func mutatedQueriesNeverTrap() {
        var random = SeededNumbers(state: 1)
        let seeds = queries
        var folded = ByteStore(capacity: 256)
        var good = 0
        for round in 0..<100_000 {
            var octets = seeds[round % seeds.count]
            mutate(&octets, &random)
            let query = parseQuery(octets.span)
            if query.problem == nil { good += 1 }
            guard query.nameLength > 0 else { continue }
            guard query.nameLength <= 255, query.questionEnd <= octets.count, octets[11 + query.nameLength] == 0 else {
                Issue.record("round \(round): name of \(query.nameLength) octets")
                return
            }
            _ = foldName(octets.span, start: 12, length: query.nameLength, into: &folded, at: 0)
            let match = compareQuestion(
                octets.span, name: folded, nameOffset: 0, nameLength: query.nameLength, type: query.type,
                recordClass: query.recordClass, caseBits: 0)
            if match == .differs, query.problem == nil { Issue.record("round \(round): differs from itself") }
        }
        // Neither all refused nor all taken: the mutations do reach both sides.
        #expect(good > 10_000 && good < 90_000)
    }

    @Test func mutatedResponsesNeverTrapAndSurveyClean() {
        var random = SeededNumbers(state: 2)
        let seeds = responses
        var offsets = TTLOffsets()
        var writer = ByteWriter(capacity: 4096, limit: 1 << 17)
        var rewritten = 0
        var kept = 0
        for round in 0..<100_000 {
            var octets = seeds[round % seeds.count]
            mutate(&octets, &random)
            let dnssecOK = round & 8 != 0
            guard let first = try? surveyResponse(octets.span, dnssecOK: dnssecOK, ttlOffsets: &offsets) else {
                continue
            }
            kept += 1
            guard first.keptEnd <= octets.count, offsets.count == first.answerCount + first.authorityCount else {
                Issue.record("round \(round): kept part out of bounds")
                return
            }
            // Nothing is kept of a referral or a failure.
            guard first.questionCount == 1, first.shape != .failure, first.shape != .referral else { continue }
            // Whatever surveys can be rewritten, and comes out clean, with as many records, and stays as it is.
            writer.truncate(to: 0)
            guard (try? rewriteResponse(octets.span, first, dnssecOK: dnssecOK, into: &writer)) != nil else {
                Issue.record("round \(round): not rewritten: \(octets)")
                return
            }
            rewritten += 1
            let clean = writer.withSpan(0, writer.count) { span in (0..<span.count).map { span[$0] } }
            guard let second = try? surveyResponse(clean.span, dnssecOK: dnssecOK, ttlOffsets: &offsets),
                !second.needsRewrite, second.answerCount == first.answerCount, second.shape == first.shape,
                second.authorityCount == first.authorityCount, second.keptEnd == clean.count,
                second.minimumTTL == first.minimumTTL, second.negativeTTL == first.negativeTTL
            else {
                Issue.record("round \(round): not clean: \(octets) -> \(clean)")
                return
            }
            writer.truncate(to: 0)
            try? rewriteResponse(clean.span, second, dnssecOK: dnssecOK, into: &writer)
            let again = writer.withSpan(0, writer.count) { span in (0..<span.count).map { span[$0] } }
            if again != clean {
                Issue.record("round \(round): not idempotent: \(octets) -> \(clean) -> \(again)")
                return
            }
        }
        #expect(rewritten > 10_000 && kept < 90_000)
    }
}
