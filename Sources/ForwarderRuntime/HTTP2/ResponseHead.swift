// The header fields of one response, as far as they matter to a DNS answer.
//
// A stream of HTTP2Session owns one and notes fields as nghttp2 decodes them; nghttp2 has checked their form (lower
// case names, one :status). Unknown fields cost a comparison of lengths. It must never keep a field's octets. RFC 8484
// sections 4.2 and 5.1, RFC 9110 sections 8.3, 10.2.3 and 15, RFC 9111 sections 4.2, 5.1 and 5.2.2.

import ForwarderCore

/// What the header section of a response said.
struct ResponseHead {
    /// The largest DNS message, and so the largest body.
    static let bodyLimit = 65_535
    /// Seconds: a server may not take itself out of service for longer, nor ask to be asked again at once.
    static let retryBounds = 1...3600

    private(set) var status = 0
    private(set) var contentLength: Int?
    private(set) var age: UInt32 = 0
    private(set) var maxAge: UInt32?
    private(set) var retryAfter: Int?
    private var isMessage = false
    /// A second content type that differs, or an encoding that was not asked for.
    private var isForeign = false
    /// The final (not 1xx) header section is over: what comes later are trailers.
    private(set) var isComplete = false

    init() {}

    var isInformational: Bool { (100..<200).contains(status) }
    /// What is left of the freshness lifetime.
    var freshness: UInt32? { maxAge.map { $0 > age ? $0 - age : 0 } }

    /// Notes one field. Fields of trailers are ignored.
    mutating func note(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        guard !isComplete else { return }
        switch name.count {
        case 3 where name.equals("age"):
            // Of several the largest is the safe one, an unreadable one is ignored (RFC 9111 section 5.1).
            age = max(age, value.decimal() ?? 0)
        case 7 where name.equals(":status"):
            status = value.decimal().map { Int($0) } ?? 0
        case 11 where name.equals("retry-after"):
            // The form with a date is left out: it needs both clocks to agree.
            retryAfter = value.decimal().map { seconds in
                min(max(Int(seconds), ResponseHead.retryBounds.lowerBound), ResponseHead.retryBounds.upperBound)
            }
        case 12 where name.equals("content-type"):
            if ResponseHead.isDNSMessage(value) { isMessage = true } else { isForeign = true }
        case 13 where name.equals("cache-control"):
            if let found = ResponseHead.maxAge(in: value) { maxAge = min(maxAge ?? found, found) }
        case 14 where name.equals("content-length"):
            contentLength = value.decimal().map { Int($0) }
        case 16 where name.equals("content-encoding"):
            // None was accepted, so the body would not be a message.
            if !value.equalsIgnoringCase("identity") { isForeign = true }
        default: break
        }
    }

    /// The header section is over. Returns why the response cannot be an answer, nil when it can.
    mutating func complete() -> RequestFailure? {
        isComplete = true
        guard (200..<300).contains(status) else {
            if status == 429 || status == 503, let retryAfter { return .retryAfter(retryAfter) }
            return .status(status)
        }
        if !isMessage || isForeign { return .contentType }
        if let contentLength, contentLength > ResponseHead.bodyLimit { return .tooLong }
        return nil
    }

    /// A media type in any letter case, with or without parameters (RFC 9110 section 8.3.1).
    static func isDNSMessage(_ value: Span<UInt8>) -> Bool {
        var end = 0
        while end < value.count, value[end] != UInt8(ascii: ";") { end += 1 }
        return value.extracting(0..<end).trimmed { $0.equalsIgnoringCase("application/dns-message") }
    }

    /// The smallest max-age of a Cache-Control field; a list of directives, quoted arguments allowed.
    static func maxAge(in value: Span<UInt8>) -> UInt32? {
        var found: UInt32?
        var start = 0
        while start < value.count {
            var end = start
            while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
            if let seconds = value.extracting(start..<end).trimmed({ directiveSeconds($0) }) {
                found = min(found ?? seconds, seconds)
            }
            start = end + 1
        }
        return found
    }

    private static func directiveSeconds(_ directive: Span<UInt8>) -> UInt32? {
        let prefix = 8
        guard directive.count > prefix, directive.extracting(0..<prefix).equalsIgnoringCase("max-age=") else {
            return nil
        }
        let quote = UInt8(ascii: "\"")
        let last = directive.count - 1
        if directive[prefix] == quote, directive[last] == quote, last > prefix {
            return directive.extracting(prefix + 1..<last).decimal()
        }
        return directive.extracting(prefix..<directive.count).decimal()
    }
}
