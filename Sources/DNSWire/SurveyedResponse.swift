// What one walk over an upstream's response found out. Offsets into the message, never bytes of it.

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
