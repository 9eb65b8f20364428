// The OPT record of a response to a client (RFC 6891), with the options that we may add.
//
// ReplyWriter asks for its size first, for an answer must leave room for it, and appends it last. It must never carry
// an option that a client did not offer to understand; the caller decides that (RFC 7828 3.3.2, 8914 2).

/// An OPT record for a client.
public struct ResponseOPT: Sendable {
    public var udpSize: UInt16
    /// The whole RCODE; its upper eight bits go into the record.
    public var rcode: ResponseCode
    public var dnssecOK: Bool
    /// edns-tcp-keepalive in units of 100 ms; streams only.
    public var keepalive: UInt16?
    /// Both cookies (RFC 7873 5.2.3), for a client that sent one.
    public var cookie: CookieOption?
    /// An extended error (RFC 8914); its text is given apart.
    public var extendedError: UInt16?
    public init(udpSize: UInt16, rcode: ResponseCode, dnssecOK: Bool) {
        self.udpSize = udpSize
        self.rcode = rcode
        self.dnssecOK = dnssecOK
    }
}

/// Octets that `writeOPT` will append.
public func sizeOfOPT(_ opt: ResponseOPT, textLength: Int) -> Int { 11 + optionsLength(opt, textLength) }

private func optionsLength(_ opt: ResponseOPT, _ textLength: Int) -> Int {
    (opt.keepalive != nil ? 6 : 0) + (opt.cookie != nil ? CookieOption.size : 0)
        + (opt.extendedError != nil ? 6 + textLength : 0)
}

/// Appends the OPT record. `text` is the EXTRA-TEXT, empty for none; it goes only with an extended error.
public func writeOPT(_ opt: ResponseOPT, text: Span<UInt8>, into writer: inout ByteWriter) {
    guard writer.reserve(sizeOfOPT(opt, textLength: text.count)) else { return }
    writer.append(0)
    writer.append16(RecordType.opt.rawValue)
    writer.append16(opt.udpSize)
    // Extended RCODE, version 0; then DO and 15 bits that RFC 6891 6.1.4 wants zero.
    writer.append16((opt.rcode.rawValue >> 4) << 8)
    writer.append16(opt.dnssecOK ? 0x8000 : 0)
    writer.append16(UInt16(truncatingIfNeeded: optionsLength(opt, text.count)))
    if let keepalive = opt.keepalive {
        writer.append16(OptionCode.keepalive)
        writer.append16(2)
        writer.append16(keepalive)
    }
    if let cookie = opt.cookie { cookie.append(to: &writer) }
    if let code = opt.extendedError {
        writer.append16(OptionCode.extendedError)
        writer.append16(UInt16(truncatingIfNeeded: 2 + text.count))
        writer.append16(code)
        writer.append(text, 0..<text.count)
    }
}
