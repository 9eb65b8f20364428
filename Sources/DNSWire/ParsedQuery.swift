// What a client's message says: the header, the one question, the OPT record. Facts only; ForwarderCore's intake
// decides what becomes of them. Bytes from the network end here as a `QueryProblem`, never as a trap (RFC 9267).

/// Why a client's message cannot be taken as an ordinary query. The first that applies, in this order.
public enum QueryProblem: UInt8, Sendable {
    /// Fewer than twelve octets: silence.
    case short
    /// QR=1: silence, whatever else it says (CVE-2024-2169).
    case isResponse
    /// An opcode other than QUERY. The question may be unread.
    case opcode
    /// QDCOUNT other than 1 (RFC 9619), unless it is 0 in a request for a cookie.
    case questionCount
    /// The question's name is too long, cut short, compressed or of an unknown label type, or type and class miss.
    case question
    /// A record after the question is cut short, or records stand where a query has none and cannot be walked.
    case records
    /// More than one OPT (RFC 6891 6.1.1), an OPT whose owner is not the root, or options that overrun it.
    case opt
    /// A COOKIE of a length that RFC 7873 5.2.2 forbids.
    case cookie
    /// EDNS version above 0.
    case version
}

/// A query, by offsets into the message that it was read from.
public struct ParsedQuery: Sendable {
    public var problem: QueryProblem?
    public var id: UInt16 = 0
    /// The header's second word as it came.
    public var flags: UInt16 = 0
    /// Octets of the question's name on the wire, root label included; it starts at offset 12. 0 = not read.
    public var nameLength = 0
    /// Labels of the name without the root.
    public var labelCount = 0
    public var type = RecordType(rawValue: 0)
    public var recordClass: UInt16 = 0
    /// Whether an OPT record came, and so one is owed.
    public var hasEDNS = false
    /// The requestor's UDP payload size as written (below 512 counts as 512, RFC 6891 6.2.3).
    public var udpSize: UInt16 = 512
    public var ednsVersion: UInt8 = 0
    public var dnssecOK = false
    /// Length of a COOKIE option's value, 0 if none, and where in the message it begins.
    public var cookieLength = 0
    public var cookieOffset = 0
    /// Whether the client sent an edns-tcp-keepalive option (RFC 7828).
    public var hasKeepalive = false

    public init() {}

    /// A request for a cookie and nothing else (RFC 7873 5.4). Any other query without a problem has a question.
    public var asksOnlyForCookie: Bool { problem == nil && nameLength == 0 }

    public var opcode: UInt16 { (flags & Header.opcodeMask) >> 11 }
    public var recursionDesired: Bool { flags & Header.recursionDesired != 0 }
    public var checkingDisabled: Bool { flags & Header.checkingDisabled != 0 }
    public var authenticData: Bool { flags & Header.authenticData != 0 }
    /// Offset just after the question, where it could be read.
    public var questionEnd: Int { Header.size + nameLength + 4 }
}
