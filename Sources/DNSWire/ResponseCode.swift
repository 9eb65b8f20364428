// RCODEs, the twelve-bit ones of EDNS included (RFC 6895), and the codes of extended errors (RFC 8914).

/// A response code: the header's four bits, with the OPT record's eight above them.
public struct ResponseCode: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let noError = ResponseCode(rawValue: 0)
    public static let formatError = ResponseCode(rawValue: 1)
    public static let serverFailure = ResponseCode(rawValue: 2)
    public static let nameError = ResponseCode(rawValue: 3)
    public static let notImplemented = ResponseCode(rawValue: 4)
    public static let refused = ResponseCode(rawValue: 5)
    public static let badVersion = ResponseCode(rawValue: 16)
    public static let badCookie = ResponseCode(rawValue: 23)

    /// The mnemonic that `dig` prints, or RCODE and the number.
    public var mnemonic: String {
        switch rawValue {
        case 0: "NOERROR"
        case 1: "FORMERR"
        case 2: "SERVFAIL"
        case 3: "NXDOMAIN"
        case 4: "NOTIMP"
        case 5: "REFUSED"
        case 6: "YXDOMAIN"
        case 7: "YXRRSET"
        case 8: "NXRRSET"
        case 9: "NOTAUTH"
        case 10: "NOTZONE"
        case 16: "BADVERS"
        case 23: "BADCOOKIE"
        default: "RCODE\(rawValue)"
        }
    }
}

/// An INFO-CODE of RFC 8914 that we send ourselves.
public enum ExtendedErrorCode: UInt16, Sendable {
    case other = 0
    case staleAnswer = 3
    case cachedError = 13
    case notReady = 14
    case blocked = 15
    case filtered = 17
    case prohibited = 18
    case staleNameError = 19
    case notAuthoritative = 20
    case notSupported = 21
    case noReachableAuthority = 22
    case networkError = 23
    case invalidData = 24
    case synthesized = 29
}
