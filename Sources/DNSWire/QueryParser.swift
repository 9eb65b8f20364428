// Reads a client's message in one pass: header, question, and whatever OPT record follows.
//
// The engine calls it for every datagram and every frame of a client. It must never trap, allocate, follow a
// compression pointer or decide anything: intake does that from the facts. RFC 1035 4.1, 6891 6.1, 7873 5.2, 9267,
// 9619.

/// Codes of EDNS options (IANA) that are looked at.
enum OptionCode {
    static let clientSubnet: UInt16 = 8
    static let cookie: UInt16 = 10
    static let keepalive: UInt16 = 11
    static let padding: UInt16 = 12
    static let extendedError: UInt16 = 15

    /// RFC 7873 4: a client cookie of 8 octets, with or without a server cookie of 8 to 32.
    @inline(__always)
    static func isCookieLength(_ length: Int) -> Bool { length == 8 || length >= 16 && length <= 40 }
}

/// Reads a client's message as far as it can be read; `problem` says why no further.
public func parseQuery(_ message: Span<UInt8>) -> ParsedQuery {
    var query = ParsedQuery()
    guard message.count >= Header.size else {
        query.problem = .short
        return query
    }
    query.id = message.load16(Header.idOffset)
    query.flags = message.load16(Header.flagsOffset)
    if query.flags & Header.response != 0 {
        query.problem = .isResponse
        return query
    }
    // What follows is noted as found; the first in the documented order wins at each `note`.
    if query.opcode != 0 { note(.opcode, &query) }
    let questionCount = message.load16(Header.questionCountOffset)
    guard questionCount <= 1 else {
        note(.questionCount, &query)
        return query
    }
    if questionCount == 1, !readQuestion(message, &query) {
        note(.question, &query)
        return query
    }
    let answers = Int(message.load16(Header.answerCountOffset)) + Int(message.load16(Header.authorityCountOffset))
    let additional = Int(message.load16(Header.additionalCountOffset))
    if answers + additional > 0 {
        let start = questionCount == 1 ? query.questionEnd : Header.size
        readRecords(message, from: start, before: answers, additional: additional, &query)
    }
    // RFC 7873 5.4: without a question only to ask for a cookie.
    if questionCount == 0, query.problem != nil || query.cookieLength == 0 { note(.questionCount, &query) }
    return query
}

/// Keeps the earlier of two problems, by the order that `QueryProblem` documents.
@inline(__always)
private func note(_ problem: QueryProblem, _ query: inout ParsedQuery) {
    if let known = query.problem, known.rawValue <= problem.rawValue { return }
    query.problem = problem
}

/// Reads the one question at offset 12. Nothing stands before it, so that a pointer in it is always wrong.
@inline(__always)
private func readQuestion(_ message: Span<UInt8>, _ query: inout ParsedQuery) -> Bool {
    var position = Header.size
    var labels = 0
    // The root label may stand at octet 254 of the name at most.
    let last = min(message.count - 5, Header.size + 254)
    while position <= last {
        let length = Int(message[position])
        if length == 0 {
            query.nameLength = position + 1 - Header.size
            query.labelCount = labels
            query.type = RecordType(rawValue: message.load16(position + 1))
            query.recordClass = message.load16(position + 3)
            return true
        }
        guard length <= 63 else { return false }
        position += length + 1
        labels += 1
    }
    return false
}

/// Walks the records after the question; each takes eleven octets at least, so the message's length bounds the loop.
private func readRecords(
    _ message: Span<UInt8>, from start: Int, before: Int, additional: Int, _ query: inout ParsedQuery
) {
    var position = start
    for index in 0..<before + additional {
        let owner = position
        guard let ownerEnd = endOfName(message, at: position), ownerEnd + 10 <= message.count else {
            return note(.records, &query)
        }
        let type = message.load16(ownerEnd)
        let length = Int(message.load16(ownerEnd + 8))
        position = ownerEnd + 10 + length
        guard position <= message.count else { return note(.records, &query) }
        guard type == RecordType.opt.rawValue else { continue }
        // RFC 6891 6.1.1: in the additional section, once, with the root as its owner.
        if index < before || query.hasEDNS || message[owner] != 0 { note(.opt, &query) }
        if !query.hasEDNS { readOPT(message, fixed: ownerEnd, end: position, &query) }
    }
}

/// Reads the OPT record whose fixed part starts at `fixed` and whose options end at `end`.
private func readOPT(_ message: Span<UInt8>, fixed: Int, end: Int, _ query: inout ParsedQuery) {
    query.hasEDNS = true
    query.udpSize = max(512, message.load16(fixed + 2))
    query.ednsVersion = message[fixed + 5]
    query.dnssecOK = message[fixed + 6] & 0x80 != 0
    if query.ednsVersion != 0 { note(.version, &query) }
    var position = fixed + 10
    while position < end {
        guard position + 4 <= end else { return note(.opt, &query) }
        let code = message.load16(position)
        let length = Int(message.load16(position + 2))
        position += 4 + length
        guard position <= end else { return note(.opt, &query) }
        if code == OptionCode.cookie {
            guard OptionCode.isCookieLength(length) else {
                note(.cookie, &query)
                continue
            }
            // The first, and only the first, of several is looked at (RFC 7873 5.2).
            guard query.cookieLength == 0 else { continue }
            query.cookieLength = length
            query.cookieOffset = position - length
        } else if code == OptionCode.keepalive {
            query.hasKeepalive = true
        }
    }
}

/// The offset after the name at `offset`; pointers end it and are not followed. nil when it is cut short or unknown.
@inline(__always)
private func endOfName(_ message: Span<UInt8>, at offset: Int) -> Int? {
    var position = offset
    // The root label may stand at octet 254 of a name at most.
    while position < message.count, position - offset <= 254 {
        let length = Int(message[position])
        if length == 0 { return position + 1 }
        if length >= 0xc0 { return position + 2 <= message.count ? position + 2 : nil }
        guard length <= 63 else { return nil }
        position += length + 1
    }
    return nil
}
