// One walk over an upstream's response: is it well formed, what does it say, what of it may be kept.
//
// The engine calls it for every response that matched a query. It must never trap, allocate or follow a pointer
// forward, whatever the octets are (RFC 9267). A whole message is checked even where only its start is kept.

/// Walks the whole message, whatever its RCODE; `ttlOffsets` is filled with the kept part's TTLs.
///
/// Without a question nothing is kept and the shape is `.failure`. Where `needsRewrite`, counts and TTLs tell what will
/// be kept, but `keptEnd`, `rotation` and `ttlOffsets` mean nothing: survey the rewritten message.
/// - Parameter dnssecOK: whether DNSSEC records are kept (else they are dropped unless asked for by type).
public func surveyResponse(
    _ message: Span<UInt8>, dnssecOK: Bool, ttlOffsets: inout TTLOffsets
) throws(WireError) -> SurveyedResponse {
    ttlOffsets.removeAll()
    guard message.count >= Header.size, message.count <= 65_535 else { throw .short }
    var survey = SurveyedResponse()
    survey.id = message.load16(Header.idOffset)
    survey.flags = message.load16(Header.flagsOffset)
    survey.rcode = ResponseCode(rawValue: survey.flags & Header.rcodeMask)
    let sections = try SectionWalk(message, &survey)
    survey.keptEnd = sections.answerStart
    guard survey.questionCount == 1, survey.rcode == .noError || survey.rcode == .nameError else { return survey }

    let chain = try AnswerChain(
        message, qtype: RecordType(rawValue: message.load16(sections.answerStart - 4)),
        qclass: message.load16(sections.answerStart - 2), dnssecOK: dnssecOK, wantsFinal: survey.rcode == .noError,
        start: sections.answerStart, records: sections.answers, hasCNAME: sections.hasCNAME)
    var hasGap = false
    let finals = try keepAnswers(message, sections, chain, &survey, &ttlOffsets, &hasGap)
    if survey.rcode == .nameError {
        survey.shape = .nameError
    } else if finals > 0 {
        survey.shape = .answer
    } else {
        let isReferral = survey.answerCount == 0 && sections.hasDelegation && !sections.hasSOA
        survey.shape = isReferral ? .referral : .noData
    }
    // Most answers carry nothing here that is kept: no second look at the section then.
    if survey.shape != .referral, sections.authorities > 0, survey.shape != .answer || dnssecOK {
        try keepAuthority(message, sections, chain, &survey, &ttlOffsets, &hasGap)
    }
    return survey
}

/// Where the sections stand, after every record in them was checked.
private struct SectionWalk {
    let answerStart: Int
    let answers: Int
    private(set) var authorityStart = 0
    let authorities: Int
    private(set) var hasCNAME = false
    /// In authority.
    private(set) var hasSOA = false
    private(set) var hasDelegation = false

    init(_ message: Span<UInt8>, _ survey: inout SurveyedResponse) throws(WireError) {
        survey.questionCount = Int(message.load16(Header.questionCountOffset))
        answers = Int(message.load16(Header.answerCountOffset))
        authorities = Int(message.load16(Header.authorityCountOffset))
        let additional = Int(message.load16(Header.additionalCountOffset))
        guard survey.questionCount <= 1 else { throw .record }
        var position = Header.size
        if survey.questionCount == 1 {
            position = try NameWalk.end(message, position)
            survey.nameLength = position - Header.size
            position += 4
            guard position <= message.count else { throw .record }
        }
        answerStart = position
        var dnames = 0
        for index in 0..<answers + authorities + additional {
            if index == answers { authorityStart = position }
            let record = try RecordReader.checked(message, at: position)
            position = record.end
            if index < answers {
                if record.type == .cname { hasCNAME = true }
                if (record.covered(message) ?? record.type) == .dname {
                    dnames += 1
                    guard dnames <= AnswerChain.dnameLimit else { throw .tooManyRecords }
                }
            } else if index < answers + authorities {
                if record.type == .soa { hasSOA = true }
                if record.type == .ns { hasDelegation = true }
            }
            if record.type == .opt {
                guard index >= answers + authorities else { throw .option }
                try readOPT(message, record, &survey)
            }
        }
    }
}

/// Reads the OPT record: the first of each option counts, one of a wrong length is as if it were not there.
private func readOPT(
    _ message: Span<UInt8>, _ record: RecordReader, _ survey: inout SurveyedResponse
) throws(WireError) {
    guard !survey.hasEDNS else { throw .duplicateOPT }
    guard message[record.owner] == 0 else { throw .option }
    survey.hasEDNS = true
    survey.rcode.rawValue |= UInt16(message[record.ttlOffset]) << 4
    var position = record.rdata
    while position < record.end {
        guard position + 4 <= record.end else { throw .option }
        let code = message.load16(position)
        let value = position + 4
        let length = Int(message.load16(position + 2))
        position = value + length
        guard position <= record.end else { throw .option }
        switch code {
        case OptionCode.cookie where survey.cookie.isEmpty && OptionCode.isCookieLength(length):
            survey.cookie = value..<position
        case OptionCode.keepalive where survey.keepalive == nil && length == 2:
            survey.keepalive = message.load16(value)
        case OptionCode.extendedError where survey.extendedError == nil && length >= 2:
            survey.extendedError = message.load16(value)
            survey.extendedText = value + 2..<position
        default: break
        }
    }
}

/// Keeps the records of the chain. Returns how many of them were asked for.
private func keepAnswers(
    _ message: Span<UInt8>, _ sections: SectionWalk, _ chain: AnswerChain,
    _ survey: inout SurveyedResponse, _ ttlOffsets: inout TTLOffsets, _ hasGap: inout Bool
) throws(WireError) -> Int {
    var position = sections.answerStart
    var finals = 0
    var rank = 0
    var run = RecordRun()
    for _ in 0..<sections.answers {
        let record = try RecordReader.known(message, at: position)
        position = record.end
        guard let place = chain.place(record, message) else {
            hasGap = true
            continue
        }
        if hasGap || place.rank < rank || chain.showsQuestion(record, message) { survey.needsRewrite = true }
        rank = place.rank
        survey.answerCount += 1
        try keep(record, message, &survey, &ttlOffsets)
        guard place.isFinal else { continue }
        finals += 1
        extend(&run, with: record, message)
        if run.count > 1 { survey.rotation = run }
    }
    return finals
}

/// Keeps the SOA of a negative answer, and the proofs that a DNSSEC client wants.
private func keepAuthority(
    _ message: Span<UInt8>, _ sections: SectionWalk, _ chain: AnswerChain,
    _ survey: inout SurveyedResponse, _ ttlOffsets: inout TTLOffsets, _ hasGap: inout Bool
) throws(WireError) {
    var position = sections.authorityStart
    for _ in 0..<sections.authorities {
        let record = try RecordReader.known(message, at: position)
        position = record.end
        let hasSOA = survey.negativeTTL != nil
        guard chain.keepsAuthority(record, message, shape: survey.shape, hasSOA: hasSOA) else {
            hasGap = true
            continue
        }
        if hasGap { survey.needsRewrite = true }
        if record.type == .soa {
            // RFC 2308 5: MINIMUM is the last field.
            survey.negativeTTL = min(record.ttl(message), message.load32(record.end - 4))
        }
        survey.authorityCount += 1
        try keep(record, message, &survey, &ttlOffsets)
    }
}

private func keep(
    _ record: RecordReader, _ message: Span<UInt8>, _ survey: inout SurveyedResponse, _ ttlOffsets: inout TTLOffsets
) throws(WireError) {
    guard ttlOffsets.append(record.ttlOffset) else { throw .tooManyRecords }
    survey.minimumTTL = min(survey.minimumTTL, record.ttl(message))
    survey.keptEnd = record.end
}

/// Adds a record to the run of addresses that it continues, or begins a new one.
private func extend(_ run: inout RecordRun, with record: RecordReader, _ message: Span<UInt8>) {
    let length = record.end - record.owner
    guard record.type == .a || record.type == .aaaa, record.rdata - record.owner == 12 else {
        run = RecordRun()
        return
    }
    let next = run.start + run.count * run.recordLength
    if run.count > 0, length == run.recordLength, record.owner == next,
        message.load16(record.owner) == message.load16(run.start),
        message.load16(record.owner + 2) == message.load16(run.start + 2)
    {
        run.count += 1
    } else {
        run.start = record.owner
        run.recordLength = length
        run.count = 1
    }
}
