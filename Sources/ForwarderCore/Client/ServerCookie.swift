// Server cookies toward clients: who shows one has received a reply at the address that it claims.
//
// The engine asks it for every query with a COOKIE option; one whose server cookie is good counts as one over TCP for
// the rate limit. It must never tell a secret: a cookie is a keyed hash. RFC 7873 5.2, RFC 9018 4 (version 1).

import DNSWire

/// Makes and checks server cookies: version 1, three reserved octets, a timestamp, eight octets of SipHash-2-4 over
/// client cookie, those first eight octets, and client address.
///
/// The timestamp is `Instant.seconds`, time since the machine was started. RFC 9018 4.3 asks for Unix time, so that
/// servers that share a secret and an address understand each other's cookies; ours is drawn anew at each start and
/// shared by the workers of one process only, and the clock that nobody sets is the safer one.
struct ServerCookie: Sendable {
    /// Octets of the option's value with both parts.
    private static let wholeLength = 24
    /// Seconds (RFC 9018 4.3).
    private static let maxAge: Int32 = 3_600
    private static let renewalAge: Int32 = 1_800
    private static let maxLead: Int32 = 300
    private static let version: UInt32 = 1

    private let key: (UInt64, UInt64)

    /// - Parameter secret: 16 octets, each word read with its lowest octet first.
    init(secret: (UInt64, UInt64)) { key = secret }

    /// With a key derived from a seed that serves other purposes too.
    init(derivedFrom seed: (UInt64, UInt64)) {
        var first = SipHash(key: seed)
        var second = first
        // Any two fixed words that nothing else hashes under the seed.
        first.append(0x6b6f_6f63_2d76_7273)
        second.append(0x6b6f_6f63_2d76_7274)
        self.init(secret: (first.finish(), second.finish()))
    }

    /// What a query's COOKIE option says, and what the reply's is to say: the server cookie that came while it is
    /// good and young, else a fresh one. nil when there is no such option in the message.
    func read(
        _ message: Span<UInt8>, _ query: ParsedQuery, from client: NetworkAddress, now: Instant
    ) -> ClientCookie? {
        let length = query.cookieLength
        let offset = query.cookieOffset
        guard length >= 8, offset > 0, offset <= message.count - length else { return nil }
        let clientPart = message.load64(offset)
        if length == ServerCookie.wholeLength {
            let given = CookieOption(
                client: clientPart, server: (message.load64(offset + 8), message.load64(offset + 16)))
            if isValid(given, from: client, now: now) {
                let option = isFresh(given, now: now) ? given : make(clientPart, for: client, now: now)
                return ClientCookie(option: option, serverPart: .valid)
            }
        }
        return ClientCookie(
            option: make(clientPart, for: client, now: now), serverPart: length > 8 ? .wrong : .missing)
    }

    /// A fresh server cookie for a client's cookie and address.
    func make(_ client: UInt64, for address: NetworkAddress, now: Instant) -> CookieOption {
        let head = UInt64(ServerCookie.version) << 56 | UInt64(now.seconds)
        return CookieOption(client: client, server: (head, hash(client, head, address)))
    }

    /// Whether the server cookie is ours, was made for this client at this address, and is at most an hour old and not
    /// more than five minutes ahead of us.
    func isValid(_ cookie: CookieOption, from address: NetworkAddress, now: Instant) -> Bool {
        guard cookie.server.0 >> 56 == UInt64(ServerCookie.version) else { return false }
        let age = ServerCookie.age(cookie, now: now)
        guard age <= ServerCookie.maxAge, age >= -ServerCookie.maxLead else { return false }
        // One comparison of whole words: how many octets are right does not show in the time that it takes.
        return hash(cookie.client, cookie.server.0, address) == cookie.server.1
    }

    /// Whether a valid cookie need not be renewed yet. One with reserved octets is always (RFC 9018 appendix A.3).
    private func isFresh(_ cookie: CookieOption, now: Instant) -> Bool {
        cookie.server.0 >> 32 == UInt64(ServerCookie.version) << 24
            && ServerCookie.age(cookie, now: now) <= ServerCookie.renewalAge
    }

    /// Seconds, by serial number arithmetic (RFC 1982), as RFC 9018 4.3 asks; negative for the future.
    private static func age(_ cookie: CookieOption, now: Instant) -> Int32 {
        Int32(bitPattern: now.seconds &- UInt32(truncatingIfNeeded: cookie.server.0))
    }

    /// All words are as on the wire, the first octet on top; SipHash takes it lowest. The code is written lowest octet
    /// first too (RFC 9018 appendix A).
    private func hash(_ client: UInt64, _ head: UInt64, _ address: NetworkAddress) -> UInt64 {
        let plain = address.unmapped
        var state = SipHash(key: key)
        state.append(client.byteSwapped)
        state.append(head.byteSwapped)
        guard plain.isIPv6 else {
            let octets = UInt32(truncatingIfNeeded: plain.low).byteSwapped
            return state.finish(rest: UInt64(octets), count: 4).byteSwapped
        }
        state.append(plain.high.byteSwapped)
        state.append(plain.low.byteSwapped)
        return state.finish().byteSwapped
    }
}
