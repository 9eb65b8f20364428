// Types of records by name, as routes and the probe's question have them. The names are those of IANA's registry that
// clients ask for; every other one can be written as a number (RFC 3597 section 5). Called by RouteBuilder and
// HealthBuilder.

/// Names of record types.
enum RecordType {
    static let names: [(name: String, number: UInt16)] = [
        ("A", 1), ("NS", 2), ("CNAME", 5), ("SOA", 6), ("PTR", 12), ("HINFO", 13), ("MX", 15), ("TXT", 16), ("RP", 17),
        ("AFSDB", 18), ("KEY", 25), ("AAAA", 28), ("LOC", 29), ("SRV", 33), ("NAPTR", 35), ("KX", 36), ("CERT", 37),
        ("DNAME", 39), ("APL", 42), ("DS", 43), ("SSHFP", 44), ("IPSECKEY", 45), ("RRSIG", 46), ("NSEC", 47),
        ("DNSKEY", 48), ("DHCID", 49), ("NSEC3", 50), ("NSEC3PARAM", 51), ("TLSA", 52), ("SMIMEA", 53), ("HIP", 55),
        ("CDS", 59), ("CDNSKEY", 60), ("OPENPGPKEY", 61), ("CSYNC", 62), ("ZONEMD", 63), ("SVCB", 64), ("HTTPS", 65),
        ("SPF", 99), ("EUI48", 108), ("EUI64", 109), ("ANY", 255), ("URI", 256), ("CAA", 257), ("DLV", 32_769),
    ]

    /// What is wrong: the words after the text itself, and the nearest name.
    struct Refusal: Error, Equatable {
        let words: String
        var near: String?
    }

    /// `AAAA`, in any letter case, or `TYPE28`.
    static func parse(_ text: some StringProtocol) -> Result<UInt16, Refusal> {
        let upper = text.uppercased()
        if let known = names.first(where: { $0.name == upper }) { return .success(known.number) }
        let digits = upper.dropFirst(4)
        guard upper.hasPrefix("TYPE"), (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits)
        else {
            let near = EditDistance.nearest(to: upper.lowercased(), among: names.map { $0.name.lowercased() })
            return .failure(Refusal(words: "is not a record type", near: near?.uppercased()))
        }
        // 0 is reserved, OPT is no question, and those before ANY are about transfers and signatures (RFC 6895 3.1).
        guard number > 0, number != 41, !(128...254).contains(number) else {
            return .failure(Refusal(words: "is not a type that can be asked for"))
        }
        return .success(number)
    }
}
