// Names answered here (RFC 6761, 6303, 7686, 9462 and others): which are, with what, and which only look as if they
// were.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct SpecialNamesTests {
    private func answer(
        _ octets: [UInt8], _ labels: Int, _ type: RecordType, _ names: SpecialNames, recordClass: UInt16 = 1
    ) -> LocalAnswer? {
        // Exactly as long as the name: a look beyond it would trap.
        var store = ByteStore(capacity: octets.count)
        store.copy(from: octets.span, range: 0..<octets.count, to: 0)
        let question = Question(
            nameLength: octets.count, labelCount: labels, type: type, recordClass: recordClass, dnssecOK: false,
            checkingDisabled: false, group: 0, nameHash: 0)
        return names.answer(question, name: store)
    }

    private func answer(_ name: String, _ type: RecordType, enabled: Bool = true) -> LocalAnswer? {
        let wire = parseName(name) ?? []
        let labels = name == "." ? 0 : name.split(separator: ".").count
        return answer(wire, labels, type, SpecialNames(enabled: enabled))
    }

    private static let one = "1." + String(repeating: "0.", count: 31) + "ip6.arpa."

    @Test func table() {
        let one = SpecialNamesTests.one
        let cases: [(String, RecordType, LocalAnswer?)] = [
            ("localhost.", .a, .loopback), ("localhost.", .aaaa, .loopback), ("a.b.localhost.", .a, .loopback),
            ("localhost.", .mx, .noData), ("localhost.", .ptr, .noData), ("localhost.", .any, .noData),
            ("invalid.", .a, .nameError), ("x.invalid.", .txt, .nameError), ("test.", .a, .nameError),
            ("www.test.", .a, .nameError), ("x.onion.", .a, .nameError), ("onion.", .soa, .nameError),
            ("printer.local.", .a, .nameError), ("local.", .soa, .nameError),
            ("resolver.arpa.", .a, .noData), ("_dns.resolver.arpa.", .svcb, .noData), ("resolver.arpa.", .ds, .noData),
            ("home.arpa.", .soa, .noData), ("home.arpa.", .ds, nil), ("x.home.arpa.", .a, .nameError),
            ("1.0.0.127.in-addr.arpa.", .ptr, .loopbackPointer), ("1.0.0.127.in-addr.arpa.", .a, .noData),
            ("127.in-addr.arpa.", .soa, .noData), ("0.127.in-addr.arpa.", .ptr, .noData),
            ("x.1.0.0.127.in-addr.arpa.", .ptr, .nameError),
            (one, .ptr, .loopbackPointer), (one, .txt, .noData), ("x." + one, .ptr, .nameError),
            ("2." + one.dropFirst(2), .ptr, nil), ("0." + one.dropFirst(2), .ptr, .noData),
            ("1.2.3.10.in-addr.arpa.", .ptr, .nameError), ("10.in-addr.arpa.", .ns, .noData),
            ("10.in-addr.arpa.", .ds, nil), ("1.1.168.192.in-addr.arpa.", .ptr, .nameError),
            ("1.1.15.172.in-addr.arpa.", .ptr, nil), ("1.1.16.172.in-addr.arpa.", .ptr, .nameError),
            ("1.1.31.172.in-addr.arpa.", .ptr, .nameError), ("1.1.32.172.in-addr.arpa.", .ptr, nil),
            ("1.1.63.100.in-addr.arpa.", .ptr, nil), ("1.1.64.100.in-addr.arpa.", .ptr, .nameError),
            ("1.1.127.100.in-addr.arpa.", .ptr, .nameError), ("1.1.128.100.in-addr.arpa.", .ptr, nil),
            ("0.0.0.0.d.f.ip6.arpa.", .ptr, .nameError), ("1.0.8.e.f.ip6.arpa.", .ptr, .nameError),
            ("1.0.c.e.f.ip6.arpa.", .ptr, nil), ("1.8.b.d.0.1.0.0.2.ip6.arpa.", .ptr, .nameError),
            // Ordinary ones, some of them nearly special.
            (".", .ns, nil), ("com.", .a, nil), ("arpa.", .ns, nil), ("in-addr.arpa.", .ns, nil),
            ("ipv4only.arpa.", .aaaa, nil), ("mylocalhost.", .a, nil), ("localhost.com.", .a, nil),
            ("contest.", .a, nil), ("xonion.", .a, nil), ("xtest.", .a, nil), ("110.in-addr.arpa.", .ptr, nil),
            ("1.8.8.8.in-addr.arpa.", .ptr, nil), ("xhome.arpa.", .a, nil), ("est.", .a, nil),
        ]
        for (name, type, expected) in cases {
            #expect(answer(name, type) == expected, "\(name) \(type.rawValue)")
        }
    }

    @Test func labelsThatOnlyLookLikeASuffix() {
        let names = SpecialNames(enabled: true)
        // One label "a\004test": its octets end as the name test. does.
        #expect(answer([6, 0x61, 4] + Array("test".utf8) + [0], 1, .a, names) == nil)
        #expect(answer([7, 0x61, 5] + Array("onion".utf8) + [0], 1, .a, names) == nil)
        #expect(answer([5] + Array("onion".utf8) + [0], 1, .a, names) == .nameError)
    }

    @Test func onionAndResolverStayWhenTheTableIsOff() {
        #expect(answer("x.onion.", .a, enabled: false) == .nameError)
        #expect(answer("_dns.resolver.arpa.", .svcb, enabled: false) == .noData)
        for name in ["localhost.", "x.test.", "x.local.", "10.in-addr.arpa.", "x.home.arpa.", SpecialNamesTests.one] {
            #expect(answer(name, .ptr, enabled: false) == nil)
        }
    }

    @Test func otherClassesGetNoAddress() {
        let localhost = parseName("localhost.") ?? []
        #expect(answer(localhost, 1, .a, SpecialNames(enabled: true), recordClass: 4) == .noData)
    }
}
