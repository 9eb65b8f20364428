// Record types, classes and RCODEs of the tests by their mnemonics.

/// Mnemonics of the numbers that scenarios speak of (IANA DNS parameters).
enum TestType {
    static let types: [String: UInt16] = [
        "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
        "DNAME": 39, "OPT": 41, "DS": 43, "RRSIG": 46, "NSEC": 47, "HTTPS": 65, "IXFR": 251, "AXFR": 252, "ANY": 255,
    ]
    static let classes: [String: UInt16] = ["IN": 1, "CH": 3, "HS": 4, "ANY": 255]
    static let rcodes: [String: UInt16] = [
        "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6,
        "BADVERS": 16, "BADCOOKIE": 23,
    ]
    static let opcodes: [String: UInt16] = ["QUERY": 0, "IQUERY": 1, "STATUS": 2, "NOTIFY": 4, "UPDATE": 5]

    static func type(_ word: String) -> UInt16? {
        types[word] ?? (word.hasPrefix("TYPE") ? UInt16(word.dropFirst(4)) : nil)
    }
    static func recordClass(_ word: String) -> UInt16? {
        classes[word] ?? (word.hasPrefix("CLASS") ? UInt16(word.dropFirst(5)) : nil)
    }
    static func typeName(_ value: UInt16) -> String { types.first { $0.value == value }?.key ?? "TYPE\(value)" }
    static func className(_ value: UInt16) -> String {
        value == 255 ? "ANY" : classes.first { $0.value == value }?.key ?? "CLASS\(value)"
    }
    static func rcodeName(_ value: UInt16) -> String { rcodes.first { $0.value == value }?.key ?? "RCODE\(value)" }

    /// Types whose RDATA holds names that may be compressed (RFC 3597 4), or that compare without case.
    static let namedTypes: Set<UInt16> = [2, 5, 6, 12, 15, 33, 39]
}
