// The parts that every reply has whatever is in it: header, question, OPT, a stream's length, the entry in `replies`.
//
// ReplyWriter's three files use it. It must never leave a part of a reply in the buffer: `finish` takes back what did
// not become whole. RFC 1035 4.2.2 (length octets), RFC 6840 5.7 and 5.8 (AD, CD), RFC 7828 (keepalive).

import DNSWire

/// The question as it is echoed, its folded name in some store.
struct EchoedQuestion {
    var nameOffset: Int
    var nameLength: Int
    var type: RecordType
    var recordClass: UInt16

    /// Octets in the message.
    var length: Int { nameLength + 4 }
}

extension EchoedQuestion {
    init(_ question: Question, nameOffset: Int) {
        self.init(
            nameOffset: nameOffset, nameLength: question.nameLength, type: question.type,
            recordClass: question.recordClass)
    }
}

/// What follows the records: the OPT that is owed, as much of the extended error as there is room for.
struct ReplyTrailer {
    var opt: ResponseOPT?
    var textLength = 0
    /// Octets of it all.
    var size = 0
}

extension ClientQuery {
    /// Octets before the message: a stream's length field.
    var lengthPrefix: Int { client.isStream ? 2 : 0 }

    /// The header's second word. AA is never ours. AD only for those who show that they know it (RFC 6840 5.8); opcode,
    /// CD and RD are the client's own. An RCODE above 15 cannot be said without EDNS: SERVFAIL instead of its low bits.
    func responseFlags(_ rcode: ResponseCode, authenticData packed: Bool) -> UInt16 {
        var flags = Header.response | Header.recursionAvailable
        let plain = hasEDNS || rcode.rawValue <= 15 ? rcode.rawValue : ResponseCode.serverFailure.rawValue
        flags |= plain & Header.rcodeMask
        flags |= opcode << 11 & Header.opcodeMask
        if recursionDesired { flags |= Header.recursionDesired }
        if checkingDisabled { flags |= Header.checkingDisabled }
        if packed && (authenticData || dnssecOK) { flags |= Header.authenticData }
        return flags
    }
}

extension ReplyWriter {
    /// The OPT for `query` in at most `room` octets: first the text goes, then the extended error. nil = no room.
    func trailer(
        _ rcode: ResponseCode, _ code: UInt16?, textLength: Int, room: Int, to query: ClientQuery
    ) -> ReplyTrailer? {
        guard query.hasEDNS else { return room >= 0 ? ReplyTrailer() : nil }
        var opt = ResponseOPT(udpSize: udpPayload, rcode: rcode, dnssecOK: query.dnssecOK)
        if query.wantsKeepalive { opt.keepalive = keepalive }
        if let cookie = query.cookie { opt.cookie = cookie.option }
        if extendedErrors, let code {
            opt.extendedError = code
            let whole = sizeOfOPT(opt, textLength: textLength)
            if whole <= room { return ReplyTrailer(opt: opt, textLength: textLength, size: whole) }
            let bare = sizeOfOPT(opt, textLength: 0)
            if bare <= room { return ReplyTrailer(opt: opt, textLength: 0, size: bare) }
            opt.extendedError = nil
        }
        let size = sizeOfOPT(opt, textLength: 0)
        return size <= room ? ReplyTrailer(opt: opt, textLength: 0, size: size) : nil
    }

    /// Appends the OPT and counts it in the header.
    func append(
        _ trailer: ReplyTrailer, text: Span<UInt8>, to query: ClientQuery, message: Int, into bytes: inout ByteWriter
    ) {
        guard let opt = trailer.opt else { return }
        if trailer.textLength == text.count {
            writeOPT(opt, text: text, into: &bytes)
        } else {
            writeOPT(opt, text: text.extracting(0..<trailer.textLength), into: &bytes)
        }
        bytes.store16(1, at: message + Header.additionalCountOffset)
    }

    /// Begins a reply without a packed answer: length octets, header, question. Makes sure that `room` octets more fit.
    /// Returns where the reply begins; nil when the buffer is full.
    func open(
        _ rcode: ResponseCode, _ question: EchoedQuestion?, names: borrowing ByteStore, room: Int,
        truncated: Bool = false, to query: ClientQuery, into out: inout ActionBuffer
    ) -> Int? {
        let start = out.bytes.count
        let message = start + query.lengthPrefix
        let length = query.lengthPrefix + Header.size + (question?.length ?? 0) + room
        guard out.bytes.reserve(length) else { return nil }
        out.bytes.appendZeros(query.lengthPrefix + Header.size)
        out.bytes.store16(query.id, at: message)
        let flags = query.responseFlags(rcode, authenticData: false) | (truncated ? Header.truncated : 0)
        out.bytes.store16(flags, at: message + Header.flagsOffset)
        if let question {
            out.bytes.store16(1, at: message + Header.questionCountOffset)
            out.bytes.append(names, question.nameOffset..<question.nameOffset + question.nameLength)
            restoreCase(query.caseMask, nameAt: message + Header.size, length: question.nameLength, in: &out.bytes)
            out.bytes.append16(question.type.rawValue)
            out.bytes.append16(question.recordClass)
        }
        return start
    }

    /// Closes the reply that began at `start`: a stream's length, the entry in `replies`. One that is not as long as
    /// was reckoned is taken back.
    func finish(from start: Int, expected end: Int, to query: ClientQuery, into out: inout ActionBuffer) {
        let length = end - start - query.lengthPrefix
        guard out.bytes.count == end, length <= 65_535 else { return out.bytes.truncate(to: start) }
        if query.lengthPrefix > 0 { out.bytes.store16(UInt16(truncatingIfNeeded: length), at: start) }
        out.replies.append(ClientReply(client: query.client, offset: start, count: end - start))
    }

    /// Gives the client's letter case back to its question's name: some clients check it (0x20).
    func restoreCase(_ mask: CaseMask, nameAt offset: Int, length: Int, in bytes: inout ByteWriter) {
        restoreCase(mask.words.0, offset, length, in: &bytes)
        restoreCase(mask.words.1, offset + 64, length - 64, in: &bytes)
        restoreCase(mask.words.2, offset + 128, length - 128, in: &bytes)
        restoreCase(mask.words.3, offset + 192, length - 192, in: &bytes)
    }

    private func restoreCase(_ word: UInt64, _ offset: Int, _ length: Int, in bytes: inout ByteWriter) {
        var bits = word
        while bits != 0 {
            let place = bits.trailingZeroBitCount
            bits &= bits &- 1
            guard place < length else { return }
            let octet = bytes[offset + place]
            if octet >= 0x61 && octet <= 0x7a { bytes[offset + place] = octet - 0x20 }
        }
    }
}
