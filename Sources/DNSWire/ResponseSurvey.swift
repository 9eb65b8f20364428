// One walk over an upstream's response: is it well formed, what does it say, what of it may be kept.

/// Why a response is not a well-formed message.
public enum WireError: Error, Sendable { case short, name, record, option, tooManyRecords, duplicateOPT }

/// What a response amounts to.
public enum ResponseShape: UInt8, Sendable {
    /// NOERROR (or NXDOMAIN after a CNAME is `.nameError`) with records of the asked type at the end of the chain.
    case answer
    /// NOERROR without them (RFC 2308 NODATA), a CNAME chain may stand before.
    case noData
    case nameError
    /// NOERROR, empty, NS in authority and no SOA: a referral, of no use to a forwarder.
    case referral
    /// Any other RCODE.
    case failure
}

/// The positions of the TTLs that count down, ascending.
public struct TTLOffsets: ~Copyable {
    /// The most records that an answer may have to be kept; more make it `tooManyRecords`.
    public static let limit = 4096
    var store = ByteStore(capacity: TTLOffsets.limit * 2)
    public internal(set) var count = 0
    public init() {}
    public subscript(index: Int) -> Int { Int(store.load(index * 2, as: UInt16.self)) }
    /// Adds a position; false at the limit.
    mutating func append(_ offset: Int) -> Bool {
        guard count < TTLOffsets.limit else { return false }
        store.store(UInt16(truncatingIfNeeded: offset), at: count * 2)
        count += 1
        return true
    }
    mutating func removeAll() { count = 0 }
}

/// A run of records of equal length and one RRset (A or AAAA), which may be rotated as bytes.
public struct RecordRun: Equatable, Sendable {
    public var start = 0
    public var recordLength = 0
    /// 0 or 1 = nothing to rotate.
    public var count = 0
    public init() {}
}

/// A response, by offsets into the message that was surveyed.
public struct SurveyedResponse: Sendable {
    public var id: UInt16 = 0
    public var flags: UInt16 = 0
    /// With the OPT record's upper bits.
    public var rcode = ResponseCode.noError
    public var questionCount = 0
    /// Of the question's name.
    public var nameLength = 0
    public var shape = ResponseShape.failure
    /// Records of the kept part, by section. The kept part is the message from its start to `keptEnd`.
    public var answerCount = 0
    public var authorityCount = 0
    public var keptEnd = 0
    /// Whether the kept part cannot be taken as it stands (records outside the CNAME chain, wrong order of sections'
    /// parts, names without compression in another case): `rewriteResponse` makes a clean message first.
    public var needsRewrite = false
    /// The smallest TTL of the kept records, top bit counted as 0 (RFC 2181 8); UInt32.max when there are none.
    public var minimumTTL = UInt32.max
    /// min(TTL, MINIMUM) of the SOA in authority (RFC 2308 5); nil without SOA.
    public var negativeTTL: UInt32?
    public var rotation = RecordRun()
    // The OPT record, which is never part of what is kept.
    public var hasEDNS = false
    public var cookie = 0..<0
    /// RFC 7828, in units of 100 ms; nil without.
    public var keepalive: UInt16?
    /// The first EDE option's INFO-CODE, and its text.
    public var extendedError: UInt16?
    public var extendedText = 0..<0
    public init() {}
    public var isTruncated: Bool { flags & Header.truncated != 0 }
}

/// Walks the whole message, whatever its RCODE; `ttlOffsets` is filled with the kept part's TTLs.
/// - Parameter dnssecOK: whether DNSSEC records are kept (else they are dropped unless asked for by type).
public func surveyResponse(
    _ message: Span<UInt8>, dnssecOK: Bool, ttlOffsets: inout TTLOffsets
) throws(WireError) -> SurveyedResponse { fatalError("H1") }

/// Writes a clean form of a surveyed message that `needsRewrite`: only what is reachable from the question by its CNAME
/// (and DNAME) chain, in chain order, with the SOA and the DNSSEC proofs of authority, names compressed anew, no OPT.
/// The result surveys clean. Throws when the message cannot be made clean.
public func rewriteResponse(
    _ message: Span<UInt8>, _ survey: SurveyedResponse, dnssecOK: Bool, into writer: inout ByteWriter
) throws(WireError) { fatalError("H1") }
