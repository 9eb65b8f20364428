// Builds the query that goes upstream: everything anew, nothing of the client's OPT passes (RFC 6891 is hop by hop).

/// A client subnet option to send (RFC 7871): the prefix's octets, most significant first in `high`, `low`.
public struct ClientSubnet: Equatable, Sendable {
    public var isIPv6: Bool
    public var prefixLength: UInt8
    public var high: UInt64
    public var low: UInt64
    public init(isIPv6: Bool, prefixLength: UInt8, high: UInt64, low: UInt64) {
        self.isIPv6 = isIPv6
        self.prefixLength = prefixLength
        self.high = high
        self.low = low
    }
}

/// What an upstream query says besides its name. RD and AD are always set (RFC 6840 5.7).
public struct UpstreamQuery: Sendable {
    public var id: UInt16
    public var type: RecordType
    public var recordClass: UInt16
    public var checkingDisabled = false
    public var dnssecOK = false
    /// Octet i of the name, when a letter, is written upper-case where bit i % 64 is set (0x20); 0 = folded.
    public var caseBits: UInt64 = 0
    /// False only for the one retry without EDNS.
    public var hasEDNS = true
    public var udpSize: UInt16 = 1232
    /// Octets of the cookie option (8, or 16 to 40), 0 = none; read from `cookies` at `cookieOffset`.
    public var cookieLength = 0
    public var cookieOffset = 0
    /// An empty edns-tcp-keepalive option; streams only (RFC 7828).
    public var hasKeepalive = false
    public var clientSubnet: ClientSubnet?
    public init(id: UInt16, type: RecordType, recordClass: UInt16) {
        self.id = id
        self.type = type
        self.recordClass = recordClass
    }
}

/// Appends the query. `name` holds the folded name at `nameOffset`. Returns the octets written.
public func writeQuery(
    _ query: UpstreamQuery, name: borrowing ByteStore, nameOffset: Int, nameLength: Int, cookies: borrowing ByteStore,
    into writer: inout ByteWriter
) -> Int { fatalError("H1") }

/// How a response's question compares with the one that was asked.
public enum QuestionMatch: Sendable {
    /// Name (byte for byte, with the case that was sent), type and class are the same.
    case exact
    /// The same but for letter case.
    case caseDiffers
    /// QDCOUNT is 0.
    case absent
    case differs
}

/// Compares the question of `message` with the folded name at `nameOffset` as sent with `caseBits`.
public func compareQuestion(
    _ message: Span<UInt8>, name: borrowing ByteStore, nameOffset: Int, nameLength: Int, type: RecordType,
    recordClass: UInt16, caseBits: UInt64
) -> QuestionMatch { fatalError("H1") }
