// The denial of a name by an NXDOMAIN of a name above it (RFC 8020): the client's own question, and the SOA.
//
// The cache calls it when no answer for the question itself is kept. The kept message has another question, so its
// compression pointers do not hold in the reply: the SOA's names are written out whole. It must never trust a pointer:
// names are walked with bounds although the survey has read them before.

import DNSWire

extension ReplyWriter {
    /// Denies `question` with the packed NXDOMAIN at `offset` of `store`. AD stays 0: that answer proved another name.
    func writeDenial(
        _ store: borrowing ByteStore, at offset: Int, age: UInt32, question: EchoedQuestion,
        names: borrowing ByteStore, to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let head = PackedHead(store, at: offset)
        // Three names at most, fixed fields, an OPT: reserved at once, the length is known only afterwards.
        let most = 3 * 255 + 30 + 128
        guard let start = open(.nameError, question, names: names, room: most, to: query, into: &out) else { return }
        let message = start + query.lengthPrefix
        let kept = KeptMessage(start: offset + PackedHead.messageOffset, length: head.messageLength)
        let records = out.bytes.count
        if kept.appendSOA(at: head.soaStart, of: store, age: age, into: &out.bytes) {
            out.bytes.store16(1, at: message + Header.authorityCountOffset)
        } else {
            out.bytes.truncate(to: records)
        }
        let room = query.sizeLimit - (out.bytes.count - message)
        guard let trailer = trailer(.nameError, head.extendedError, textLength: 0, room: room, to: query) else {
            out.bytes.truncate(to: start)
            return writeWithoutRecords(.nameError, head.extendedError, question, names: names, to: query, into: &out)
        }
        let end = out.bytes.count + trailer.size
        names.withSpan(question.nameOffset, 0) { none in
            append(trailer, text: none, to: query, message: message, into: &out.bytes)
        }
        finish(from: start, expected: end, to: query, into: &out)
    }
}

/// A kept message within a store, for reading records out of it.
private struct KeptMessage {
    let start: Int
    let length: Int

    /// Appends the SOA at `offset` of the message with its names uncompressed. False when there is none.
    func appendSOA(
        at offset: Int, of store: borrowing ByteStore, age: UInt32, into bytes: inout ByteWriter
    ) -> Bool {
        guard offset >= Header.size, let owner = appendName(at: offset, of: store, into: &bytes), owner + 10 <= length
        else { return false }
        bytes.append(store, start + owner..<start + owner + 4)
        let ttl = store.load32(start + owner + 4)
        bytes.append32(ttl > age ? ttl - age : 0)
        let lengthAt = bytes.count
        bytes.append16(0)
        guard let primary = appendName(at: owner + 10, of: store, into: &bytes),
            let mailbox = appendName(at: primary, of: store, into: &bytes), mailbox + 20 <= length
        else { return false }
        bytes.append(store, start + mailbox..<start + mailbox + 20)
        bytes.store16(UInt16(truncatingIfNeeded: bytes.count - lengthAt - 2), at: lengthAt)
        return true
    }

    /// Appends the name at `offset`, uncompressed. Returns the offset after it as it stands, nil when it is no name.
    private func appendName(at offset: Int, of store: borrowing ByteStore, into bytes: inout ByteWriter) -> Int? {
        var place = offset
        var after: Int?
        var written = 0
        while place >= Header.size, place < length {
            let octet = Int(store[start + place])
            switch octet {
            case 0:
                bytes.append(0)
                return after ?? place + 1
            case 1...63:
                written += 1 + octet
                guard written < 255, place + 1 + octet < length else { return nil }
                bytes.append(store, start + place..<start + place + 1 + octet)
                place += 1 + octet
            case 0xc0...0xff:
                guard place + 2 <= length else { return nil }
                let target = Int(store.load16(start + place)) & 0x3fff
                // Strictly backwards, so the walk ends (RFC 9267 2).
                guard target < place else { return nil }
                if after == nil { after = place + 2 }
                place = target
            default: return nil
            }
        }
        return nil
    }
}
