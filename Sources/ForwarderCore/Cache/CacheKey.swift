// What an answer is kept under: the whole question as the upstream saw it, and the way it went.
//
// MessageCache compares every part of it with the entry itself; the hash only says where to look. Two questions that
// differ in any part must never meet in one entry (RFC 4343 letter case aside, which intake has folded).

import DNSWire

/// What sort of entry it is; each sort of one question is kept beside the others.
enum EntryKind: UInt8 {
    /// The answer to exactly this question.
    case ordinary
    /// The name does not exist, whatever the type (RFC 2308 5: keyed without the type; RFC 8020).
    case nameError
    /// No answer could be had lately (RFC 9520); never replaces an answer.
    case failure
    /// Space without an entry: replaced, displaced, or left over at a ring's end.
    case dead
}

/// The key of a question, its name at `nameOffset` of a store that is passed beside it.
struct CacheKey {
    var nameOffset: Int
    var nameLength: Int
    var nameHash: UInt64
    var type: UInt16
    var recordClass: UInt16
    var dnssecOK: Bool
    var checkingDisabled: Bool
    var group: UInt16

    init(_ question: Question, nameOffset: Int) {
        self.nameOffset = nameOffset
        nameLength = question.nameLength
        nameHash = question.nameHash
        type = question.type.rawValue
        recordClass = question.recordClass
        dnssecOK = question.dnssecOK
        checkingDisabled = question.checkingDisabled
        // Groups are 1,000 at most, those of routes 1,000 more, and the bootstrap group: eleven bits.
        group = question.group | UInt16(question.epoch) << 11
    }

    /// DO and CD as an entry's flags hold them.
    var flags: UInt8 { (dnssecOK ? EntryStore.dnssecBit : 0) | (checkingDisabled ? EntryStore.checkingBit : 0) }

    /// The hash that an entry of `kind` is found by. The name's hash is keyed with a secret, so mixing suffices here.
    func hash(_ kind: EntryKind) -> UInt64 {
        let rest =
            UInt64(kind == .nameError ? 0 : type) << 48 | UInt64(recordClass) << 32 | UInt64(group) << 16
            | UInt64(flags) << 8 | UInt64(kind.rawValue)
        var mixed = nameHash ^ (rest &* 0x9e37_79b9_7f4a_7c15)
        mixed = (mixed ^ (mixed >> 32)) &* 0xd6e8_feb8_6659_fd93
        return mixed ^ (mixed >> 32)
    }
}
