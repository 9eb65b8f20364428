// Durations, sizes, shares, rates, addresses, URLs, names, patterns: tables of texts and what they mean.

import Testing

@testable import ForwarderSettings

@Suite struct QuantityTests {
    @Test func durations() {
        let table: [(String, Int?)] = [
            ("300ms", 300_000_000), ("5m", 300_000_000_000), ("1h30m", 5_400_000_000_000), ("1.8s", 1_800_000_000),
            ("0s", 0), ("7d", 604_800_000_000_000), ("250us", 250_000), ("1m30s", 90_000_000_000),
            ("", nil), ("5", nil), ("s", nil), ("5 m", nil), ("-5s", nil), ("5x", nil), ("1m1h", nil), ("1s1s", nil),
            ("1.s", nil), (".5s", nil), ("1e3s", nil), ("99999999999999999d", nil), ("9223372036854775807s", nil),
            ("1.0000000001s", nil), ("0.5us", 500), ("٣s", nil), ("5m ", nil),
        ]
        for (text, expected) in table { #expect(Quantity.duration(text) == expected, "\(text)") }
        let back: [(Int, String)] = [
            (0, "0s"), (5_400_000_000_000, "1h30m"), (86_400_000_000_000, "1d"), (1_800_000_000, "1s800ms"),
        ]
        for (value, text) in back { #expect(Quantity.durationText(value) == text) }
    }

    @Test func sizesSharesRates() {
        let sizes: [(String, Int?)] = [
            ("64MiB", 64 << 20), ("0B", 0), ("1kB", 1_000), ("1GB", 1_000_000_000), ("1.5KiB", 1_536),
            ("2GiB", 2 << 30),
            ("64", nil), ("64mib", nil), ("64KB", nil), ("1B1B", nil), ("0.5B", nil), ("99999999999GiB", nil),
        ]
        for (text, expected) in sizes { #expect(Quantity.size(text) == expected, "\(text)") }
        #expect(Quantity.sizeText(67_108_864) == "64MiB" && Quantity.sizeText(1_000_000) == "1MB")
        for (text, expected) in [("10%", 10), ("0%", 0), ("10", nil), ("%", nil), ("1.5%", nil), ("-1%", nil)] {
            #expect(Quantity.share(text) == expected, "\(text)")
        }
        for (text, expected) in [("50/s", 50), ("0/s", 0), ("50", nil), ("50/m", nil), ("/s", nil)] {
            #expect(Quantity.rate(text) == expected, "\(text)")
        }
    }

    @Test func addresses() {
        let table: [(String, String?)] = [
            ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
            ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:192.0.2.1", "::ffff:c000:201"), ("1::8", "1::8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80::1", "fe80::1"),
            ("", nil), ("1.2.3", nil), ("1.2.3.4.5", nil), ("256.1.1.1", nil), ("01.2.3.4", nil), ("1.2.3.a", nil),
            ("1..2.3", nil), (":", nil), (":::", nil), ("1:", nil), (":1", nil), ("1::2::3", nil), ("12345::", nil),
            ("1:2:3:4:5:6:7:8:9", nil), ("1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7:8::", nil), ("g::", nil),
            ("::1.2.3.4:5", nil), ("[::1]", nil), ("fe80::1%eth0", nil), ("::1.2.3", nil),
        ]
        for (text, expected) in table { #expect(IPAddress(text)?.description == expected, "\(text)") }
    }

    @Test func blocks() {
        let table: [(String, String?)] = [
            ("10.0.0.0/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.1/32", "192.0.2.1/32"), ("2001:db8::/33", "2001:db8::/33"), ("::/0", "::/0"),
            ("2001:db8::1/128", "2001:db8::1/128"), ("2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"),
            ("10.0.0.1/8", nil), ("10.0.0.0/33", nil), ("10.0.0.0/", nil), ("10.0.0.0/-1", nil), ("10.0.0.0/8/8", nil),
            ("::1/64", nil), ("2001:db8:0:0:8000::/64", nil), ("::/129", nil), ("x/8", nil), ("", nil),
        ]
        for (text, expected) in table {
            let got = try? AddressText.parseBlock(text).get().description
            #expect(got == expected, "\(text)")
        }
    }

    @Test func namesAndPatterns() {
        let names = [
            ("9.9.9.9", "9-9-9-9"), ("2620:fe::fe", "2620-fe-fe"), ("[::1]:5353", "1-5353"), ("::", "upstream"),
            ("Dns.Quad9.NET", "dns-quad9-net"),
        ]
        for (text, expected) in names { #expect(NameCheck.made(from: text) { _ in false } == expected) }
        #expect(NameCheck.made(from: "1.1.1.1") { $0 == "1-1-1-1" } == "1-1-1-1-2")
        let long = String(repeating: "a", count: 40)
        #expect(NameCheck.made(from: long) { $0.count == 32 && !$0.hasSuffix("3") }.utf8.count == 32)
        let patterns: [(String, String, Bool)] = [
            ("a.toml", "*.toml", true), ("a.toml", "*", true), ("a.tom", "*.toml", false), (".toml", "*.toml", true),
            ("ab", "a?", true), ("a", "a?", false), ("aXbXc", "a*b*c", true), ("", "*", true), ("", "?", false),
            (String(repeating: "a", count: 200), String(repeating: "a*", count: 50) + "b", false),
        ]
        for (name, pattern, expected) in patterns {
            #expect(
                FilePattern.matches(Array(name.unicodeScalars), Array(pattern.unicodeScalars)) == expected,
                "\(name) \(pattern)")
        }
        #expect(SettingsFiles.countRange(" 0-3,8") == 5)
        #expect(SettingsFiles.countRange("0") == 1)
        for bad in ["", "x", "3-1", "0-99999999"] { #expect(SettingsFiles.countRange(Substring(bad)) == nil, "\(bad)") }
    }

    @Test func suggestions() {
        let known = ["idle_timeout", "max_connections", "profile", "level"]
        for (typed, expected) in [
            ("idle_timout", "idle_timeout"), ("max_conections", "max_connections"), ("porfile", "profile"),
            ("qwertz", nil), ("x", nil), ("levle", "level"), (String(repeating: "z", count: 100), nil),
        ] { #expect(EditDistance.nearest(to: typed, among: known) == expected, "\(typed)") }
    }
}
