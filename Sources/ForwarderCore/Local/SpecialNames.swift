// Names that never leave this machine: RFC 6761, 6303, 6762, 7686, 7793, 8375, 9462.
//
// The engine asks after intake and before the cache. It must never answer for an ordinary name, and must cost an
// ordinary name no more than one look at its last four octets. `ipv4only.arpa` is not here: RFC 8880 wants it resolved.

import DNSWire

/// What a special name is answered with.
public enum LocalAnswer: Sendable {
    case nameError
    case noData
    /// 127.0.0.1 or ::1 (localhost).
    case loopback
    /// PTR localhost. (the loopback reverse names)
    case loopbackPointer
}

/// The built-in table of special names.
public struct SpecialNames: Sendable {
    /// How the names at and below an entry are answered.
    private enum Rule {
        /// A and AAAA are the loopback address, nothing else exists (RFC 6761 6.3).
        case loopback
        /// Neither the name nor anything below it exists.
        case absent
        /// An empty zone: the name exists, nothing below it. DS lies with the parent (RFC 4035 3.1.4.1) and goes on.
        case emptyZone
        /// Everything at and below exists and has no data (RFC 9462 6.4: no designated resolver).
        case empty
        /// 127.in-addr.arpa: whole addresses point to localhost.
        case loopbackReverse
        /// The reverse name of ::1.
        case loopbackPointer
    }

    private struct Entry {
        let start: Int
        let length: Int
        let rule: Rule
        /// No route leads elsewhere, and the settings cannot switch it off.
        let isAlways: Bool
    }

    /// The entries' names one after another, and the entries by length.
    private var octets: [UInt8] = []
    private var entries: [Entry] = []
    /// Entries of length n are at `firstOfLength[n]..<firstOfLength[n + 1]`.
    private var firstOfLength: [Int] = []

    public init(enabled: Bool) {
        let table = enabled ? SpecialNames.always + SpecialNames.table : SpecialNames.always
        let named = table.map { (name: parseName($0.0) ?? [], rule: $0.1) }.sorted { $0.name.count < $1.name.count }
        let fixed = SpecialNames.always.map { parseName($0.0) ?? [] }
        for entry in named {
            entries.append(
                Entry(
                    start: octets.count, length: entry.name.count, rule: entry.rule,
                    isAlways: fixed.contains(entry.name)))
            octets += entry.name
        }
        for length in 0...((named.last?.name.count ?? 0) + 1) {
            firstOfLength.append(entries.firstIndex { $0.length >= length } ?? entries.count)
        }
    }

    /// nil = an ordinary name. `.onion` and `resolver.arpa` are answered locally even when the table is off.
    /// - Parameter isRouted: a route names a domain that the question is in: then private zones are asked for there
    ///   (RFC 6303 4). Loopback names and those two stay here all the same.
    public func answer(_ question: Question, name: borrowing ByteStore, isRouted: Bool = false) -> LocalAnswer? {
        let length = question.nameLength
        // The shortest special name is `test.`, six octets.
        guard length >= 6, SpecialNames.mayBeSpecial(name.load32(length - 5)) else { return nil }
        // From the left: the longest entry wins. Only label boundaries count; the octets of a label may look like one.
        var position = 0
        while position < length {
            if let entry = entry(name, position, length - position) {
                if isRouted && !entry.isAlways && SpecialNames.isPrivate(entry.rule) { return nil }
                return answer(question, rule: entry.rule, isApex: position == 0)
            }
            let label = Int(name[position])
            if label == 0 { return nil }
            position += label + 1
        }
        return nil
    }

    /// The last four octets of the last label, of every entry's: hos(t), (inv)alid, test, (o)nion, (l)ocal, arpa.
    @inline(__always)
    private static func mayBeSpecial(_ ending: UInt32) -> Bool {
        switch ending {
        case 0x686f_7374, 0x616c_6964, 0x7465_7374, 0x6e69_6f6e, 0x6f63_616c, 0x6172_7061: true
        default: false
        }
    }

    /// Names that somebody's own server may well know.
    private static func isPrivate(_ rule: Rule) -> Bool {
        switch rule {
        case .absent, .emptyZone: true
        case .loopback, .empty, .loopbackReverse, .loopbackPointer: false
        }
    }

    private func entry(_ name: borrowing ByteStore, _ position: Int, _ length: Int) -> Entry? {
        guard length + 1 < firstOfLength.count else { return nil }
        for index in firstOfLength[length]..<firstOfLength[length + 1] {
            let start = entries[index].start
            var i = 0
            while i < length, name[position + i] == octets[start + i] { i += 1 }
            if i == length { return entries[index] }
        }
        return nil
    }

    private func answer(_ question: Question, rule: Rule, isApex: Bool) -> LocalAnswer? {
        let isPointer = question.type == .ptr && question.recordClass == RecordClass.internet
        switch rule {
        case .loopback:
            let isAddress = question.type == .a || question.type == .aaaa
            return isAddress && question.recordClass == RecordClass.internet ? .loopback : .noData
        case .absent:
            return .nameError
        case .emptyZone:
            if isApex { return question.type == .ds ? nil : .noData }
            return .nameError
        case .empty:
            return .noData
        case .loopbackReverse:
            // d.c.b.127.in-addr.arpa has six labels; the names above it exist, nothing is below.
            if question.labelCount == 6 { return isPointer ? .loopbackPointer : .noData }
            return question.labelCount < 6 ? .noData : .nameError
        case .loopbackPointer:
            if isApex { return isPointer ? .loopbackPointer : .noData }
            return .nameError
        }
    }
}

extension SpecialNames {
    /// Never asked outside, whatever the settings say: RFC 7686 2 (MUST), RFC 9462 6.4.
    private static let always: [(String, Rule)] = [("onion", .absent), ("resolver.arpa", .empty)]

    /// The rest, when `local.special_names` is on.
    private static let table: [(String, Rule)] =
        [
            // RFC 6761 6.2 to 6.4; RFC 6762 22.1: multicast DNS is not ours to speak, and must not leak.
            ("localhost", .loopback), ("invalid", .absent), ("test", .absent), ("local", .absent),
            // RFC 8375 4.
            ("home.arpa", .emptyZone),
            ("127.in-addr.arpa", .loopbackReverse),
            ("1." + zeros(31) + "ip6.arpa", .loopbackPointer),
        ] + emptyReverseZones.map { ($0, .emptyZone) }

    /// RFC 6303 4 (without loopback, which has a name here) and RFC 7793 (100.64.0.0/10).
    private static let emptyReverseZones: [String] =
        [
            "10.in-addr.arpa", "168.192.in-addr.arpa",
            "0.in-addr.arpa", "254.169.in-addr.arpa", "255.255.255.255.in-addr.arpa",
            "2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa",
            // The unspecified address; unique local, link-local and documentation.
            zeros(32) + "ip6.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa",
            "b.e.f.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa",
        ] + (16...31).map { "\($0).172.in-addr.arpa" } + (64...127).map { "\($0).100.in-addr.arpa" }

    private static func zeros(_ count: Int) -> String { String(repeating: "0.", count: count) }
}
