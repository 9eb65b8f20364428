// server.allow and server.deny: looked at before anything else of a query.

/// Who may ask. `deny` wins over `allow`.
public struct AccessList: Sendable {
    public init(allow: [NetworkBlock], deny: [NetworkBlock]) {}
    public func allows(_ address: NetworkAddress) -> Bool { fatalError("H1") }
}
