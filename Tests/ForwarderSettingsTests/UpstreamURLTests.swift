// Upstream URLs and pins: tables of texts and what they mean.

import Testing

@testable import ForwarderSettings

@Suite struct UpstreamURLTests {
    /// `scheme name host:port path authority` of a good one, else the words.
    static func told(_ text: String) -> String {
        switch UpstreamURL.parse(text) {
        case .failure(let refusal): return refusal.words
        case .success(let url):
            let host = url.endpoint.map(\.description) ?? "\(url.hostName):\(url.port)"
            guard url.transport.isEncrypted else { return "\(url.transport) \(host)" }
            let name = url.name.isEmpty ? "-" : url.name
            return url.transport == .tls ? "tls \(name) \(host)" : "https \(name) \(host) \(url.path) \(url.authority)"
        }
    }

    @Test func good() {
        let table: [(String, String)] = [
            ("9.9.9.9", "udp 9.9.9.9:53"), ("udp://9.9.9.9", "udp 9.9.9.9:53"),
            ("tcp://9.9.9.9:5353", "tcp 9.9.9.9:5353"), ("[2620:fe::fe]", "udp [2620:fe::fe]:53"),
            ("2620:fe::fe", "udp [2620:fe::fe]:53"), ("udp://[::1]:5353", "udp [::1]:5353"),
            ("UDP://1.1.1.1", "udp 1.1.1.1:53"), ("udp://dns.example", "udp dns.example:53"),
            ("tcp://DNS.Example.:5353", "tcp dns.example:5353"),
            ("tls://dns.quad9.net@9.9.9.9", "tls dns.quad9.net 9.9.9.9:853"),
            ("tls://dns.example@127.0.0.1:8853", "tls dns.example 127.0.0.1:8853"),
            ("TLS://DNS.Example.@[::1]:8853", "tls dns.example [::1]:8853"),
            ("tls://dns.example", "tls dns.example dns.example:853"),
            ("tls://dns.example:8853", "tls dns.example dns.example:8853"),
            ("tls://a.example@b.example", "tls a.example b.example:853"),
            ("tls://9.9.9.9", "tls - 9.9.9.9:853"), ("tls://9.9.9.9@9.9.9.9", "tls 9.9.9.9 9.9.9.9:853"),
            ("tls://[2620:FE::fe]@[2620:fe::fe]", "tls 2620:fe::fe [2620:fe::fe]:853"),
            ("tls://2620:fe::fe@[2620:fe::fe]:853", "tls 2620:fe::fe [2620:fe::fe]:853"),
            ("https://dns.example@127.0.0.1", "https dns.example 127.0.0.1:443 /dns-query dns.example"),
            ("https://dns.example@[::1]:8443/q", "https dns.example [::1]:8443 /q dns.example:8443"),
            ("https://dns.example/", "https dns.example dns.example:443 / dns.example"),
            ("https://dns.example/a/b@c", "https dns.example dns.example:443 /a/b@c dns.example"),
            ("https://1.1.1.1@1.1.1.1", "https 1.1.1.1 1.1.1.1:443 /dns-query 1.1.1.1"),
            ("https://::1@[::1]:44/x", "https ::1 [::1]:44 /x [::1]:44"),
            ("https://[::1]/x", "https - [::1]:443 /x [::1]"),
            ("https://dns_1.xn--x-a@::1", "https dns_1.xn--x-a [::1]:443 /dns-query dns_1.xn--x-a"),
        ]
        for (text, expected) in table { #expect(UpstreamURLTests.told(text) == expected, "\(text)") }
    }

    @Test func refused() {
        let long = String(repeating: "a", count: 64)
        let table: [(String, String)] = [
            ("quic://dns.example@1.1.1.1", "uses quic://: this build has no QUIC (planned)"),
            ("h3://1.1.1.1/x", "uses h3://: this build has no QUIC (planned)"),
            ("tls://9.9.9", "is not an IP address"), ("tls://n@9.9.9:853", "is not an IP address"),
            ("tls://dns.1", "has neither an IP address nor a host name"),
            ("tls://\(long).example", "has neither an IP address nor a host name"),
            ("tls://a..example", "has neither an IP address nor a host name"),
            ("tls://-a.example", "has neither an IP address nor a host name"),
            ("tls://dns.example:", "has no port between 1 and 65535 after the name"),
            ("tls://dns.example:0", "has no port between 1 and 65535 after the name"),
            ("udp://9.9.9.9/x", "has a path: only https:// has one"),
            ("tls://n@9.9.9.9/", "has a path: only https:// has one"),
            ("udp://name@9.9.9.9", "has a TLS name, but udp:// has no TLS"),
            ("tls://@9.9.9.9", "has no TLS name before its '@'"),
            ("tls://*.example@9.9.9.9", "has a TLS name that is neither a host name nor an address"),
            ("tls://9.9.9@9.9.9.9", "has a TLS name that is neither a host name nor an address"),
            ("tls://dns.exämple@9.9.9.9", "has a TLS name that is neither a host name nor an address"),
            ("tls://user:pass@9.9.9.9", "has a TLS name that is neither a host name nor an address"),
            ("tls://a@b@9.9.9.9", "is not an IP address"),
            ("tls://9.9.9.9#name", "has a '#': a TLS name goes before the address"),
            ("https://n@9.9.9.9/dns-query?x=y", "has a query part: options belong in [[upstream]]"),
            ("https://n@9.9.9.9/dns-query{?dns}", "has a query part: options belong in [[upstream]]"),
            ("https://n@9.9.9.9/a b", "has a path with spaces or characters beyond ASCII"),
            ("https://n@9.9.9.9/\r\nx: y", "has a path with spaces or characters beyond ASCII"),
            ("https://n@9.9.9.9/" + String(repeating: "x", count: 1_024), "has a path of more than 1024 octets"),
            ("ftp://9.9.9.9", "has an unknown scheme 'ftp'"), ("udp://", "is not an IP address"),
            ("tls://", "is not an IP address"), ("tls://n@", "is not an IP address"), ("", "is empty"),
            ("9.9.9.9:0", "has no port between 1 and 65535 after the address"),
            ("9.9.9.9:65536", "has no port between 1 and 65535 after the address"),
            ("[::1", "has no closing ]"), ("[::1]x", "has no port between 1 and 65535 after the address"),
            ("[1.2.3.4]", "has no IPv6 address in its brackets"), ("1:2:3", "is not an IPv6 address"),
            ("[fe80::1%eth0]", "has a zone (%), which is not supported yet"),
        ]
        for (text, expected) in table { #expect(UpstreamURLTests.told(text) == expected, "\(text)") }
    }

    @Test func pins() throws {
        // SHA-256 of nothing, and octets of ones: +, / and the last character's spare bits.
        let empty = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        #expect(try PinText.parse(empty).get().prefix(4) == [0xe3, 0xb0, 0xc4, 0x42])
        #expect(try PinText.parse(empty).get().suffix(2) == [0xb8, 0x55])
        let ones = "sha256/" + String(repeating: "/", count: 42) + "8="
        #expect(try PinText.parse(ones).get() == [UInt8](repeating: 255, count: 32))
        let form = "is no pin: write \"sha256/\" and the base64 of the key's SHA-256"
        let table: [(String, String)] = [
            ("", form), ("sha1/xx", form), ("SHA256/x", form), (String(empty.dropFirst(7)), form),
            ("sha256/", "has 0 characters after \"sha256/\", not the 44 of a SHA-256"),
            (String(empty.dropLast()), "has 43 characters after \"sha256/\", not the 44 of a SHA-256"),
            (empty + "=", "has 45 characters after \"sha256/\", not the 44 of a SHA-256"),
            (String(empty.dropLast()) + "U", "is not base64"), (String(ones.dropLast(2)) + "9=", "is not base64"),
            (ones.replacing("//8=", with: "_/8="), "is not base64"),
            (String(ones.dropLast(2)) + "==", "is not base64"),
        ]
        for (text, expected) in table {
            guard case .failure(let refusal) = PinText.parse(text) else {
                Issue.record("\(text) is taken")
                continue
            }
            #expect(refusal.words == expected, "\(text)")
        }
    }
}
