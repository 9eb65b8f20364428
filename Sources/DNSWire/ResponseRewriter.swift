// Makes a clean message of a response that could not be kept as it stood: rare, so clear before fast.
//
// The packing of answers calls it when the survey says so. Its output must survey clean, whatever the input was. Names
// are compressed in owners and in RDATA of RFC 1035's types only (RFC 3597 4); unknown types are copied untouched.

/// Writes a clean form of a surveyed message that `needsRewrite`: only what is reachable from the question by its CNAME
/// (and DNAME) chain, in chain order, with the SOA and the DNSSEC proofs of authority, names compressed anew, no OPT.
/// The result surveys clean. Throws when the message cannot be made clean; nothing is appended then.
/// - Parameter survey: what `surveyResponse` returned for the same octets and the same `dnssecOK`.
public func rewriteResponse(
    _ message: Span<UInt8>, _ survey: SurveyedResponse, dnssecOK: Bool, into writer: inout ByteWriter
) throws(WireError) {
    let base = writer.count
    guard message.count >= Header.size else { throw .short }
    do throws(WireError) {
        var places = ByteStore(capacity: Int(message.load16(Header.answerCountOffset)) * 3)
        var rewriter = try ResponseRewriter(message, survey, dnssecOK: dnssecOK, base: base, places: &places)
        try rewriter.write(message, survey, places, into: &writer)
    } catch {
        writer.truncate(to: base)
        throw error
    }
}

/// One rewriting.
private struct ResponseRewriter {
    private let base: Int
    private let questionEnd: Int
    private let answers: Int
    private let authorities: Int
    private let chain: AnswerChain
    private var authorityStart = 0
    private var names: NameCompressor

    /// Order of writing within a rank: DNAME, its signatures, then the CNAME or the answer, then their signatures.
    private static let stepsPerRank = 4
    private static let dropped: UInt8 = 255

    /// Finds each answer record's place: three octets in `places`, the turn in the order of writing and the offset.
    init(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, dnssecOK: Bool, base: Int, places: inout ByteStore
    ) throws(WireError) {
        self.base = base
        questionEnd = Header.size + survey.nameLength + 4
        guard survey.questionCount == 1, questionEnd <= message.count else { throw .record }
        answers = Int(message.load16(Header.answerCountOffset))
        authorities = Int(message.load16(Header.authorityCountOffset))
        chain = try AnswerChain(
            message, qtype: RecordType(rawValue: message.load16(questionEnd - 4)),
            qclass: message.load16(questionEnd - 2), dnssecOK: dnssecOK, wantsFinal: survey.rcode == .noError,
            start: questionEnd, records: answers, hasCNAME: true)
        names = NameCompressor(base: base)
        var position = questionEnd
        for index in 0..<answers {
            let record = try RecordReader.known(message, at: position)
            var code = ResponseRewriter.dropped
            if let place = chain.place(record, message) {
                let covered = record.covered(message)
                let isDNAME = (covered ?? record.type) == .dname && !place.isFinal
                let step = (isDNAME ? 0 : 2) + (covered != nil && !place.isFinal ? 1 : 0)
                code = UInt8(place.rank * ResponseRewriter.stepsPerRank + step)
            }
            places[index * 3] = code
            places.store16(UInt16(truncatingIfNeeded: position), at: index * 3 + 1)
            position = record.end
        }
        authorityStart = position
    }

    mutating func write(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, _ places: borrowing ByteStore,
        into writer: inout ByteWriter
    ) throws(WireError) {
        writer.append(message, 0..<questionEnd)
        guard !writer.overflowed else { throw .tooManyRecords }
        names.learnQuestion(message)
        var kept = 0
        for code in 0..<chain.count * ResponseRewriter.stepsPerRank {
            for index in 0..<answers {
                guard Int(places[index * 3]) == code else { continue }
                try write(message, Int(places.load16(index * 3 + 1)), into: &writer)
                kept += 1
            }
        }
        let authority = try writeAuthority(message, survey, into: &writer)
        writer.store16(UInt16(truncatingIfNeeded: kept), at: base + Header.answerCountOffset)
        writer.store16(UInt16(truncatingIfNeeded: authority), at: base + Header.authorityCountOffset)
        writer.store16(0, at: base + Header.additionalCountOffset)
    }

    /// The authority section keeps its order. Returns the records written.
    private mutating func writeAuthority(
        _ message: Span<UInt8>, _ survey: SurveyedResponse, into writer: inout ByteWriter
    ) throws(WireError) -> Int {
        var position = authorityStart
        var kept = 0
        var hasSOA = false
        for _ in 0..<authorities {
            let record = try RecordReader.known(message, at: position)
            position = record.end
            guard chain.keepsAuthority(record, message, shape: survey.shape, hasSOA: hasSOA) else { continue }
            if record.type == .soa { hasSOA = true }
            try write(message, record.owner, into: &writer)
            kept += 1
        }
        return kept
    }

    /// Appends one record, its names written anew.
    private mutating func write(
        _ message: Span<UInt8>, _ offset: Int, into writer: inout ByteWriter
    ) throws(WireError) {
        let record = try RecordReader.known(message, at: offset)
        names.write(message, record.owner, compress: true, into: &writer)
        writer.append(message, record.rdata - 10..<record.rdata)
        let start = writer.count
        if let layout = RDATALayout(record.type, record.recordClass), layout.names > 0 {
            var position = record.rdata + layout.before
            if layout.strings > 0 { position = try record.skipStrings(message, position, layout.strings) }
            guard position <= record.end else { throw .record }
            writer.append(message, record.rdata..<position)
            for _ in 0..<layout.names {
                names.write(message, position, compress: layout.isCompressed, into: &writer)
                position = try NameWalk.skip(message, position)
            }
            guard position <= record.end else { throw .record }
            writer.append(message, position..<record.end)
        } else {
            writer.append(message, record.rdata..<record.end)
        }
        guard !writer.overflowed, writer.count - base <= 65_535 else { throw .tooManyRecords }
        writer.store16(UInt16(truncatingIfNeeded: writer.count - start), at: start - 2)
    }
}
