// Replies that no upstream had a part in: special names, minimal ANY, identity, and the denial of a name below one
// that does not exist.
//
// The engine calls them after intake and the table of special names, the cache calls `writeDenial`. They must never
// claim to be authentic (AD stays 0). RFC 6303 3 (the SOA of local zones), RFC 6761, RFC 8020, RFC 8482 4.2, RFC 4892.

import DNSWire

extension ReplyWriter {
    /// Seconds that local answers may be kept.
    private static let localTTL: UInt32 = 3_600
    private static let loopback4: [UInt8] = [127, 0, 0, 1]
    private static let loopback6: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    private static let localhostName: [UInt8] = [9] + Array("localhost".utf8) + [0]
    private static let minimalHINFO: [UInt8] = [7] + Array("RFC8482".utf8) + [0]
    /// RFC 6303 3: RNAME nobody.invalid., then serial, refresh, retry, expire, minimum.
    private static let localSOA: [UInt8] =
        [6] + Array("nobody".utf8) + [7] + Array("invalid".utf8) + [0]
        + [0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x04, 0xb0, 0, 0x09, 0x3a, 0x80, 0, 0, 0x2a, 0x30]

    /// Gives a local answer to a special name, with the extended error "synthesized" (RFC 8914 4.30).
    public func writeLocal(
        _ answer: LocalAnswer, question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        var rcode = ResponseCode.noError
        var data: [UInt8]?
        switch (answer, question.type) {
        case (.loopback, .a): data = ReplyWriter.loopback4
        case (.loopback, .aaaa): data = ReplyWriter.loopback6
        case (.loopbackPointer, .ptr): data = ReplyWriter.localhostName
        case (.nameError, _): rcode = .nameError
        default: break
        }
        var record = OwnRecord(type: question.type, ttl: ReplyWriter.localTTL, data: ReplyWriter.localSOA)
        if let data {
            record.data = data
        } else {
            record.type = .soa
            record.ownerOffset = zoneOffset(question, name, nameOffset)
            record.isAuthority = true
        }
        write(record, rcode, .synthesized, question, name, nameOffset, to: query, into: &out)
    }

    /// Gives the minimal answer to ANY: one HINFO "RFC8482" (RFC 8482 4.2).
    public func writeMinimalAny(
        question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        let record = OwnRecord(type: .hinfo, ttl: ReplyWriter.localTTL, data: ReplyWriter.minimalHINFO)
        write(record, .noError, nil, question, name, nameOffset, to: query, into: &out)
    }

    /// Tells one of our own workers that its probe came back to us: one HINFO with what only we can know.
    public func writeLoopProof(
        _ proof: [UInt8], question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        // Two character strings; kept by nobody on the way.
        let data = [UInt8(truncatingIfNeeded: proof.count)] + proof + [0]
        let record = OwnRecord(type: .hinfo, ttl: 0, data: data)
        write(record, .noError, nil, question, name, nameOffset, to: query, into: &out)
    }

    /// Gives the configured identity as a TXT record of class CH (RFC 4892).
    public func writeIdentity(
        question: Question, name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        let record = OwnRecord(type: .txt, ttl: 0, data: [UInt8(truncatingIfNeeded: identity.count)] + identity)
        write(record, .noError, nil, question, name, nameOffset, to: query, into: &out)
    }

    /// Where, in the message, the zone of a special name begins: its last label, under arpa the last two. The SOA of a
    /// denial belongs to a zone at or above the name (RFC 2308 3).
    private func zoneOffset(_ question: Question, _ name: borrowing ByteStore, _ nameOffset: Int) -> Int {
        // "\4arpa\0" at the end.
        let length = question.nameLength
        let isArpa =
            length >= 6 && name[nameOffset + length - 6] == 4
            && name.load32(nameOffset + length - 5) == 0x6172_7061
        var skipped = max(0, question.labelCount - (isArpa ? 2 : 1))
        var offset = 0
        while skipped > 0, offset + 1 + Int(name[nameOffset + offset]) < length {
            offset += 1 + Int(name[nameOffset + offset])
            skipped -= 1
        }
        return Header.size + offset
    }

    /// Writes a reply with one record of ours.
    private func write(
        _ record: OwnRecord, _ rcode: ResponseCode, _ extendedError: ExtendedErrorCode?, _ question: Question,
        _ name: borrowing ByteStore, _ nameOffset: Int, to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let echoed = EchoedQuestion(question, nameOffset: nameOffset)
        let code = extendedError?.rawValue
        let room = query.sizeLimit - Header.size - echoed.length - record.size
        guard let trailer = trailer(rcode, code, textLength: 0, room: room, to: query) else {
            return writeWithoutRecords(rcode, code, echoed, names: name, to: query, into: &out)
        }
        guard
            let start = open(rcode, echoed, names: name, room: record.size + trailer.size, to: query, into: &out)
        else { return }
        let message = start + query.lengthPrefix
        let end = out.bytes.count + record.size + trailer.size
        record.append(recordClass: question.recordClass, into: &out.bytes)
        out.bytes.store16(
            1, at: message + (record.isAuthority ? Header.authorityCountOffset : Header.answerCountOffset))
        name.withSpan(nameOffset, 0) { none in
            append(trailer, text: none, to: query, message: message, into: &out.bytes)
        }
        finish(from: start, expected: end, to: query, into: &out)
    }
}

/// A record that we make: its owner is a pointer into the question's name.
private struct OwnRecord {
    var type: RecordType
    var ttl: UInt32
    var data: [UInt8]
    var ownerOffset = Header.size
    /// In authority instead of answer: an SOA, whose MNAME is its owner.
    var isAuthority = false

    private var dataLength: Int { data.count + (isAuthority ? 2 : 0) }
    var size: Int { 12 + dataLength }

    func append(recordClass: UInt16, into bytes: inout ByteWriter) {
        bytes.append16(0xc000 | UInt16(truncatingIfNeeded: ownerOffset))
        bytes.append16(type.rawValue)
        bytes.append16(recordClass)
        bytes.append32(ttl)
        bytes.append16(UInt16(truncatingIfNeeded: dataLength))
        if isAuthority { bytes.append16(0xc000 | UInt16(truncatingIfNeeded: ownerOffset)) }
        for octet in data { bytes.append(octet) }
    }
}
