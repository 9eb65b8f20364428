// The response to a client, from a packed answer or from nothing: id, case, flags, TTLs, OPT, size.
//
// The engine and the cache call it. A hit goes through `write`: one copy, then patches in place, no allocation. It must
// never write more octets than the client takes, and never half a reply: what the buffer cannot hold is dropped whole
// (the buffer's `overflowed` tells). RFC 1035 4.1, RFC 2181 9, RFC 6840 5.7 and 5.8, RFC 6891 6.2, RFC 8914.

import DNSWire

/// Writes replies into the action buffer.
public struct ReplyWriter: Sendable {
    let udpPayload: UInt16
    /// edns-tcp-keepalive, in units of 100 ms.
    let keepalive: UInt16
    let extendedErrors: Bool
    /// The answer to id.server, at most one character string.
    let identity: [UInt8]

    public init(settings: EngineSettings) {
        udpPayload = settings.udpPayload
        keepalive = UInt16(clamping: settings.tcpIdleTimeout.inMilliseconds / 100)
        extendedErrors = settings.extendedErrors
        identity = Array(settings.identity.utf8.prefix(255))
    }

    /// Gives a packed answer at `offset` of `store` to a client, `age` seconds after it was packed.
    /// - Parameters:
    ///   - turn: rotates the records of an RRset; any number.
    ///   - extendedError: one of ours to add (13 for a cached failure, ...); the answer's own is passed on else.
    public func write(
        _ store: borrowing ByteStore, at offset: Int, age: UInt32, turn: UInt32, extendedError: ExtendedErrorCode?,
        to query: ClientQuery, into out: inout ActionBuffer
    ) {
        write(store, at: offset, age: age, turn: turn, extendedError: extendedError, type: nil, to: query, into: &out)
    }

    /// The same, for an answer that was packed for another type of the same name (an NXDOMAIN is for all of them).
    func write(
        _ store: borrowing ByteStore, at offset: Int, age: UInt32, turn: UInt32, extendedError: ExtendedErrorCode?,
        type: RecordType?, to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let head = PackedHead(store, at: offset)
        let code = extendedError?.rawValue ?? head.extendedError
        let limit = query.client.isStream ? 65_535 : query.sizeLimit
        guard
            let trailer = trailer(
                head.rcode, code, textLength: head.textLength, room: limit - head.messageLength, to: query)
        else {
            let question = echo(store, offset + PackedHead.messageOffset, head, type: type)
            return writeWithoutRecords(head.rcode, code, question, names: store, to: query, into: &out)
        }
        let start = out.bytes.count
        let message = start + query.lengthPrefix
        guard out.bytes.reserve(query.lengthPrefix + head.messageLength + trailer.size) else { return }
        let flags = query.responseFlags(head.rcode, authenticData: head.authenticData)
        copyMessage(
            store, offset + PackedHead.messageOffset, head, flags: flags, turn: turn, type: type, to: query,
            into: &out.bytes)
        if age > 0 { countDown(store, offset + head.ttlTableOffset, head.ttlCount, by: age, message, in: &out.bytes) }
        if trailer.opt != nil {
            store.withSpan(offset + head.textOffset, trailer.textLength) { text in
                append(trailer, text: text, to: query, message: message, into: &out.bytes)
            }
        }
        finish(from: start, expected: message + head.messageLength + trailer.size, to: query, into: &out)
    }

    /// Gives an error without records. The question is echoed from `name` unless `question` is nil.
    public func writeError(
        _ rcode: ResponseCode, _ extendedError: ExtendedErrorCode?, text: String, question: Question?,
        name: borrowing ByteStore, nameOffset: Int, to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let echoed = question.map { EchoedQuestion($0, nameOffset: nameOffset) }
        let bytes = text.utf8.span
        let room = query.sizeLimit - Header.size - (echoed?.length ?? 0)
        guard
            let trailer = trailer(rcode, extendedError?.rawValue, textLength: bytes.count, room: room, to: query),
            let start = open(rcode, echoed, names: name, room: trailer.size, to: query, into: &out)
        else { return }
        let message = start + query.lengthPrefix
        let end = out.bytes.count + trailer.size
        append(trailer, text: bytes, to: query, message: message, into: &out.bytes)
        finish(from: start, expected: end, to: query, into: &out)
    }

    /// The question of the packed message at `message`, for a reply without its records.
    func echo(_ store: borrowing ByteStore, _ message: Int, _ head: PackedHead, type: RecordType?) -> EchoedQuestion {
        EchoedQuestion(
            nameOffset: message + Header.size, nameLength: head.nameLength,
            type: type ?? RecordType(rawValue: store.load16(message + head.questionEnd - 4)),
            recordClass: store.load16(message + head.questionEnd - 2))
    }

    /// Copies the message at `from` behind its length octets and makes it the client's: id, flags, letter case, and the
    /// type that was asked for. The caller has reserved the room.
    @inline(__always)
    func copyMessage(
        _ store: borrowing ByteStore, _ from: Int, _ head: PackedHead, flags: UInt16, turn: UInt32, type: RecordType?,
        to query: ClientQuery, into bytes: inout ByteWriter
    ) {
        let message = bytes.count + query.lengthPrefix
        bytes.appendZeros(query.lengthPrefix)
        copyRecords(store, from, head, turn: turn, into: &bytes)
        bytes.store16(query.id, at: message)
        bytes.store16(flags, at: message + Header.flagsOffset)
        if let type { bytes.store16(type.rawValue, at: message + head.questionEnd - 4) }
        restoreCase(query.caseMask, nameAt: message + Header.size, length: head.nameLength, in: &bytes)
    }

    /// Copies the message, the records of its run beginning with the `turn`th. They keep their order otherwise, and the
    /// CNAMEs before them their place (some stubs read a chain only forwards).
    @inline(__always)
    private func copyRecords(
        _ store: borrowing ByteStore, _ from: Int, _ head: PackedHead, turn: UInt32, into bytes: inout ByteWriter
    ) {
        let end = from + head.messageLength
        let run = head.rotation
        let steps = run.count > 1 ? Int(turn % UInt32(run.count)) : 0
        if steps == 0 { return bytes.append(store, from..<end) }
        let first = from + run.start
        let turned = first + steps * run.recordLength
        let last = first + run.count * run.recordLength
        bytes.append(store, from..<first)
        bytes.append(store, turned..<last)
        bytes.append(store, first..<turned)
        bytes.append(store, last..<end)
    }

    /// Lowers the TTLs by `age`, not below 0.
    private func countDown(
        _ store: borrowing ByteStore, _ table: Int, _ count: Int, by age: UInt32, _ message: Int,
        in bytes: inout ByteWriter
    ) {
        for index in 0..<count {
            let offset = message + Int(store.load(table + 2 * index, as: UInt16.self))
            let ttl = bytes.load32(offset)
            bytes.store32(ttl > age ? ttl - age : 0, at: offset)
        }
    }

    /// The reply when the answer does not fit: over UDP TC=1 and no records (RFC 2181 9: never a part of an RRset that
    /// might be taken for the whole); a stream has no second transport to send the client to, so SERVFAIL.
    func writeWithoutRecords(
        _ rcode: ResponseCode, _ code: UInt16?, _ question: EchoedQuestion, names: borrowing ByteStore,
        to query: ClientQuery, into out: inout ActionBuffer
    ) {
        let given = query.client.isStream ? ResponseCode.serverFailure : rcode
        let room = query.sizeLimit - Header.size - question.length
        guard
            let trailer = trailer(given, code, textLength: 0, room: room, to: query),
            let start = open(
                given, question, names: names, room: trailer.size, truncated: !query.client.isStream, to: query,
                into: &out)
        else { return }
        let message = start + query.lengthPrefix
        let end = out.bytes.count + trailer.size
        names.withSpan(question.nameOffset, 0) { none in
            append(trailer, text: none, to: query, message: message, into: &out.bytes)
        }
        finish(from: start, expected: end, to: query, into: &out)
    }
}
