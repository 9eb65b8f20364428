// An answer as it is kept and given: one block of bytes with the places that must be patched for each client.
//
// The same layout lies in the cache's rings and in the engine's scratch, so that a hit and a fresh answer are given by
// the same code. A block is: this head, the message (header, folded question, answer, authority), the offsets of its
// TTLs, the extended error's text. The message's question is the cache key's name, so the name is kept once.
// It must never hold an OPT record, a client's id, or a TTL that has already counted down.

import DNSWire

/// What kind of answer it is; decides how long it may live and under which key it is kept.
public enum AnswerKind: UInt8, Sendable { case positive, noData, nameError, failure }

/// What packing found out.
public struct PackedAnswer: Sendable {
    /// Bytes of the block in the scratch, from offset 0.
    public var length = 0
    public var kind = AnswerKind.failure
    public var rcode = ResponseCode.noError
    /// Seconds that it may be kept; 0 = not at all.
    public var lifetime: UInt32 = 0
    /// Whether the denied name is the question's own: an NXDOMAIN without a CNAME before it (RFC 2308 2.1, RFC 8020).
    public var deniesQuestion = false
    /// An error that is meant, by DNSSEC or by policy: what was known before must not be given in its place.
    public var isDeliberate = false
}

/// The fixed part of a block: twelve 16-bit words in the machine's byte order.
struct PackedHead {
    static let size = 24
    /// EXTRA-TEXT is for people; more of it than this is not kept (RFC 8914 2: "may be truncated").
    static let textLimit = 64

    private static let authenticBit: UInt16 = 0x1000
    private static let kindShift: UInt16 = 13
    private static let errorBit: UInt16 = 0x8000

    var messageLength = 0
    /// Offset just after the question in the message.
    var questionEnd = 0
    var rcode = ResponseCode.noError
    var authenticData = false
    var kind = AnswerKind.failure
    var ttlCount = 0
    var rotation = RecordRun()
    /// The extended error that came with it.
    var extendedError: UInt16?
    var textLength = 0
    /// Where the SOA of a negative answer begins in the message; 0 = it has none.
    var soaStart = 0

    init() {}

    /// Reads the head of the block at `offset`.
    init(_ store: borrowing ByteStore, at offset: Int) {
        messageLength = Int(store.load(offset, as: UInt16.self))
        questionEnd = Int(store.load(offset + 2, as: UInt16.self))
        let bits = store.load(offset + 4, as: UInt16.self)
        rcode = ResponseCode(rawValue: bits & 0x0fff)
        authenticData = bits & PackedHead.authenticBit != 0
        kind = AnswerKind(rawValue: UInt8(truncatingIfNeeded: bits >> PackedHead.kindShift) & 3) ?? .failure
        ttlCount = Int(store.load(offset + 6, as: UInt16.self))
        rotation.start = Int(store.load(offset + 8, as: UInt16.self))
        rotation.recordLength = Int(store.load(offset + 10, as: UInt16.self))
        rotation.count = Int(store.load(offset + 12, as: UInt16.self))
        if bits & PackedHead.errorBit != 0 { extendedError = store.load(offset + 14, as: UInt16.self) }
        textLength = Int(store.load(offset + 16, as: UInt16.self))
        soaStart = Int(store.load(offset + 18, as: UInt16.self))
    }

    /// Writes the head at `offset`. Every length was bounded by 65,535 before.
    func write(into store: inout ByteStore, at offset: Int) {
        var bits = rcode.rawValue & 0x0fff | UInt16(kind.rawValue) << PackedHead.kindShift
        if authenticData { bits |= PackedHead.authenticBit }
        if extendedError != nil { bits |= PackedHead.errorBit }
        store.store(UInt16(truncatingIfNeeded: messageLength), at: offset)
        store.store(UInt16(truncatingIfNeeded: questionEnd), at: offset + 2)
        store.store(bits, at: offset + 4)
        store.store(UInt16(truncatingIfNeeded: ttlCount), at: offset + 6)
        store.store(UInt16(truncatingIfNeeded: rotation.start), at: offset + 8)
        store.store(UInt16(truncatingIfNeeded: rotation.recordLength), at: offset + 10)
        store.store(UInt16(truncatingIfNeeded: rotation.count), at: offset + 12)
        store.store(extendedError ?? 0, at: offset + 14)
        store.store(UInt16(truncatingIfNeeded: textLength), at: offset + 16)
        store.store(UInt16(truncatingIfNeeded: soaStart), at: offset + 18)
        store.store(UInt32(0), at: offset + 20)
    }

    /// Offsets of the parts from the block's start.
    static var messageOffset: Int { size }
    var ttlTableOffset: Int { PackedHead.size + messageLength }
    var textOffset: Int { ttlTableOffset + 2 * ttlCount }
    var blockLength: Int { textOffset + textLength }

    /// Whether the block at `offset` is an error that is meant: then its own reason is told, also from the cache.
    static func isDeliberate(_ store: borrowing ByteStore, at offset: Int) -> Bool {
        PackedHead(store, at: offset).extendedError.map(DeliberateError.isOne) ?? false
    }

    /// Octets of the name of the block at `offset`, for a look without reading the whole head.
    static func nameLength(_ store: borrowing ByteStore, at offset: Int) -> Int {
        Int(store.load(offset + 2, as: UInt16.self)) - Header.size - 4
    }

    /// Octets of the question's name.
    var nameLength: Int { questionEnd - Header.size - 4 }
}
