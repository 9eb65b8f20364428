// Encrypted upstreams: what is made of good files, and the mistakes with their places.

import Testing

@testable import ForwarderSettings

@Suite struct SecurityTests {
    static let pin = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

    /// The settings file of the benchmark, for one upstream.
    static func benchmark(_ url: String) -> String {
        """
        [server]
        listen = ["127.0.0.1:5300"]
        workers = 1
        max_inflight = 20000
        max_inflight_per_client = 0
        [group.default]
        upstreams = ["\(url)"]
        hedge = "off"
        [cache]
        size = "512MiB"
        persist = false
        [health]
        mode = "off"
        [local]
        hosts = []
        [status]
        listen = ""
        [control]
        socket = ""

        [tls]
        ca = "/tmp/ca.pem"
        """
    }

    @Test func benchmarkFiles() throws {
        for (url, name, authority) in [
            ("tls://bench.example@127.0.0.1:5402", "bench-example-5402", ""),
            ("https://bench.example@127.0.0.1:5403/dns-query", "bench-example-5403", "bench.example:5403"),
        ] {
            let outcome = load(SecurityTests.benchmark(url), beside: ["/tmp/ca.pem": "x"])
            #expect(rendered(outcome) == "")
            let upstream = try #require(outcome.settings?.upstreams.first)
            #expect(upstream.name == name && upstream.endpoints.count == 1 && upstream.hostName.isEmpty)
            let security = try #require(upstream.security)
            #expect(security.name == "bench.example" && security.verify && security.ca == "/tmp/ca.pem")
            #expect(security.authority == authority && security.path == (authority.isEmpty ? "" : "/dns-query"))
        }
    }

    @Test func everyKey() throws {
        let outcome = load(
            """
            upstreams = ["a", "b", "c", "udp://10.0.0.9", "tls://x.example@10.0.0.9", "tls://y.example@10.0.0.9",
                "tls://x.example@10.0.0.9:854", "https://x.example@10.0.0.9", "https://x.example@10.0.0.9/other"]
            [tls]
            min_version = "1.3"
            ca = "ca.pem"
            resumption = false
            keylog = "/tmp/keys"
            [dns]
            padding = 468
            [[upstream]]
            name = "a"
            url = "https://dns.example@10.0.0.1:8443/q"
            addresses = ["10.0.0.1", "10.0.0.2:444", "[::2]", "::3"]
            pins = ["\(SecurityTests.pin)"]
            ca = "system"
            http_method = "GET"
            [[upstream]]
            name = "b"
            url = "tls://10.0.0.2"
            verify = "off"
            [[upstream]]
            name = "c"
            url = "tls://dns.example"
            addresses = ["10.0.0.3"]
            ca = "/other.pem"
            """, beside: ["/etc/ca.pem": "x", "/other.pem": "x"])
        #expect(
            brief(outcome) == [
                "7:10 'tls.keylog' writes the keys of all TLS connections to /tmp/keys: whoever reads it can read "
                    + "every query",
                "20:10 upstream 'b' is not verified (verify = \"off\"): anyone on the way can answer for it",
            ])
        #expect(outcome.errorCount == 0)
        let settings = try #require(outcome.settings)
        var tls = Settings.TLS()
        tls.minVersion = .v13
        tls.ca = "/etc/ca.pem"
        tls.resumption = false
        tls.keylog = "/tmp/keys"
        #expect(settings.tls == tls && settings.dns.padding == 468 && settings.bootstrap.isEmpty)
        #expect(settings.upstreams.count == 9, "scheme, name, address, port and path tell upstreams apart")
        #expect(Set(settings.upstreams.map(\.name)).count == 9)
        let (a, b, c) = (settings.upstreams[0], settings.upstreams[1], settings.upstreams[2])
        #expect(
            a.endpoints.map(\.description) == ["10.0.0.1:8443", "10.0.0.2:444", "[::2]:8443", "[::3]:8443"])
        #expect(a.transport == .https && a.security?.method == .get && a.security?.ca == "")
        #expect(a.security?.pins.first?.count == 32 && a.security?.path == "/q")
        #expect(a.security?.authority == "dns.example:8443")
        #expect(b.security?.verify == false && b.security?.name == "" && b.security?.ca == "/etc/ca.pem")
        #expect(c.hostName.isEmpty && c.endpoints.map(\.description) == ["10.0.0.3:853"])
        #expect(c.security?.name == "dns.example" && c.security?.ca == "/other.pem")
        #expect(settings.upstreams[3].security == nil)
        let shown = renderEffective(outcome)
        for line in ["min_version = \"1.3\"", "verify = \"off\"", "padding = 468"] { #expect(shown.contains(line)) }
        let again = load(shown, beside: ["/etc/ca.pem": "x", "/other.pem": "x"])
        #expect(again.errorCount == 0 && again.settings == outcome.settings, "\(rendered(again))")
    }

    @Test func bootstrap() throws {
        let file = "upstreams = [\"tls://dns.example\", \"udp://ns.example:5300\", \"9.9.9.9\"]\n"
        let byDefault = try #require(load(file).settings)
        #expect(byDefault.upstreams.map(\.hostName) == ["dns.example", "ns.example", ""])
        #expect(byDefault.upstreams.map(\.port) == [853, 5300, 53])
        #expect(byDefault.bootstrap.flatMap(\.endpoints).map(\.description) == ["9.9.9.9:53", "1.1.1.1:53"])
        #expect(byDefault.bootstrap.map(\.name) == ["bootstrap-9-9-9-9", "bootstrap-1-1-1-1"])
        #expect(byDefault.bootstrap.allSatisfy { $0.pool.prewarm == 0 })
        let written = try #require(load(file + "bootstrap = [\"tcp://[::1]:5353\"]\n").settings)
        #expect(written.bootstrap.map { "\($0.transport) \($0.endpoints)" } == ["tcp [[::1]:5353]"])
        #expect(load("upstreams = [\"9.9.9.9\"]\nbootstrap = [\"1.1.1.1\"]\n").settings?.bootstrap == [])
        #expect(load("upstreams = [\"9.9.9.9\"]\nbootstrap = []\n").errorCount == 0)
    }

    /// A file of one mistake (lines split by ;), and what is said.
    static let mistakes: [(file: String, said: [String])] = [
        (
            "upstreams = [\"tls://9.9.9.9\"]",
            [
                "1:14 upstream \"tls://9.9.9.9\" has no TLS name to verify: write tls://NAME@9.9.9.9, "
                    + "or verify = \"off\""
            ]
        ),
        (
            "upstreams = [\"https://[::1]:8443/q\"]",
            [
                "1:14 upstream \"https://[::1]:8443/q\" has no TLS name to verify: write https://NAME@[::1]:8443/q, "
                    + "or verify = \"off\""
            ]
        ),
        (
            "upstreams = [\"tls://n@9.9.9.9\", \"TLS://N.@9.9.9.9:853\"]",
            ["1:33 \"TLS://N.@9.9.9.9:853\" is listed twice in group 'default'"]
        ),
        (
            "bootstrap = [];upstreams = [\"tls://dns.example\"]",
            ["2:14 upstream \"tls://dns.example\" has a host name without an address, and 'bootstrap' is empty"]
        ),
        (
            "bootstrap = [\"tls://a@9.9.9.9\", \"dns.example\", \"0.0.0.0\", \"1.1.1.1\", \"udp://1.1.1.1\"]",
            [
                "1:14 bootstrap server \"tls://a@9.9.9.9\" uses tls://: write udp://ADDRESS or tcp://ADDRESS",
                "1:33 bootstrap server \"dns.example\" has a host name: nobody could find its address",
                "1:48 bootstrap server \"0.0.0.0\" is no address to send to",
                "1:70 \"udp://1.1.1.1\" is listed twice in 'bootstrap'",
            ]
        ),
        (
            "upstreams = [\"tls://dns.example\"];bootstrap = [\"127.0.0.1\"]",
            ["2:14 upstream 127.0.0.1:53 is this server's own listener (loop)"]
        ),
        ("[tls];ca = \"/no/ca.pem\"", ["2:6 'tls.ca': cannot use /no/ca.pem: no such file"]),
        ("[tls];ca = \"\"", ["2:6 'tls.ca' is empty"]),
        ("[tls];min_version = \"1.1\"", ["2:15 'tls.min_version' must be one of 1.2, 1.3, got \"1.1\""]),
        ("[tls];min_version = 1.2", ["2:15 'tls.min_version' must be a string, got a float"]),
        ("[dns];padding = 513", ["2:11 'dns.padding' must be between 0 and 512, got 513"]),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";ca = \"x.pem\"",
            ["5:6 'upstream.ca': cannot use /etc/x.pem: no such file"]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://9.9.9.9\";verify = \"of\"",
            ["5:10 'upstream.verify' must be one of strict, off, got \"of\""]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";http_method = \"GET\"",
            ["5:15 'upstream.http_method' is for https:// urls, and this one is tls://"]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"9.9.9.9\";"
                + "pins = [\"x\"];ca = \"\";http_method = \"GET\"",
            [
                "5:8 'upstream.pins' is for tls:// and https:// urls",
                "7:15 'upstream.http_method' is for https:// urls",
            ]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";"
                + "pins = [\"sha256/x\", \"\(pin)\", \"\(pin)\"]",
            [
                "5:9 pin \"sha256/x\" has 1 characters after \"sha256/\", not the 44 of a SHA-256",
                "5:76 \"\(pin)\" is listed twice",
            ]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";"
                + "addresses = [\"b.example\", \"::\", \"1.1.1.1\", \"1.1.1.1:853\", \"1.1.1\"]",
            [
                "5:14 'upstream.addresses': \"b.example\" is a host name, not an address",
                "5:27 'upstream.addresses': \"::\" is no address to send to",
                "5:44 'upstream.addresses': \"1.1.1.1:853\" is listed twice",
                "5:59 'upstream.addresses': \"1.1.1\" is not an IP address",
            ]
        ),
        (
            "upstreams = [\"a\"];[server];listen = [\"127.0.0.1:853\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";"
                + "addresses = [\"127.0.0.1\"]",
            ["6:7 upstream 127.0.0.1:853 is this server's own listener (loop)"]
        ),
        (
            "upstreams = [\"a\"];[[upstream]];name = \"a\";url = \"tls://n@9.9.9.9\";"
                + "verify = \"off\";pins = [\"\(pin)\"]",
            ["5:10 upstream 'a' is not verified (verify = \"off\"): only its pins are checked"]
        ),
    ]

    @Test func everyMistakeIsTold() {
        for (file, said) in SecurityTests.mistakes {
            let outcome = load(file.split(separator: ";").joined(separator: "\n") + "\n")
            #expect(brief(outcome) == said, "\(file)")
            let isError = outcome.problems.contains { $0.severity == .error }
            #expect((outcome.settings == nil) == isError, "\(file)")
        }
        let missing = load("upstreams = [\"tls://9.9.9.9:8853\"]\n").problems.first
        #expect(missing?.help?.hasSuffix("write tls://9.9.9.9@9.9.9.9:8853") == true)
    }

    @Test func trustAnchorsOfThisMachine() {
        #expect(TrustAnchors.problem("/") == nil, "a directory")
        #expect(TrustAnchors.problem("/no/such/file")?.reason == "no such file")
        #expect(TrustAnchors.problem(#filePath)?.reason == "no PEM certificate in it")
        #expect(SecurityBuilder.path("ca.pem", beside: .option("--x")) == "ca.pem")
    }
}
