// Who is let through: names, addresses, times, issuers, pins, versions and protocols, each with its own failure.

import COpenSSL
import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct TLSVerificationTests {
    let authority: TLSAuthority

    init() throws { authority = try #require(TLSAuthority()) }

    private func security(_ name: String, _ change: (inout UpstreamSecurity) -> Void = { _ in }) -> UpstreamSecurity {
        var security = UpstreamSecurity(serverName: name)
        security.caFile = authority.path
        change(&security)
        return security
    }

    private func outcome(
        _ security: UpstreamSecurity, _ identity: TLSIdentity, _ application: TLSPolicy.Application = .dot,
        _ habits: TLSServerHabits = TLSServerHabits()
    ) throws -> TransportFailure? {
        let policy = try TLSPolicy(TLSPolicy.Key(security, application))
        let server = try #require(TLSServer(identity, habits))
        let pair = try #require(TLSPair(policy, name: security.serverName, server: server))
        switch pair.shakeHands() {
        case .done: return nil
        case .failed(let failure): return failure
        default: return .other(0)
        }
    }

    @Test func names() throws {
        let certificate = "DNS:dns.example,DNS:*.wild.example,DNS:w*.part.example,IP:127.0.0.1"
        let identity = try #require(authority.issue(certificate))
        let elsewhere = try #require(authority.issue("DNS:dns.example,IP:192.0.2.1"))
        let table: [(String, TLSIdentity, TransportFailure?)] = [
            ("dns.example", identity, nil), ("DNS.EXAMPLE", identity, nil), ("a.wild.example", identity, nil),
            ("a.b.wild.example", identity, .wrongName), ("wx.part.example", identity, .wrongName),
            ("other.example", identity, .wrongName), ("127.0.0.1", identity, nil), ("", identity, nil),
            ("", elsewhere, .wrongName), ("127.0.0.1", elsewhere, .wrongName), ("192.0.2.1", elsewhere, nil),
        ]
        for (name, identity, expected) in table {
            #expect(try outcome(security(name), identity) == expected, "\(name)")
        }
    }

    @Test func timesAndIssuers() throws {
        let name = "DNS:dns.example"
        let expired = try #require(authority.issue(name, from: -7_200, until: -3_600))
        let future = try #require(authority.issue(name, from: 3_600))
        let lonely = try #require(TLSAuthority.selfSigned(name))
        let stranger = try #require(TLSAuthority())
        let foreign = try #require(stranger.issue(name))
        let table: [(String, TLSIdentity, TransportFailure)] = [
            ("expired", expired, .certificateExpired), ("future", future, .certificateNotYetValid),
            ("self-signed", lonely, .untrustedIssuer), ("another CA", foreign, .untrustedIssuer),
        ]
        for (what, identity, expected) in table {
            let failure = try outcome(security("dns.example"), identity)
            #expect(failure == expected, "\(what)")
            #expect(try outcome(security("dns.example") { $0.verify = false }, identity) == nil)
            #expect(
                try outcome(
                    security("dns.example") {
                        $0.verify = false; $0.pins = [authority.identity.pin]
                    }, identity)
                    == .pinMismatch)
            #expect(
                try outcome(
                    security("dns.example") {
                        $0.verify = false; $0.pins = [identity.pin]
                    }, identity) == nil)
        }
        // The system's certificates do not know the test's.
        #expect(try outcome(security("dns.example") { $0.caFile = "" }, foreign) == .untrustedIssuer)
    }

    @Test func pins() throws {
        let identity = try #require(authority.issue("DNS:dns.example"))
        let other = try #require(authority.issue("DNS:dns.example"))
        let table: [([[UInt8]], TransportFailure?)] = [
            ([identity.pin], nil), ([authority.identity.pin], nil), ([other.pin], .pinMismatch),
            ([other.pin, identity.pin], nil), ([[1, 2, 3]], .pinMismatch),
        ]
        for (pins, expected) in table {
            #expect(try outcome(security("dns.example") { $0.pins = pins }, identity) == expected)
        }
        // A pin does not make a wrong name right.
        #expect(try outcome(security("x.example") { $0.pins = [identity.pin] }, identity) == .wrongName)
    }

    @Test func versionsAndProtocols() throws {
        let identity = try #require(authority.issue("DNS:dns.example"))
        let name = "dns.example"
        let old = TLSServerHabits(maximumVersion: TLS1_2_VERSION)
        #expect(try outcome(security(name), identity, .dot, old) == nil)
        #expect(try outcome(security(name) { $0.minimumVersion = .v13 }, identity, .dot, old) == .tlsAlert)
        #expect(try outcome(security(name), identity, .http2) == .wrongALPN)
        #expect(try outcome(security(name), identity, .http2, TLSServerHabits(selects: [0x68, 0x32])) == nil)
        #expect(try outcome(security(name), identity, .http2, TLSServerHabits(refusesProtocols: true)) == .wrongALPN)
        #expect(try outcome(security(name), identity, .dot, TLSServerHabits(selects: [0x64, 0x6f, 0x74])) == nil)
    }

    @Test func badAuthorityFilesAreSentences() {
        for (path, words) in [("/nonexistent/ca.pem", "cannot be read"), ("/dev/null", "no certificate")] {
            var security = UpstreamSecurity(serverName: "x")
            security.caFile = path
            #expect {
                _ = try TLSPolicy(TLSPolicy.Key(security, .dot))
            } throws: { error in
                guard let mistake = error as? TLSPolicy.Mistake else { return false }
                return mistake.text.contains(path) && mistake.text.contains(words)
            }
        }
    }

    @Test func onePolicyForEqualDemands() throws {
        let endpoint = Endpoint(address: TLSPair.address, port: 853)
        let engine = EngineSettings(
            upstreams: [
                UpstreamSettings(name: "a", endpoints: [endpoint], transport: .tls),
                UpstreamSettings(name: "b", endpoints: [endpoint], transport: .tls),
                UpstreamSettings(name: "c", endpoints: [endpoint], transport: .https),
                UpstreamSettings(name: "d", endpoints: [endpoint], transport: .tcp),
                UpstreamSettings(name: "e", endpoints: [endpoint], transport: .tls),
            ], groups: [])
        var runtime = RuntimeSettings()
        runtime.security = [security("a"), security("b"), security("c"), nil]
        let plan = try TLSPlan(engine: engine, runtime: runtime)
        #expect(plan.entries.count == 5)
        #expect(plan.entries[0]?.policy === plan.entries[1]?.policy)
        #expect(plan.entries[0]?.policy !== plan.entries[2]?.policy)
        #expect(plan.entries[3] == nil)
        // Left out by a mistake: verified by its address, never clear text.
        #expect(plan.entries[4]?.security == UpstreamSecurity(serverName: ""))
    }
}
