// The OPT record of a response to a client (RFC 6891), with the options that we may add.

/// An OPT record for a client.
public struct ResponseOPT: Sendable {
    public var udpSize: UInt16
    /// The whole RCODE; its upper eight bits go into the record.
    public var rcode: ResponseCode
    public var dnssecOK: Bool
    /// edns-tcp-keepalive in units of 100 ms; streams only.
    public var keepalive: UInt16?
    /// An extended error (RFC 8914); its text is given apart.
    public var extendedError: UInt16?
    public init(udpSize: UInt16, rcode: ResponseCode, dnssecOK: Bool) {
        self.udpSize = udpSize
        self.rcode = rcode
        self.dnssecOK = dnssecOK
    }
}

/// Octets that `writeOPT` will append.
public func sizeOfOPT(_ opt: ResponseOPT, textLength: Int) -> Int { fatalError("H1") }

/// Appends the OPT record. `text` is the EXTRA-TEXT, empty for none.
public func writeOPT(_ opt: ResponseOPT, text: Span<UInt8>, into writer: inout ByteWriter) { fatalError("H1") }
