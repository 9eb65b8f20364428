// server.allow and server.deny: looked at before anything else of a query.
//
// The engine asks it for every datagram and every connection of a client. It must never let an IPv4 client pass by a
// rule for IPv6 because a dual-stack socket reported it as ::ffff:a.b.c.d (ClientBlock sees to it).

/// Who may ask. `deny` wins over `allow`; who is in neither may not. An empty `allow` allows nobody.
public struct AccessList: Sendable {
    private let allowed: [ClientBlock]
    private let denied: [ClientBlock]

    public init(allow: [NetworkBlock], deny: [NetworkBlock]) {
        allowed = allow.map(ClientBlock.init)
        denied = deny.map(ClientBlock.init)
    }

    /// Whether a client of this address may ask. The zone of a link-local address does not matter.
    public func allows(_ address: NetworkAddress) -> Bool {
        let plain = address.unmapped
        for block in denied where block.contains(plain) { return false }
        for block in allowed where block.contains(plain) { return true }
        return false
    }
}
