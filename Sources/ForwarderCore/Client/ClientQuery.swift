// What must be remembered of a client's query until it is answered: its own id, case, flags, EDNS state and size.

import DNSWire

/// A client's query, accepted: all that a reply needs besides the answer.
public struct ClientQuery: Sendable {
    public var client: Client
    public var id: UInt16
    public var caseMask: CaseMask
    /// Copied into the response like the id (RFC 1035 4.1.1).
    public var opcode: UInt16 = 0
    public var recursionDesired: Bool
    public var checkingDisabled: Bool
    /// AD was set: the client wants to know (RFC 6840 5.7).
    public var authenticData: Bool
    public var dnssecOK: Bool
    public var hasEDNS: Bool
    /// Whether an edns-tcp-keepalive option is owed (it came, and over a stream).
    public var wantsKeepalive: Bool
    /// The COOKIE option that came and the one that is owed; nil when none came.
    public var cookie: ClientCookie?
    /// The most octets that the reply may have: min(client's size, ours) over UDP, 65,535 over TCP.
    public var sizeLimit: Int
}

/// The question of a query as the stages pass it on. Its folded name lies in a ByteStore that is passed beside it.
public struct Question: Equatable, Sendable {
    /// Octets of the folded name, root label included.
    public var nameLength: Int
    public var labelCount: Int
    public var type: RecordType
    public var recordClass: UInt16
    public var dnssecOK: Bool
    public var checkingDisabled: Bool
    /// Index of the group of upstreams that it goes to: part of the key, so that no route can poison another.
    public var group: UInt16
    /// Keyed hash of the folded name alone (`hashName`).
    public var nameHash: UInt64
    /// Tells the times of a group apart whose servers change with the network; 0 to 31, 0 for all others.
    public var epoch: UInt8 = 0

    /// Makes it the same question to another group.
    mutating func setGroup(_ index: Int, epoch: UInt8) {
        group = UInt16(truncatingIfNeeded: index)
        self.epoch = epoch
    }
}
