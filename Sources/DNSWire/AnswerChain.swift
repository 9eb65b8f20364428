// What of an answer section belongs to the question: the CNAME chain, and each record's place on it.
//
// The survey and the rewriting both ask it, so that they can never disagree. RFC 1034 4.3.2 (CNAME), RFC 6672 (DNAME),
// RFC 2181 5.4.1 (nothing else is an answer), RFC 4035 3.2.1 (DNSSEC records only for those who asked).

/// The chain of names from the question on, and what decides about each record.
struct AnswerChain {
    /// CNAMEs in one chain; more is an attack or a broken zone.
    static let limit = 16
    /// DNAMEs and their signatures in one answer: each is compared with the whole chain, thousands would take long.
    static let dnameLimit = 64

    /// Where names stand: the question's, then each CNAME's target; their hashes and numbers of labels.
    private var names = InlineArray<17, UInt16>(repeating: 0)
    private var hashes = InlineArray<17, UInt32>(repeating: 0)
    private var labels = InlineArray<17, UInt8>(repeating: 0)
    /// Where the CNAME stands that leads on from names[i].
    private var links = InlineArray<17, UInt16>(repeating: 0)
    /// Names on the chain, 1 to 17.
    private(set) var count = 1
    let qtype: RecordType
    let qclass: UInt16
    let dnssecOK: Bool
    /// Whether records of the asked type belong here: not beside NXDOMAIN.
    let wantsFinal: Bool

    /// The place of a record: names[rank] is what it is for.
    struct Place {
        var rank: Int
        /// A record that was asked for, and not a step of the chain or a signature.
        var isFinal = false
    }

    /// Follows the chain through `records` records from `start`, in whatever order they come. Each link costs a part of
    /// a pass: the search goes on where the last link was found.
    init(
        _ message: Span<UInt8>, qtype: RecordType, qclass: UInt16, dnssecOK: Bool, wantsFinal: Bool, start: Int,
        records: Int, hasCNAME: Bool
    ) throws(WireError) {
        self.qtype = qtype
        self.qclass = qclass
        self.dnssecOK = dnssecOK
        self.wantsFinal = wantsFinal
        setName(0, Header.size, message)
        guard hasCNAME, qtype != .cname, qtype != .any else { return }
        var position = start
        var index = 0
        var unmatched = 0
        // Ends when a whole turn through the section finds no further link, or the chain closes on itself.
        while unmatched < records {
            if index == records {
                index = 0
                position = start
            }
            let record = try RecordReader.known(message, at: position)
            index += 1
            position = record.end
            unmatched += 1
            guard record.type == .cname, record.recordClass == qclass,
                NameWalk.equal(message, record.owner, Int(names[count - 1]))
            else { continue }
            if rank(of: record.rdata, message) != nil { return }
            guard count <= AnswerChain.limit else { throw .tooManyRecords }
            links[count - 1] = UInt16(truncatingIfNeeded: record.owner)
            setName(count, record.rdata, message)
            count += 1
            unmatched = 0
        }
    }

    private mutating func setName(_ index: Int, _ offset: Int, _ message: Span<UInt8>) {
        names[index] = UInt16(truncatingIfNeeded: NameWalk.resolved(message, offset))
        hashes[index] = NameWalk.hash(message, offset)
        labels[index] = UInt8(truncatingIfNeeded: NameWalk.labelCount(message, offset))
    }

    /// Offset of the last name of the chain.
    var last: Int { Int(names[count - 1]) }

    /// The index of the chain's name that equals the one at `offset`.
    private func rank(of offset: Int, _ message: Span<UInt8>) -> Int? {
        let position = NameWalk.resolved(message, offset)
        for i in 0..<count where position == Int(names[i]) { return i }
        // One hash instead of seventeen comparisons: a message can hold thousands of names that are nearly alike.
        let hash = NameWalk.hash(message, position)
        for i in 0..<count where hash == hashes[i] && NameWalk.equal(message, position, Int(names[i])) { return i }
        return nil
    }

    /// The index of the first name of the chain that lies below the DNAME owner at `offset`.
    private func rankBelow(_ offset: Int, _ message: Span<UInt8>) -> Int? {
        let ownerLabels = NameWalk.labelCount(message, offset)
        for i in 0..<count where Int(labels[i]) > ownerLabels {
            if NameWalk.isAtOrAbove(message, ancestor: offset, name: Int(names[i])) { return i }
        }
        return nil
    }

    /// Where a record of the answer section belongs; nil = it is not part of the answer.
    func place(_ record: RecordReader, _ message: Span<UInt8>) -> Place? {
        guard record.recordClass == qclass else { return nil }
        if isSecurity(record.type), !dnssecOK, qtype != record.type, qtype != .any { return nil }
        // A signature goes where the record goes that it covers.
        let covered = record.covered(message)
        let type = covered ?? record.type
        if let rank = rank(of: record.owner, message) {
            if rank == count - 1 {
                let isAsked = qtype == .any || qtype == record.type || qtype == type
                if isAsked, wantsFinal {
                    return Place(rank: rank, isFinal: qtype == .any || qtype == record.type)
                }
            } else if type == .cname, covered != nil || Int(links[rank]) == record.owner {
                return Place(rank: rank)
            }
        }
        guard type == .dname, let rank = rankBelow(record.owner, message) else { return nil }
        return Place(rank: rank)
    }

    /// Whether a record of the authority section is kept beside an answer of this shape.
    func keepsAuthority(
        _ record: RecordReader, _ message: Span<UInt8>, shape: ResponseShape, hasSOA: Bool
    ) -> Bool {
        guard record.recordClass == qclass else { return false }
        let isNegative = shape == .noData || shape == .nameError
        switch record.covered(message) ?? record.type {
        case .soa:
            guard isNegative else { return false }
            if record.type == .rrsig {
                guard dnssecOK else { return false }
            } else if hasSOA {
                return false
            }
            return NameWalk.isAtOrAbove(message, ancestor: record.owner, name: last)
        case .nsec, .nsec3:
            return dnssecOK && (isNegative || shape == .answer)
        default:
            return false
        }
    }

    private func isSecurity(_ type: RecordType) -> Bool { type == .rrsig || type == .nsec || type == .nsec3 }

    /// Whether the record's owner is the question's name, written in a way that shows letters of its own.
    func showsQuestion(_ record: RecordReader, _ message: Span<UInt8>) -> Bool {
        let position = NameWalk.resolved(message, record.owner)
        if position == Header.size || message[Header.size] == 0 { return false }
        return NameWalk.equal(message, position, Header.size)
    }
}
