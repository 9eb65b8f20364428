// The reply from an answer that has ended: TTLs of our own choosing, and an extended error that says so.
//
// The cache calls it when no fresh answer can be had. It is apart from `write` so that ordinary hits do not pay for it.
// It must never set AD: the signatures that were checked may have ended with the TTL. RFC 8767 4, RFC 8914 4.4, 4.20.

import DNSWire

extension ReplyWriter {
    private static let staleText = "no fresh answer could be had"

    /// Gives a packed answer at `offset` of `store` past its end. All its TTLs become `timeToLive`, those of CNAMEs and
    /// of an SOA too; the packed ones stay as they are.
    /// - Parameter type: the one that was asked for, where the answer was packed for another.
    func writeStale(
        _ store: borrowing ByteStore, at offset: Int, timeToLive: UInt32, turn: UInt32, type: RecordType?,
        to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let head = PackedHead(store, at: offset)
        let code: ExtendedErrorCode = head.rcode == .nameError ? .staleNameError : .staleAnswer
        let text = ReplyWriter.staleText.utf8.span
        let limit = query.client.isStream ? 65_535 : query.sizeLimit
        guard
            let trailer = trailer(
                head.rcode, code.rawValue, textLength: text.count, room: limit - head.messageLength, to: query)
        else {
            let question = echo(store, offset + PackedHead.messageOffset, head, type: type)
            return writeWithoutRecords(head.rcode, code.rawValue, question, names: store, to: query, into: &out)
        }
        let start = out.bytes.count
        let message = start + query.lengthPrefix
        guard out.bytes.reserve(query.lengthPrefix + head.messageLength + trailer.size) else { return }
        copyMessage(
            store, offset + PackedHead.messageOffset, head,
            flags: query.responseFlags(head.rcode, authenticData: false), turn: turn, type: type, to: query,
            into: &out.bytes)
        let table = offset + head.ttlTableOffset
        for index in 0..<head.ttlCount {
            out.bytes.store32(timeToLive, at: message + Int(store.load(table + 2 * index, as: UInt16.self)))
        }
        append(trailer, text: text, to: query, message: message, into: &out.bytes)
        finish(from: start, expected: message + head.messageLength + trailer.size, to: query, into: &out)
    }
}
