// The reference table against the contract's block, the defaults, and the file in config/.

import Testing

@testable import ForwarderSettings

@Suite struct ReferenceTests {
    /// Where the amendments changed the contract's defaults. `health.backoff_max`: an upstream that is back must be
    /// used again within seconds.
    static let amended = [
        "server.query_deadline": "\"4s\"", "pool.udp_max_age": "\"15s\"", "pool.udp_max_queries": "32",
        "health.backoff_max": "\"10s\"",
    ]

    /// `section`, key and value of every line of the contract's block.
    static func contractKeys() -> [(path: String, value: String)] {
        var section = ""
        var keys: [(String, String)] = []
        for line in ContractReference.text.split(separator: "\n") {
            if line.hasPrefix("[") {
                section = line.filter { $0 != "[" && $0 != "]" } + "."
            } else if let equals = line.firstRange(of: " = ") {
                keys.append((section + line[..<equals.lowerBound], String(line[equals.upperBound...])))
            }
        }
        return keys
    }

    @Test func everyKeyOfTheContractIsInTheTable() {
        let keys = ReferenceTests.contractKeys()
        #expect(keys.count == 138)
        for (path, value) in keys {
            guard let row = Reference.key(Reference.pattern(of: path)) else {
                Issue.record("\(path) is not in the table")
                continue
            }
            // Arrays of tables show examples in the contract, not defaults.
            if Reference.arrays.contains(row.section) || path.hasPrefix("upstream.pool.") { continue }
            #expect(row.written == ReferenceTests.amended[path] ?? value, "\(path)")
        }
        let paths = Set(keys.map { Reference.pattern(of: $0.path) })
        #expect(paths.count == 138)
        for row in Reference.keys { #expect(paths.contains(row.path), "\(row.path) is not in the contract") }
        #expect(Reference.keys.count == 137, "upstream.pool has no row of its own")
    }

    @Test func everyDefaultChecks() {
        for row in Reference.keys {
            // An empty list or text is a default that has no element to check.
            #expect(Reference.defaults[row.path] != nil, "\(row.path) = \(row.written)")
        }
    }

    @Test func defaultFileIsTheOneInTheRepository() throws {
        let folder = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let text = try SettingsFiles.real().read(folder + "/config/fleetwing.toml").get()
        #expect(text == renderDefaultFile(), "run: fleetwing config default > config/fleetwing.toml")
        for line in text.split(separator: "\n") { #expect(line.count <= 120, "\(line)") }
    }

    @Test func examplesCheck() throws {
        let folder = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        for name in ["minimal", "household", "run"] {
            let outcome = load(try SettingsFiles.real().read("\(folder)/config/\(name).toml").get())
            #expect(rendered(outcome) == "")
        }
    }

    @Test func defaultFileMeansTheDefaults() throws {
        let builtIn = try #require(load(nil).settings)
        let text = renderDefaultFile()
        let asIs = load(text)
        #expect(rendered(asIs) == "")
        #expect(asIs.settings == builtIn)
        // With every key switched on it must mean the same.
        let names = Set(Reference.keys.filter(\.isBuilt).map(\.name))
        var count = 0
        var on = ""
        for line in text.split(separator: "\n") {
            if line == "#[[upstream]]" { break }
            let isKey = names.contains { line.hasPrefix("#\($0) = ") }
            count += isKey ? 1 : 0
            on += (isKey ? line.dropFirst() : line) + "\n"
        }
        let outcome = load(on)
        #expect(rendered(outcome) == "")
        #expect(outcome.settings == builtIn)
        #expect(count == Reference.keys.filter { $0.isBuilt && !Reference.arrays.contains($0.section) }.count)
    }

    @Test func defaultsAreThoseOfTheContract() throws {
        let settings = try #require(load(nil).settings)
        #expect(
            settings.server.listen.map(\.endpoint.description) == ["127.0.0.1:53", "[::1]:53"]
                && settings.server.listen.allSatisfy { $0.udp && $0.tcp })
        #expect(settings.server.workers == 4)
        #expect(settings.server.queryDeadline == .seconds(4))
        #expect(
            settings.server.allow.map(\.description) == [
                "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
                "fc00::/7", "fe80::/10",
            ])
        #expect(settings.cache == Settings.Cache())
        #expect(settings.health == Settings.Health())
        #expect(settings.routes.isEmpty)
        #expect(settings.dns == Settings.DNS())
        #expect(settings.log == Settings.Log())
        #expect(settings.local == Settings.Local())
        #expect(settings.tls == Settings.TLS())
        #expect(settings.bootstrap.isEmpty)
        #expect(settings.upstreams.allSatisfy { $0.pool == Settings.Pool() && $0.transport == .tls && $0.port == 853 })
        #expect(settings.upstreams.map(\.name) == ["quad9", "cloudflare"])
        let proofs = ["dns.quad9.net", "one.one.one.one"].map { Settings.Security(name: $0) }
        #expect(settings.upstreams.map(\.security) == proofs)
        #expect(
            settings.upstreams.map { $0.endpoints.map(\.description) } == [
                ["9.9.9.9:853", "149.112.112.112:853", "[2620:fe::fe]:853", "[2620:fe::9]:853"],
                ["1.1.1.1:853", "1.0.0.1:853", "[2606:4700:4700::1111]:853", "[2606:4700:4700::1001]:853"],
            ])
        let group = try #require(settings.groups.first)
        var expected = Settings.Group(name: "default")
        expected.members = [0, 1]
        #expect(settings.groups.count == 1 && group == expected)
        // What the building reads from the table must equal what the types say by themselves.
        var server = Settings.Server()
        server.listen = settings.server.listen
        server.allow = settings.server.allow
        server.workers = settings.server.workers
        #expect(settings.server == server)
    }
}
