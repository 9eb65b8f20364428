// The records of a packed answer: copied from a surveyed message, their TTLs clamped and made equal within an RRset.
//
// AnswerPacker calls it. Everything from the network was bounded by the survey; each offset is checked here again all
// the same, because a wrong one would otherwise be written into (RFC 9267's lesson). RFC 2181 5.2, RFC 2308 5.

import DNSWire

/// The steps of packing that touch records.
enum PackedRecords {
    /// Writes the header that all clients share; ReplyWriter puts in what is each client's own.
    static func writeHeader(
        into scratch: inout ByteStore, _ base: Int, _ head: PackedHead, answers: Int, authorities: Int
    ) {
        scratch.store16(0, at: base + Header.idOffset)
        scratch.store16(
            Header.response | Header.recursionAvailable | head.rcode.rawValue & Header.rcodeMask,
            at: base + Header.flagsOffset)
        scratch.store16(1, at: base + Header.questionCountOffset)
        scratch.store16(UInt16(truncatingIfNeeded: answers), at: base + Header.answerCountOffset)
        scratch.store16(UInt16(truncatingIfNeeded: authorities), at: base + Header.authorityCountOffset)
        scratch.store16(0, at: base + Header.additionalCountOffset)
    }

    /// Copies the kept part of `message` behind the head, its question's name folded. False when it does not fit
    /// together with the question.
    static func copy(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, _ question: Question, _ name: borrowing ByteStore,
        _ nameOffset: Int, _ head: inout PackedHead, into scratch: inout ByteStore
    ) -> Bool {
        let questionEnd = Header.size + question.nameLength + 4
        guard survey.questionCount == 1, survey.nameLength == question.nameLength, survey.keptEnd >= questionEnd,
            survey.keptEnd <= message.count, survey.keptEnd <= 65_535
        else { return false }
        head.questionEnd = questionEnd
        head.messageLength = survey.keptEnd
        let base = PackedHead.messageOffset
        scratch.copy(from: message, range: 0..<survey.keptEnd, to: base)
        writeHeader(into: &scratch, base, head, answers: survey.answerCount, authorities: survey.authorityCount)
        scratch.copy(from: name, range: nameOffset..<nameOffset + question.nameLength, to: base + Header.size)
        return true
    }

    /// Clamps the TTLs, keeps their offsets, finds the SOA and the run that may be rotated. Returns the lifetime, nil
    /// when an offset is not where a record is.
    static func patchTTLs(
        _ survey: SurveyedResponse, _ offsets: borrowing TTLOffsets, _ rules: AnswerLifetime,
        _ head: inout PackedHead, in scratch: inout ByteStore
    ) -> UInt32? {
        let base = PackedHead.messageOffset
        head.ttlCount = offsets.count
        var shortest: UInt32?
        var soaTTL: Int?
        var set = RecordSet()
        var recordStart = head.questionEnd
        for index in 0..<offsets.count {
            let offset = offsets[index]
            // Owner (at least the root), type and class stand before a TTL, RDLENGTH after it.
            guard offset >= recordStart + 5, offset + 6 <= head.messageLength else { return nil }
            let end = offset + 6 + Int(scratch.load16(base + offset + 4))
            guard end <= head.messageLength else { return nil }
            let type = RecordType(rawValue: scratch.load16(base + offset - 4))
            let value = rules.kept(scratch.load32(base + offset), of: head.kind)
            shortest = min(shortest ?? value, value)
            if type == .soa, index >= survey.answerCount, head.soaStart == 0 {
                head.soaStart = recordStart
                soaTTL = offset
            }
            scratch.store(UInt16(truncatingIfNeeded: offset), at: head.ttlTableOffset + 2 * index)
            let record = RecordSet(first: index, ownerStart: recordStart, ttlOffset: offset, type: type, ttl: value)
            if index > 0, set.isContinued(by: record, in: scratch, base) {
                set.ttl = min(set.ttl, value)
            } else {
                set.writeTTL(through: index, head, in: &scratch)
                set = record
            }
            recordStart = end
        }
        set.writeTTL(through: offsets.count, head, in: &scratch)
        let lifetime = rules.lifetime(of: head.kind, shortest: shortest, negative: survey.negativeTTL)
        if let soaTTL, head.kind != .positive {
            // What clients keep a denial for is the SOA's TTL: it must not outlive ours (RFC 2308 5).
            scratch.store32(min(scratch.load32(base + soaTTL), lifetime), at: base + soaTTL)
        }
        if canRotate(survey.rotation, head, in: scratch) { head.rotation = survey.rotation }
        return lifetime
    }

    /// Whether the run's records may change places as bytes: all within the records, all with the same owner octets.
    /// An owner that points at its neighbour's owner would point at itself after a turn.
    private static func canRotate(_ run: RecordRun, _ head: PackedHead, in scratch: borrowing ByteStore) -> Bool {
        guard run.count > 1, run.count <= head.ttlCount, run.start >= head.questionEnd, run.recordLength >= 15,
            run.start + run.count * run.recordLength <= head.messageLength
        else { return false }
        let first = PackedHead.messageOffset + run.start
        // From type to RDATA an A record has 14 octets, an AAAA 26. Taking one for the other compares too many octets,
        // never too few.
        let isA =
            scratch.load16(first + run.recordLength - 14) == RecordType.a.rawValue
            && scratch.load16(first + run.recordLength - 6) == 4
        let ownerLength = run.recordLength - (isA ? 14 : 26)
        guard ownerLength > 0 else { return false }
        for index in 1..<run.count {
            let other = first + index * run.recordLength
            // Owner, type and class.
            for octet in 0..<ownerLength + 4 where scratch[first + octet] != scratch[other + octet] { return false }
        }
        return true
    }
}

/// Neighbouring records of one RRset, while their common TTL is sought.
private struct RecordSet {
    var first = 0
    var ownerStart = 0
    var ttlOffset = 0
    var type = RecordType(rawValue: 0)
    var ttl: UInt32 = 0

    /// Whether `next` is of the same RRset: the same octets from owner to class. RRSIGs at one owner belong to
    /// different sets and are left alone.
    func isContinued(by next: RecordSet, in scratch: borrowing ByteStore, _ base: Int) -> Bool {
        let length = ttlOffset - ownerStart
        if type == .rrsig || next.ttlOffset - next.ownerStart != length { return false }
        for octet in 0..<length where scratch[base + ownerStart + octet] != scratch[base + next.ownerStart + octet] {
            return false
        }
        return true
    }

    /// Gives the set's records, up to the one before `end`, the smallest TTL of them (RFC 2181 5.2).
    func writeTTL(through end: Int, _ head: PackedHead, in scratch: inout ByteStore) {
        for index in first..<end {
            let offset = Int(scratch.load(head.ttlTableOffset + 2 * index, as: UInt16.self))
            scratch.store32(ttl, at: PackedHead.messageOffset + offset)
        }
    }
}
