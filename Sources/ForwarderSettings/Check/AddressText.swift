// ADDR[:PORT] and CIDR blocks as written, with what is wrong in words. Called for listeners, upstreams, access lists
// and the client subnet. A host name is told apart from garbage, since its cure is another one.

/// Parsing of addresses with ports and of blocks.
enum AddressText {
    /// What is wrong: the words after the text itself.
    struct Refusal: Error, Equatable {
        let words: String
        var help: String?
        /// The text is a host name.
        var isName = false
    }

    /// `192.0.2.1`, `192.0.2.1:53`, `[::1]`, `[::1]:53`; IPv6 without a port may stand without brackets.
    static func parse(_ text: Substring, port: UInt16) -> Result<AddressAndPort, Refusal> {
        if text.contains("%") { return refuse("has a zone (%), which is not supported yet") }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return refuse("has no closing ]") }
            let inside = text[text.index(after: text.startIndex)..<end]
            guard let address = IPAddress(inside), address.isIPv6 else {
                return refuse("has no IPv6 address in its brackets")
            }
            return withPort(address, text[text.index(after: end)...], port)
        }
        if let address = IPAddress(text) {
            return .success(AddressAndPort(address: address, port: port))
        }
        let colons = text.filter { $0 == ":" }.count
        if colons > 1 {
            return refuse("is not an IPv6 address", "with a port, write [ADDRESS]:PORT")
        }
        let host = text.prefix { $0 != ":" }
        if let address = IPAddress(host) { return withPort(address, text[host.endIndex...], port) }
        let isName =
            !host.isEmpty && host.utf8.allSatisfy { $0 == 0x2d || $0 == 0x2e || $0 == 0x5f || isAlphanumeric($0) }
            && host.contains { $0.isLetter }
        if isName {
            return .failure(
                Refusal(
                    words: "is a host name, not an address", help: "write the address of \(host)", isName: true))
        }
        return refuse("is not an IP address")
    }

    /// `dns.example`, `dns.example:53`: the name in lower case, and the port.
    static func parseName(_ text: Substring, port: UInt16) -> Result<(String, UInt16), Refusal> {
        let host = text.prefix { $0 != ":" }
        guard let name = HostName.normalized(host) else {
            return .failure(Refusal(words: "has neither an IP address nor a host name"))
        }
        let rest = text[host.endIndex...]
        if rest.isEmpty { return .success((name, port)) }
        guard let written = number(rest.dropFirst(), most: 65_535), written > 0 else {
            return .failure(Refusal(words: "has no port between 1 and 65535 after the name"))
        }
        return .success((name, UInt16(written)))
    }

    /// `10.0.0.0/8`, or an address alone. Bits after the prefix are an error: they hide a slip.
    static func parseBlock(_ text: String) -> Result<AddressBlock, Refusal> {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = IPAddress(first) else {
            return .failure(Refusal(words: "is not an address block", help: "write ADDRESS/LENGTH, as in 10.0.0.0/8"))
        }
        guard parts.count == 2 else {
            return .success(AddressBlock(address: address, prefixLength: address.width))
        }
        guard let length = number(parts[1], most: address.width) else {
            return .failure(Refusal(words: "has no prefix length between 0 and \(address.width)"))
        }
        let masked = address.masked(to: length)
        guard masked == address else {
            let block = AddressBlock(address: masked, prefixLength: length)
            return .failure(Refusal(words: "has host bits set", help: "write \"\(block)\""))
        }
        return .success(AddressBlock(address: address, prefixLength: length))
    }

    private static func withPort(
        _ address: IPAddress, _ rest: Substring, _ port: UInt16
    ) -> Result<AddressAndPort, Refusal> {
        if rest.isEmpty { return .success(AddressAndPort(address: address, port: port)) }
        guard rest.first == ":", let written = number(rest.dropFirst(), most: 65_535), written > 0 else {
            return refuse("has no port between 1 and 65535 after the address")
        }
        return .success(AddressAndPort(address: address, port: UInt16(written)))
    }

    private static func number(_ text: Substring, most: Int) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = Int(text), value <= most
        else { return nil }
        return value
    }

    private static func isAlphanumeric(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x41...0x5a).contains(octet) || (0x61...0x7a).contains(octet)
    }

    private static func refuse(_ words: String, _ help: String? = nil) -> Result<AddressAndPort, Refusal> {
        .failure(Refusal(words: words, help: help))
    }
}
