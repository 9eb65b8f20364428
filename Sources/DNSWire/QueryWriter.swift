// Builds the query that goes upstream, and compares a response's question with what was sent.
//
// The engine calls it for each attempt. Everything is made anew: nothing of the client's OPT may pass, for RFC 6891 is
// hop by hop (RFC 7871 and 7873 options too). Letter case is randomised as draft-vixie-dnsext-dns0x20 describes.

/// A client subnet option to send (RFC 7871): the prefix's octets, most significant first in `high`, `low`; an IPv4
/// address is the top 32 bits of `high`. Bits after the prefix are not sent.
public struct ClientSubnet: Equatable, Sendable {
    public var isIPv6: Bool
    public var prefixLength: UInt8
    public var high: UInt64
    public var low: UInt64
    public init(isIPv6: Bool, prefixLength: UInt8, high: UInt64, low: UInt64) {
        self.isIPv6 = isIPv6
        self.prefixLength = prefixLength
        self.high = high
        self.low = low
    }
}

/// What an upstream query says besides its name. RD and AD are always set (RFC 6840 5.7).
public struct UpstreamQuery: Sendable {
    public var id: UInt16
    public var type: RecordType
    public var recordClass: UInt16
    public var checkingDisabled = false
    public var dnssecOK = false
    /// Octet i of the name, when a letter, is written upper-case where bit i % 64 is set (0x20); 0 = folded.
    public var caseBits: UInt64 = 0
    /// False only for the one retry without EDNS.
    public var hasEDNS = true
    public var udpSize: UInt16 = 1232
    /// Octets of the cookie option (8, or 16 to 40), 0 = none; read from `cookies` at `cookieOffset`.
    public var cookieLength = 0
    public var cookieOffset = 0
    /// An empty edns-tcp-keepalive option; streams only (RFC 7828).
    public var hasKeepalive = false
    public var clientSubnet: ClientSubnet?
    /// The whole message is padded to a multiple of this (RFC 7830, 8467); 0 = not. Encrypted transports only.
    public var paddingBlock = 0
    /// Octets of the padding option's value, once the size is known; nil = no such option.
    fileprivate var padding: Int?
    public init(id: UInt16, type: RecordType, recordClass: UInt16) {
        self.id = id
        self.type = type
        self.recordClass = recordClass
    }
}

/// Appends the query. `name` holds the folded name at `nameOffset`. Returns the octets written; 0, and nothing is
/// written, when the writer's limit forbids it.
public func writeQuery(
    _ query: UpstreamQuery, name: borrowing ByteStore, nameOffset: Int, nameLength: Int, cookies: borrowing ByteStore,
    into writer: inout ByteWriter
) -> Int {
    var query = query
    let bare = Header.size + nameLength + 4
    if query.hasEDNS && query.paddingBlock > 0 {
        let length = bare + 11 + query.optionsLength + 4
        query.padding = (query.paddingBlock - length % query.paddingBlock) % query.paddingBlock
    }
    let size = bare + (query.hasEDNS ? 11 + query.optionsLength : 0)
    guard writer.reserve(size) else { return 0 }
    writer.append16(query.id)
    // RFC 6840 5.7: AD asks for the AD bit of the response.
    let checking = query.checkingDisabled ? Header.checkingDisabled : 0
    writer.append16(Header.recursionDesired | Header.authenticData | checking)
    writer.append16(1)
    writer.append16(0)
    writer.append16(0)
    writer.append16(query.hasEDNS ? 1 : 0)
    let start = writer.count
    writer.append(name, nameOffset..<nameOffset + nameLength)
    if query.caseBits != 0 { raiseLetters(query.caseBits, &writer.bytes, at: start, length: nameLength) }
    writer.append16(query.type.rawValue)
    writer.append16(query.recordClass)
    if query.hasEDNS { writeUpstreamOPT(query, cookies: cookies, into: &writer) }
    return size
}

extension UpstreamQuery {
    /// Octets of the options in the OPT record.
    fileprivate var optionsLength: Int {
        (cookieLength > 0 ? 4 + cookieLength : 0) + (hasKeepalive ? 4 : 0) + (clientSubnet?.optionLength ?? 0)
            + (padding.map { 4 + $0 } ?? 0)
    }
}

extension ClientSubnet {
    /// Octets of the address that are sent: whole octets of the prefix (RFC 7871 6).
    fileprivate var octets: Int { (min(Int(prefixLength), isIPv6 ? 128 : 32) + 7) / 8 }
    fileprivate var optionLength: Int { 8 + octets }
}

/// Writes lower-case letters of a folded name upper-case where their bit is set (0x20).
private func raiseLetters(_ bits: UInt64, _ store: inout ByteStore, at start: Int, length: Int) {
    var i = 0
    while i < length {
        let count = min(8, length - i)
        let word = EightOctets.load(store, start + i, count)
        let letters = EightOctets.between(word, UInt8(ascii: "a"), UInt8(ascii: "z"))
        let raised = letters & EightOctets.spread(bits >> UInt64(i & 63))
        EightOctets.store(word ^ raised >> 2, count, into: &store, at: start + i)
        i += 8
    }
}

/// The OPT record toward an upstream: our size, version 0, DO, our options.
private func writeUpstreamOPT(_ query: UpstreamQuery, cookies: borrowing ByteStore, into writer: inout ByteWriter) {
    writer.append(0)
    writer.append16(RecordType.opt.rawValue)
    writer.append16(query.udpSize)
    writer.append16(0)
    writer.append16(query.dnssecOK ? 0x8000 : 0)
    writer.append16(UInt16(truncatingIfNeeded: query.optionsLength))
    if query.cookieLength > 0 {
        writer.append16(OptionCode.cookie)
        writer.append16(UInt16(truncatingIfNeeded: query.cookieLength))
        writer.append(cookies, query.cookieOffset..<query.cookieOffset + query.cookieLength)
    }
    if query.hasKeepalive {
        writer.append16(OptionCode.keepalive)
        writer.append16(0)
    }
    if let subnet = query.clientSubnet { writeClientSubnet(subnet, into: &writer) }
    if let padding = query.padding {
        // Last, and zeros: RFC 8467 4.1, RFC 7830 3.
        writer.append16(OptionCode.padding)
        writer.append16(UInt16(truncatingIfNeeded: padding))
        writer.appendZeros(padding)
    }
}

/// RFC 7871 6: family, source prefix, scope 0, the prefix's octets with the bits after it zero.
private func writeClientSubnet(_ subnet: ClientSubnet, into writer: inout ByteWriter) {
    let bits = min(Int(subnet.prefixLength), subnet.isIPv6 ? 128 : 32)
    writer.append16(OptionCode.clientSubnet)
    writer.append16(UInt16(truncatingIfNeeded: 4 + subnet.octets))
    writer.append16(subnet.isIPv6 ? 2 : 1)
    writer.append(UInt8(truncatingIfNeeded: bits))
    writer.append(0)
    for i in 0..<subnet.octets {
        let word = i < 8 ? subnet.high : subnet.low
        let octet = UInt8(truncatingIfNeeded: word >> UInt64(56 - (i & 7) * 8))
        let kept = min(8, bits - i * 8)
        writer.append(octet & UInt8(truncatingIfNeeded: 0xff00 >> kept))
    }
}

/// How a response's question compares with the one that was asked.
public enum QuestionMatch: Sendable {
    /// Name (byte for byte, with the case that was sent), type and class are the same.
    case exact
    /// The same but for letter case.
    case caseDiffers
    /// QDCOUNT is 0.
    case absent
    case differs
}

/// Compares the question of `message` with the folded name at `nameOffset` as sent with `caseBits`.
public func compareQuestion(
    _ message: Span<UInt8>, name: borrowing ByteStore, nameOffset: Int, nameLength: Int, type: RecordType,
    recordClass: UInt16, caseBits: UInt64
) -> QuestionMatch {
    guard message.count >= Header.size else { return .differs }
    let questions = message.load16(Header.questionCountOffset)
    if questions == 0 { return .absent }
    let end = Header.size + nameLength
    guard questions == 1, end + 4 <= message.count, message.load16(end) == type.rawValue,
        message.load16(end + 2) == recordClass
    else { return .differs }
    var sameCase = true
    for i in 0..<nameLength {
        let folded = name[nameOffset + i]
        let isLetter = folded >= UInt8(ascii: "a") && folded <= UInt8(ascii: "z")
        let sent = isLetter && caseBits >> UInt64(i & 63) & 1 != 0 ? folded ^ 0x20 : folded
        let got = message[Header.size + i]
        if got == sent { continue }
        guard isLetter, got | 0x20 == folded else { return .differs }
        sameCase = false
    }
    return sameCase ? .exact : .caseDiffers
}
