// What a client's COOKIE option was worth, and what its reply's will say. A part of ClientQuery.

import DNSWire

/// A query's cookie, judged.
public struct ClientCookie: Sendable {
    /// What the server's part of a client's option was.
    public enum ServerPart: Sendable {
        case missing
        /// Not ours, too old, or made for another client.
        case wrong
        /// The client received a reply at this address not long ago.
        case valid
    }

    /// For the reply: the client's part as it came, and a server's part that it can show next time.
    public var option: CookieOption
    public var serverPart: ServerPart
    public var isValid: Bool { serverPart == .valid }
    public var isWrong: Bool { serverPart == .wrong }
}
