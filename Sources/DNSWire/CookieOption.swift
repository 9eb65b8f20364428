// The value of a COOKIE option that has both parts (RFC 7873 4), as plain words. ForwarderCore makes and judges it,
// EDNSWriter writes it.

/// A client cookie of 8 octets with a server cookie of 16 (RFC 9018 3). Words are as on the wire, first octet on top.
public struct CookieOption: Sendable {
    public var client: UInt64
    public var server: (UInt64, UInt64)
    /// Octets of the option with its code and length.
    static let size = 28

    public init(client: UInt64, server: (UInt64, UInt64)) {
        self.client = client
        self.server = server
    }

    /// Appends the option.
    func append(to writer: inout ByteWriter) {
        writer.append16(OptionCode.cookie)
        writer.append16(24)
        append(client, to: &writer)
        append(server.0, to: &writer)
        append(server.1, to: &writer)
    }

    private func append(_ word: UInt64, to writer: inout ByteWriter) {
        writer.append32(UInt32(truncatingIfNeeded: word >> 32))
        writer.append32(UInt32(truncatingIfNeeded: word))
    }
}
