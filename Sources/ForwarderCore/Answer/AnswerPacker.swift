// Makes packed answers out of upstreams' responses, and out of our own failures. The engine calls it for every answer.
//
// What is packed is what may be given to anybody who asks the same question: the client's id, letter case and OPT are
// put in by ReplyWriter. It must never pack a truncated message, nor records that the question does not lead to (the
// survey saw to that). Rejected: keeping the upstream's OPT, since RFC 6891 6.2 makes it hop by hop.

import DNSWire

/// Makes packed answers out of upstreams' responses.
public struct AnswerPacker: ~Copyable {
    /// The last packed answer, from offset 0 on.
    public private(set) var scratch = ByteStore(capacity: 96 << 10)
    private var rewritten = ByteWriter(capacity: 64 << 10, limit: 64 << 10)
    private var rules: AnswerLifetime

    public init(settings: CacheSettings) { rules = AnswerLifetime(settings: settings) }

    /// Puts a packed block, as it lay in `scratch` before, there again.
    mutating func restore(_ block: [UInt8]) {
        for index in block.indices { scratch[index] = block[index] }
    }

    /// Whether the packed block of `length` octets in `scratch` has these octets anywhere.
    func holds(_ octets: [UInt8], within length: Int) -> Bool {
        guard length >= octets.count else { return false }
        for start in 0...length - octets.count {
            var i = 0
            while i < octets.count, scratch[start + i] == octets[i] { i += 1 }
            if i == octets.count { return true }
        }
        return false
    }

    /// Packs a surveyed response (already matched with its query, not truncated) into `scratch`: question folded, kept
    /// part only (rewritten where it must be), TTLs clamped, lifetime decided (RFC 2308, 9520).
    /// nil when it cannot be used as an answer.
    /// - Parameters:
    ///   - age: seconds that it was kept by an HTTP cache before (the Age header).
    ///   - freshness: seconds that its HTTP response is fresh for, a ceiling for TTLs; nil = none.
    public mutating func pack(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, ttlOffsets: inout TTLOffsets, question: Question,
        name: borrowing ByteStore, nameOffset: Int, age: UInt32 = 0, freshness: UInt32? = nil, now: Instant
    ) -> PackedAnswer? {
        rules.age = age
        rules.freshness = freshness ?? .max
        if survey.isTruncated || survey.shape == .referral { return nil }
        var head = PackedHead()
        head.rcode = survey.rcode
        head.authenticData = survey.flags & Header.authenticData != 0
        head.extendedError = survey.extendedError
        if survey.extendedError != nil { head.textLength = min(survey.extendedText.count, PackedHead.textLimit) }
        let textStart = survey.extendedText.lowerBound
        guard textStart >= 0, textStart + head.textLength <= message.count else { return nil }
        switch survey.shape {
        case .answer: head.kind = .positive
        case .noData: head.kind = .noData
        case .nameError: head.kind = .nameError
        case .failure, .referral:
            // Of a failure only its RCODE is worth keeping; some servers do not even send the question back.
            head.kind = .failure
            packQuestion(&head, question: question, name: name, nameOffset: nameOffset)
            return finish(head, text: message, from: textStart, lifetime: rules.failureTTL)
        }
        guard let lifetime = packRecords(message, survey, &ttlOffsets, &head, question, name, nameOffset) else {
            return nil
        }
        return finish(head, text: message, from: textStart, lifetime: lifetime)
    }

    /// Packs a failure of our own (no upstream answered) under `rcode`, with an extended error.
    public mutating func packFailure(
        _ rcode: ResponseCode, _ code: ExtendedErrorCode, text: String, question: Question,
        name: borrowing ByteStore, nameOffset: Int, now: Instant
    ) -> PackedAnswer {
        var head = PackedHead()
        head.rcode = rcode
        head.kind = .failure
        head.extendedError = code.rawValue
        packQuestion(&head, question: question, name: name, nameOffset: nameOffset)
        let bytes = text.utf8.span
        head.textLength = min(bytes.count, PackedHead.textLimit)
        return finish(head, text: bytes, from: 0, lifetime: rules.failureTTL)
    }

    /// The A and AAAA records of the last packed answer, whatever name of the chain they stand at.
    func addresses() -> [(address: NetworkAddress, timeToLive: UInt32)] {
        let head = PackedHead(scratch, at: 0)
        var result: [(NetworkAddress, UInt32)] = []
        guard head.kind == .positive else { return [] }
        for index in 0..<min(head.ttlCount, 64) {
            let offset = PackedHead.messageOffset + Int(scratch.load(head.ttlTableOffset + 2 * index, as: UInt16.self))
            let type = RecordType(rawValue: scratch.load16(offset - 4))
            let ttl = scratch.load32(offset)
            let length = scratch.load16(offset + 4)
            if type == .a && length == 4 {
                result.append((NetworkAddress(ipv4: scratch.load32(offset + 6)), ttl))
            } else if type == .aaaa && length == 16 {
                let high = UInt64(scratch.load32(offset + 6)) << 32 | UInt64(scratch.load32(offset + 10))
                let low = UInt64(scratch.load32(offset + 14)) << 32 | UInt64(scratch.load32(offset + 18))
                result.append((NetworkAddress(high: high, low: low), ttl))
            }
        }
        return result
    }

    /// Writes a message of a header and the question.
    private mutating func packQuestion(
        _ head: inout PackedHead, question: Question, name: borrowing ByteStore, nameOffset: Int
    ) {
        head.questionEnd = Header.size + question.nameLength + 4
        head.messageLength = head.questionEnd
        let base = PackedHead.messageOffset
        PackedRecords.writeHeader(into: &scratch, base, head, answers: 0, authorities: 0)
        scratch.copy(from: name, range: nameOffset..<nameOffset + question.nameLength, to: base + Header.size)
        scratch.store16(question.type.rawValue, at: base + head.questionEnd - 4)
        scratch.store16(question.recordClass, at: base + head.questionEnd - 2)
    }

    /// Copies the kept part, rewritten where it must be, and its TTLs. Returns the lifetime.
    private mutating func packRecords(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, _ ttlOffsets: inout TTLOffsets, _ head: inout PackedHead,
        _ question: Question, _ name: borrowing ByteStore, _ nameOffset: Int
    ) -> UInt32? {
        guard survey.needsRewrite else {
            guard PackedRecords.copy(message, survey, question, name, nameOffset, &head, into: &scratch) else {
                return nil
            }
            return PackedRecords.patchTTLs(survey, ttlOffsets, rules, &head, in: &scratch)
        }
        rewritten.removeAll(keeping: 64 << 10)
        do throws(WireError) {
            try rewriteResponse(message, survey, dnssecOK: question.dnssecOK, into: &rewritten)
            if rewritten.overflowed { return nil }
            let clean = try rewritten.withSpan(0, rewritten.count) { bytes throws(WireError) in
                try surveyResponse(bytes, dnssecOK: question.dnssecOK, ttlOffsets: &ttlOffsets)
            }
            // A message that is not clean after cleaning is not understood: better no answer than a wrong one.
            if clean.needsRewrite || clean.shape != survey.shape { return nil }
            let copied = rewritten.withSpan(0, rewritten.count) { bytes in
                PackedRecords.copy(bytes, clean, question, name, nameOffset, &head, into: &scratch)
            }
            return copied ? PackedRecords.patchTTLs(clean, ttlOffsets, rules, &head, in: &scratch) : nil
        } catch {
            return nil
        }
    }

    /// Writes the head and the extended error's text.
    private mutating func finish(
        _ head: PackedHead, text: Span<UInt8>, from textStart: Int, lifetime: UInt32
    ) -> PackedAnswer {
        head.write(into: &scratch, at: 0)
        if head.textLength > 0 {
            scratch.copy(from: text, range: textStart..<textStart + head.textLength, to: head.textOffset)
        }
        var packed = PackedAnswer()
        packed.length = head.blockLength
        packed.kind = head.kind
        packed.rcode = head.rcode
        packed.lifetime = lifetime
        packed.deniesQuestion =
            head.kind == .nameError && scratch.load16(PackedHead.messageOffset + Header.answerCountOffset) == 0
        return packed
    }
}
