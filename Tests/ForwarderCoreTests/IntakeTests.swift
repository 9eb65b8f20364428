// What intake decides of a parsed query: dropped, refused with which code, answered by us or taken on. Tables of
// problems, types and classes.

import DNSWire
import Testing

@testable import ForwarderCore

@Suite struct IntakeTests {
    private func settings(_ anyQuery: AnyPolicy = .minimal, identity: String = "") -> EngineSettings {
        var settings = EngineSettings(upstreams: [], groups: [])
        settings.anyQuery = anyQuery
        settings.identity = identity
        return settings
    }

    private func judge(
        _ name: String, type: UInt16, recordClass: UInt16 = 1, problem: QueryProblem? = nil,
        settings given: EngineSettings? = nil
    ) -> String {
        var query = ParsedQuery()
        query.problem = problem
        let wire = parseName(name) ?? []
        query.nameLength = wire.count
        query.type = RecordType(rawValue: type)
        query.recordClass = recordClass
        var store = ByteStore(capacity: 256)
        store.copy(from: wire.span, range: 0..<wire.count, to: 0)
        return switch QueryIntake(settings: given ?? settings()).judge(query, name: store) {
        case .drop(let reason): "drop \(reason)"
        case .refuse(let rcode, let code): "\(rcode.mnemonic) \(code.map { "\($0)" } ?? "-")"
        case .minimalAny: "minimal"
        case .identity: "identity"
        case .cookieRequest: "cookie"
        case .ask: "ask"
        }
    }

    @Test func problems() {
        let expected: [(QueryProblem, String)] = [
            (.short, "drop malformed"), (.isResponse, "drop notQuery"), (.opcode, "NOTIMP notSupported"),
            (.questionCount, "FORMERR -"), (.question, "FORMERR -"), (.records, "FORMERR -"), (.opt, "FORMERR -"),
            (.cookie, "FORMERR -"), (.version, "BADVERS -"),
        ]
        for (problem, verdict) in expected {
            #expect(judge("a.", type: 252, recordClass: 255, problem: problem) == verdict)
        }
    }

    @Test func aRequestForACookieHasNoQuestion() {
        var query = ParsedQuery()
        query.cookieLength = 8
        let verdict = QueryIntake(settings: settings()).judge(query, name: ByteStore(capacity: 256))
        guard case .cookieRequest = verdict else {
            Issue.record("\(verdict)")
            return
        }
    }

    @Test func types() {
        let refused: [UInt16: String] = [
            0: "FORMERR -", 41: "FORMERR -", 128: "FORMERR -", 249: "NOTIMP notSupported", 250: "FORMERR -",
            251: "REFUSED notSupported", 252: "REFUSED notSupported", 253: "NOTIMP notSupported",
            254: "NOTIMP notSupported", 255: "minimal",
        ]
        for type in UInt16.min...UInt16.max {
            let verdict = judge("example.com.", type: type)
            if verdict != refused[type] ?? "ask" { Issue.record("type \(type): \(verdict)") }
        }
        #expect(judge("a.", type: 255, settings: settings(.refuse)) == "REFUSED notSupported")
        #expect(judge("a.", type: 255, settings: settings(.forward)) == "ask")
    }

    @Test func classes() {
        for recordClass in UInt16.min...UInt16.max {
            let isRefused = [0, 3, 254, 255].contains(recordClass)
            let verdict = judge("a.", type: 16, recordClass: recordClass)
            if verdict != (isRefused ? "REFUSED notSupported" : "ask") { Issue.record("class \(recordClass)") }
        }
    }

    @Test func identity() {
        let named = settings(identity: "here")
        for name in ["id.server.", "version.server.", "version.bind.", "hostname.bind."] {
            #expect(judge(name, type: 16, recordClass: 3, settings: named) == "identity")
            #expect(judge(name, type: 16, recordClass: 3) == "REFUSED notSupported")
            #expect(judge(name, type: 1, recordClass: 3, settings: named) == "REFUSED notSupported")
            #expect(judge(name, type: 16, recordClass: 1, settings: named) == "ask")
        }
        for name in [".", "bind.", "x.version.bind.", "authors.bind.", "id.serves."] {
            #expect(judge(name, type: 16, recordClass: 3, settings: named) == "REFUSED notSupported")
        }
    }
}
