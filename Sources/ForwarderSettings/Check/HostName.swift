// Host names as they stand in upstream URLs and as TLS names: letters, digits, - and _ in labels (RFC 1123 section 2.1;
// the underscore is in use). Called by UpstreamURL. Nothing is resolved here, and no other alphabet is translated: a
// certificate holds the form with xn-- (RFC 5890).

/// Rules of host names.
enum HostName {
    /// Lower case and without a final dot; nil when it is none. A last label of digits alone is a slip in an IPv4
    /// address, not a name.
    static func normalized(_ text: some StringProtocol) -> String? {
        var octets = Array(text.utf8)
        if octets.last == UInt8(ascii: ".") { octets.removeLast() }
        guard (1...253).contains(octets.count) else { return nil }
        let labels = octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...63).contains(label.count), label.allSatisfy(isPlain), label.first != UInt8(ascii: "-"),
                label.last != UInt8(ascii: "-")
            else { return nil }
        }
        guard let last = labels.last, !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return String(decoding: octets.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func isPlain(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
