// One record of a response: its fixed part (RFC 1035 3.2.1), and the names that RDATA of well-known types holds.
//
// The survey reads every record with `checked`, later passes over the same octets use `known`. Unknown types are opaque
// (RFC 3597); the table of layouts says which are not.

/// A record by offsets into its message.
struct RecordReader {
    let owner: Int
    let type: RecordType
    let recordClass: UInt16
    /// Offset of the TTL.
    let ttlOffset: Int
    let rdata: Int
    let end: Int

    /// Reads the record at `offset`, its owner followed and its RDATA checked against its type.
    static func checked(_ message: Span<UInt8>, at offset: Int) throws(WireError) -> RecordReader {
        let ownerEnd: Int
        if offset + 2 <= message.count, message.load16(offset) == 0xc00c, offset > Header.size {
            // The question's name, which was checked: the commonest owner by far.
            ownerEnd = offset + 2
        } else {
            ownerEnd = try NameWalk.end(message, offset)
        }
        let record = try RecordReader(message, owner: offset, ownerEnd: ownerEnd)
        try record.checkRDATA(message)
        return record
    }

    /// Reads a record that `checked` has read before.
    static func known(_ message: Span<UInt8>, at offset: Int) throws(WireError) -> RecordReader {
        try RecordReader(message, owner: offset, ownerEnd: NameWalk.skip(message, offset))
    }

    private init(_ message: Span<UInt8>, owner: Int, ownerEnd: Int) throws(WireError) {
        guard ownerEnd + 10 <= message.count else { throw .record }
        self.owner = owner
        type = RecordType(rawValue: message.load16(ownerEnd))
        recordClass = message.load16(ownerEnd + 2)
        ttlOffset = ownerEnd + 4
        rdata = ownerEnd + 10
        end = rdata + Int(message.load16(ownerEnd + 8))
        guard end <= message.count else { throw .record }
    }

    /// RFC 2181 8: a TTL with the top bit set counts as 0.
    func ttl(_ message: Span<UInt8>) -> UInt32 {
        let ttl = message.load32(ttlOffset)
        return ttl & 0x8000_0000 == 0 ? ttl : 0
    }

    /// The type that an RRSIG covers; nil for other types.
    func covered(_ message: Span<UInt8>) -> RecordType? {
        type == .rrsig && rdata + 2 <= end ? RecordType(rawValue: message.load16(rdata)) : nil
    }

    private func checkRDATA(_ message: Span<UInt8>) throws(WireError) {
        guard let layout = RDATALayout(type, recordClass) else { return }
        var position = rdata + layout.before
        if layout.strings > 0 { position = try skipStrings(message, position, layout.strings) }
        for _ in 0..<layout.names {
            guard position < end else { throw .record }
            position = try NameWalk.end(message, position)
        }
        guard layout.isOpen ? position <= end : position + layout.after == end else { throw .record }
    }

    /// The offset after `count` character-strings (NAPTR).
    func skipStrings(_ message: Span<UInt8>, _ start: Int, _ count: Int) throws(WireError) -> Int {
        var position = start
        for _ in 0..<count {
            guard position < end else { throw .record }
            position += Int(message[position]) + 1
        }
        return position
    }
}

/// How the RDATA of a type is laid out: fixed octets, character-strings, names, fixed octets.
struct RDATALayout {
    let before: Int
    let strings: Int
    let names: Int
    let after: Int
    /// Whether anything may follow the names.
    let isOpen: Bool
    /// Whether its names may be compressed when written (RFC 3597 4: only the types of RFC 1035).
    let isCompressed: Bool

    private init(
        _ before: Int, _ names: Int, _ after: Int, strings: Int = 0, isOpen: Bool = false, isCompressed: Bool = false
    ) {
        self.before = before
        self.strings = strings
        self.names = names
        self.after = after
        self.isOpen = isOpen
        self.isCompressed = isCompressed
    }

    /// nil = opaque.
    init?(_ type: RecordType, _ recordClass: UInt16) {
        switch type.rawValue {
        // A and AAAA mean addresses in class IN alone.
        case 1 where recordClass == RecordClass.internet: self.init(4, 0, 0)
        case 28 where recordClass == RecordClass.internet: self.init(16, 0, 0)
        // NS, MD, MF, CNAME, MB, MG, MR, PTR.
        case 2...5, 7...9, 12: self.init(0, 1, 0, isCompressed: true)
        // SOA.
        case 6: self.init(0, 2, 20, isCompressed: true)
        // MINFO, MX.
        case 14: self.init(0, 2, 0, isCompressed: true)
        case 15: self.init(2, 1, 0, isCompressed: true)
        // RP; AFSDB, RT, KX; PX.
        case 17: self.init(0, 2, 0)
        case 18, 21, 36: self.init(2, 1, 0)
        case 26: self.init(2, 2, 0)
        // SIG, RRSIG; NXT, NSEC.
        case 24, 46: self.init(18, 1, 0, isOpen: true)
        case 30, 47: self.init(0, 1, 0, isOpen: true)
        // SRV, NAPTR, DNAME.
        case 33: self.init(6, 1, 0)
        case 35: self.init(4, 1, 0, strings: 3)
        case 39: self.init(0, 1, 0)
        default: return nil
        }
    }
}
