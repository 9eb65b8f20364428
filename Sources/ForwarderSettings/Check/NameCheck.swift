// Names that users give to groups and upstreams, and names made from URLs. Bounded and plain, because they become
// labels of metrics and fields of log lines.

/// Rules of names.
enum NameCheck {
    static let longest = 32

    static func isGood(_ name: String) -> Bool {
        (1...longest).contains(name.utf8.count) && name.utf8.allSatisfy(isPlain)
    }

    static func problem(_ what: String, _ name: String, at place: SourcePlace?) -> SettingsProblem? {
        guard !isGood(name) else { return nil }
        return SettingsProblem("\(what) name '\(name)' must be 1 to 32 of a-z, 0-9 and -", at: place)
    }

    /// `dns.quad9.net` is `dns-quad9-net`, `2620:fe::fe` is `2620-fe-fe`; made unique by a number.
    static func made(from text: String, taken: (String) -> Bool) -> String {
        var base = ""
        for octet in text.utf8 {
            let lower = (0x41...0x5a).contains(octet) ? octet + 0x20 : octet
            if isPlain(lower), lower != UInt8(ascii: "-") {
                base.unicodeScalars.append(Unicode.Scalar(lower))
            } else if !base.isEmpty, base.last != "-" {
                base += "-"
            }
        }
        base = String(base.prefix(longest))
        while base.last == "-" { base.removeLast() }
        if base.isEmpty { base = "upstream" }
        guard taken(base) else { return base }
        for number in 2...10_000 {
            let suffix = "-\(number)"
            let candidate = base.prefix(longest - suffix.count) + suffix
            if !taken(String(candidate)) { return String(candidate) }
        }
        return base
    }

    private static func isPlain(_ octet: UInt8) -> Bool {
        (0x61...0x7a).contains(octet) || (0x30...0x39).contains(octet) || octet == UInt8(ascii: "-")
    }
}
