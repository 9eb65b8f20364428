// The first decision about a client's message: silence, an error at once, an answer of our own, or on to the cache.
//
// The engine calls it with the parser's facts. Every well-formed query gets some reply (RFC 8906); silence is for what
// could make two servers talk to each other (QR=1) or is no message. It must never look at the cache or at RD: RD=0 is
// the engine's, for it is answered from the cache. RFC 5936, 6891 6.1.3, 6895 3, 8482, 9619, 7873 5.4, 9824 3.5.

import DNSWire

/// Why a message got no reply.
public enum DropReason: Int, Sendable, CaseIterable {
    case malformed, notQuery, accessDenied
    /// At `max_inflight`, with `overload = "drop"`.
    case overload
    /// Older than any client's patience when the table was full.
    case impatient
    /// By `rate_limit`.
    case rate
    /// By a route with `action = "drop"`.
    case routed
}

/// What intake decides.
public enum IntakeVerdict: Sendable {
    case drop(DropReason)
    /// Reply with this RCODE; the question is echoed where it could be read. `extendedError` goes into an OPT if owed.
    case refuse(ResponseCode, ExtendedErrorCode?)
    /// The minimal answer to ANY (RFC 8482): one HINFO "RFC8482".
    case minimalAny
    /// A TXT answer with the configured identity (class CH).
    case identity
    /// No question, only a COOKIE option: NOERROR with the cookie, or BADCOOKIE if one came that is none of ours.
    case cookieRequest
    case ask
}

/// The rules of intake, from settings.
public struct QueryIntake: Sendable {
    private let anyQuery: AnyPolicy
    private let hasIdentity: Bool

    public init(settings: EngineSettings) {
        anyQuery = settings.anyQuery
        hasIdentity = !settings.identity.isEmpty
    }

    /// `name` holds the folded name at 0 when the question could be read.
    public func judge(_ query: ParsedQuery, name: borrowing ByteStore) -> IntakeVerdict {
        switch query.problem {
        case .short: return .drop(.malformed)
        case .isResponse: return .drop(.notQuery)
        case .opcode: return .refuse(.notImplemented, .notSupported)
        case .questionCount, .question, .records, .opt, .cookie: return .refuse(.formatError, nil)
        case .version: return .refuse(.badVersion, nil)
        case nil: break
        }
        if query.asksOnlyForCookie { return .cookieRequest }
        if let refusal = refusalOfType(query.type) { return refusal }
        switch query.recordClass {
        case RecordClass.internet:
            break
        case RecordClass.chaos:
            let isAsked = query.type == .txt || query.type == .any
            let isOurs = isAsked && hasIdentity && ChaosName.isIdentity(name, length: query.nameLength)
            return isOurs ? .identity : .refuse(.refused, .notSupported)
        case 0, RecordClass.none, RecordClass.any:
            // No data has these classes (RFC 6895 3.2): nothing to forward, nothing to cache.
            return .refuse(.refused, .notSupported)
        default:
            // Hesiod and unknown classes go through (RFC 3597 3).
            break
        }
        if query.type == .any {
            switch anyQuery {
            case .minimal: return .minimalAny
            case .refuse: return .refuse(.refused, .notSupported)
            case .forward: break
            }
        }
        return .ask
    }

    /// Types that ask for something other than data (RFC 6895 3.1). Unassigned ones go through (RFC 5625 4.3).
    private func refusalOfType(_ type: RecordType) -> IntakeVerdict? {
        switch type.rawValue {
        // A zone transfer is not a recursive service's to give (RFC 5936 5).
        case RecordType.axfr.rawValue, RecordType.ixfr.rawValue: .refuse(.refused, .notSupported)
        // 0 is no type; OPT, NXNAME (RFC 9824 3.5) and TSIG are never a question.
        case 0, RecordType.opt.rawValue, 128, 250: .refuse(.formatError, nil)
        // TKEY would make keys with us, MAILB and MAILA are obsolete.
        case 249, 253, 254: .refuse(.notImplemented, .notSupported)
        default: nil
        }
    }
}

/// The names in class CH that tell who answers (RFC 4892, and BIND's older habit).
private enum ChaosName {
    private static let names = ["id.server", "version.server", "version.bind", "hostname.bind"].map {
        parseName($0) ?? []
    }

    static func isIdentity(_ name: borrowing ByteStore, length: Int) -> Bool {
        for candidate in names where candidate.count == length {
            var i = 0
            while i < length, name[i] == candidate[i] { i += 1 }
            if i == length { return true }
        }
        return false
    }
}
