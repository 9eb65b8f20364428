// The engine toward TLS and HTTPS upstreams, several addresses and host names: driven by hand, with virtual time.

import DNSWire
import Testing

@testable import ForwarderCore

/// An engine, its output and a clock.
private struct Bench: ~Copyable {
    var engine: Engine
    var out = ActionBuffer()
    var now = Instant(nanoseconds: 10_000_000_000)
    var asked: UInt16 = 0

    init(_ upstreams: [UpstreamSettings], bootstrap: [UpstreamSettings] = []) {
        var settings = EngineSettings(
            upstreams: upstreams + bootstrap,
            groups: [GroupSettings(name: "default", members: Array(upstreams.indices))])
        if !bootstrap.isEmpty {
            let members = Array(upstreams.count..<upstreams.count + bootstrap.count)
            settings.groups.append(GroupSettings(name: "bootstrap", members: members))
            settings.bootstrapGroup = 1
        }
        settings.allow = [NetworkBlock(address: NetworkAddress(ipv4: 0), prefixLength: 0)]
        settings.caseRandomization = .off
        settings.cookies = false
        let cache = SharedCache(settings: CacheSettings(), workers: 1, seed: (1, 2))
        engine = Engine(settings: settings, cache: cache, seed: [5], worker: 0, workers: 1, now: now)
        engine.advance(to: now, into: &out)
    }

    /// The actions so far, taken out.
    mutating func actions() -> [UpstreamAction] {
        let result = out.upstream
        out.upstream.removeAll()
        return result
    }

    mutating func ask(_ name: String) {
        asked += 1
        var message: [UInt8] = [UInt8(asked >> 8), UInt8(asked & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        message += (parseName(name) ?? [0]) + [0, 1, 0, 1]
        let endpoint = Endpoint(address: NetworkAddress(ipv4: 0x7f00_0001), port: 5000)
        let client = Client(endpoint: endpoint, path: .datagram(listener: 0, local: nil))
        engine.clientSent(message.span, from: client, now: now, into: &out)
    }

    mutating func pass(milliseconds: Int64) {
        let end = now + .milliseconds(milliseconds)
        while let next = engine.nextDeadline(after: now), next <= end {
            now = max(next, now + Interval(nanoseconds: 1))
            engine.advance(to: now, into: &out)
        }
        now = end
        engine.advance(to: now, into: &out)
    }

    /// The message that an action carries, without length octets.
    func message(_ action: UpstreamAction) -> [UInt8] {
        switch action {
        case .sendRequest(_, _, let offset, let count), .sendDatagram(_, _, let offset, let count):
            out.bytes.withSpan(offset, count) { span in span.indices.map { span[$0] } }
        case .writeStream(_, let offset, let count):
            out.bytes.withSpan(offset + 2, count - 2) { span in span.indices.map { span[$0] } }
        default: []
        }
    }

    /// An answer to `query`: one record of `type`, its data and TTL.
    static func answer(_ query: [UInt8], type: UInt8 = 1, ttl: UInt8 = 60, data: [UInt8] = [192, 0, 2, 1]) -> [UInt8] {
        var end = 12
        while query[end] != 0 { end += 1 + Int(query[end]) }
        var message = Array(query[0..<end + 5])
        message[2] = 0x81
        message[3] = 0x80
        message.replaceSubrange(4..<12, with: [0, 1, 0, 1, 0, 0, 0, 0])
        return message + [0xc0, 12, 0, type, 0, 1, 0, 0, 0, ttl, 0, UInt8(data.count)] + data
    }

    /// TTL of the only record of the last reply, and its RCODE.
    func lastReply() -> (rcode: UInt8, ttl: UInt32)? {
        guard let reply = out.replies.last else { return nil }
        return out.bytes.withSpan(reply.offset, reply.count) { span in
            var end = 12
            while span[end] != 0 { end += 1 + Int(span[end]) }
            return (span[3] & 15, span.load16(6) == 1 ? span.load32(end + 5 + 6) : 0)
        }
    }
}

private func upstream(_ transport: UpstreamTransport, addresses: [UInt32] = [0x0a00_0001]) -> UpstreamSettings {
    var result = UpstreamSettings(
        name: "up", endpoints: addresses.map { Endpoint(address: NetworkAddress(ipv4: $0), port: 853) },
        transport: transport)
    result.pool.prewarm = 0
    return result
}

private func opened(_ actions: [UpstreamAction]) -> [(ConnectionID, UInt64)] {
    actions.compactMap { if case .openStream(let id, _, let endpoint) = $0 { (id, endpoint.address.low) } else { nil } }
}

private func requests(_ actions: [UpstreamAction]) -> [(ConnectionID, AttemptID, UpstreamAction)] {
    actions.compactMap { if case .sendRequest(let id, let attempt, _, _) = $0 { (id, attempt, $0) } else { nil } }
}

@Suite struct EncryptedUpstreamTests {
    @Test func queriesOverTLSArePaddedAndFramed() throws {
        var bench = Bench([upstream(.tls)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        let write = try #require(bench.actions().first)
        let message = bench.message(write)
        #expect(message.count % 128 == 0 && message.count > 0)
        var answer = Bench.answer(message)
        answer[0] = message[0]
        bench.engine.upstreamSent(answer.span, on: first.0, now: bench.now, into: &bench.out)
        #expect(bench.lastReply()?.rcode == 0)
    }

    @Test func requestsCarryIdZeroAndAgeLowersTTLs() throws {
        var bench = Bench([upstream(.https)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        let request = try #require(requests(bench.actions()).first)
        let message = bench.message(request.2)
        #expect(message[0] == 0 && message[1] == 0)
        #expect(message.count % 128 == 0)
        let answer = Bench.answer(message)
        bench.engine.upstreamAnswered(
            answer.span, to: request.1, on: first.0, age: 20, freshness: nil, now: bench.now, into: &bench.out)
        #expect(bench.lastReply()?.ttl == 40)
        // From the cache, too.
        bench.ask("www.example")
        #expect(bench.lastReply()?.ttl == 40 && bench.actions().isEmpty)
    }

    @Test func freshnessBoundsTTLs() throws {
        var bench = Bench([upstream(.https)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        let request = try #require(requests(bench.actions()).first)
        let answer = Bench.answer(bench.message(request.2))
        bench.engine.upstreamAnswered(
            answer.span, to: request.1, on: first.0, age: 0, freshness: 7, now: bench.now, into: &bench.out)
        #expect(bench.lastReply()?.ttl == 7)
    }

    @Test func anAnswerToAnotherQuestionFailsOnlyItsRequest() throws {
        var bench = Bench([upstream(.https)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        bench.ask("other.example")
        let both = requests(bench.actions())
        try #require(both.count == 2)
        let wrong = Bench.answer(bench.message(both[1].2))
        bench.engine.upstreamAnswered(
            wrong.span, to: both[0].1, on: first.0, age: 0, freshness: nil, now: bench.now, into: &bench.out)
        #expect(bench.out.replies.isEmpty)
        let isClosed = bench.out.upstream.contains { if case .close = $0 { true } else { false } }
        #expect(!isClosed)
        bench.engine.upstreamAnswered(
            wrong.span, to: both[1].1, on: first.0, age: 0, freshness: nil, now: bench.now, into: &bench.out)
        #expect(bench.out.replies.count == 1)
    }

    @Test func aRefusedRequestIsAskedAgainFreeAndARetiringConnectionTakesNoMore() throws {
        var bench = Bench([upstream(.https)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        let request = try #require(requests(bench.actions()).first)
        bench.engine.connectionRetiring(first.0, now: bench.now, into: &bench.out)
        bench.engine.requestFailed(request.1, on: first.0, .refused, now: bench.now, into: &bench.out)
        let actions = bench.actions()
        #expect(actions.contains(.close(first.0)), "drained and empty")
        let second = try #require(opened(actions).first)
        #expect(second.0 != first.0)
        bench.engine.connectionOpened(second.0, now: bench.now, into: &bench.out)
        #expect(requests(bench.actions()).count == 1)
        #expect(bench.out.replies.isEmpty)
    }

    @Test func capacityBoundsTheRequestsOfAConnection() throws {
        var settings = upstream(.https)
        settings.pool.maxConnections = 1
        var bench = Bench([settings])
        bench.ask("a.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        bench.engine.connectionCapacity(first.0, streams: 1, now: bench.now, into: &bench.out)
        bench.ask("b.example")
        let sent = requests(bench.actions())
        try #require(sent.count == 1)
        let answer = Bench.answer(bench.message(sent[0].2))
        bench.engine.upstreamAnswered(
            answer.span, to: sent[0].1, on: first.0, age: 0, freshness: nil, now: bench.now, into: &bench.out)
        #expect(requests(bench.actions()).count == 1, "the waiting one follows")
    }

    @Test func aSilentConnectionIsProbedThenClosed() throws {
        var bench = Bench([upstream(.https)])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        _ = bench.actions()
        bench.pass(milliseconds: 1_100)
        #expect(bench.actions().contains(.probe(first.0)))
        bench.pass(milliseconds: 1_900)
        #expect(bench.actions().contains(.close(first.0)), "noticed within 3 s")
    }

    @Test func aGivenUpRequestIsCancelled() throws {
        var settings = upstream(.https)
        settings.pool.maxConnections = 1
        var bench = Bench([settings])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionOpened(first.0, now: bench.now, into: &bench.out)
        _ = requests(bench.actions())
        var cancelled = false
        for _ in 0..<50 {
            bench.engine.connectionHeard(first.0, now: bench.now)
            bench.pass(milliseconds: 100)
            cancelled = cancelled || bench.actions().contains { if case .cancelRequest = $0 { true } else { false } }
        }
        #expect(cancelled && bench.lastReply()?.rcode == 2)
    }

    @Test func aSlowAddressGetsARival() throws {
        var bench = Bench([upstream(.tls, addresses: [1, 2])])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        #expect(first.1 == 1)
        bench.pass(milliseconds: 300)
        let rival = try #require(opened(bench.actions()).first)
        #expect(rival.1 == 2)
        bench.engine.connectionOpened(rival.0, now: bench.now, into: &bench.out)
        let actions = bench.actions()
        #expect(actions.contains(.close(first.0)))
        let isWritten = actions.contains { if case .writeStream(rival.0, _, _) = $0 { true } else { false } }
        #expect(isWritten, "what waited for the slow one goes over the rival")
    }

    @Test func aRefusingAddressIsFollowedByTheNextAtOnce() throws {
        var bench = Bench([upstream(.tls, addresses: [1, 2])])
        bench.ask("www.example")
        let first = try #require(opened(bench.actions()).first)
        bench.engine.connectionLost(first.0, .refused, now: bench.now, into: &bench.out)
        let second = try #require(opened(bench.actions()).first)
        #expect(second.1 == 2)
        #expect(bench.out.replies.isEmpty)
    }

    @Test func aHostNameIsResolvedThroughTheBootstrapGroup() throws {
        var named = upstream(.tls, addresses: [])
        named.hostName = parseName("dns.example") ?? []
        named.port = 853
        var bench = Bench([named], bootstrap: [upstream(.udp, addresses: [9])])
        bench.ask("www.example")
        let sent = bench.actions().filter { if case .sendDatagram = $0 { true } else { false } }
        try #require(sent.count == 2, "A and AAAA of the host name")
        for action in sent {
            guard case .sendDatagram(let connection, _, _, _) = action else { continue }
            let query = bench.message(action)
            let isA = query[query.count - 15] == 1 || query.contains([0, 1, 0, 1])
            let answer =
                isA
                ? Bench.answer(query, data: [10, 0, 0, 7])
                : Bench.answer(query, type: 28, data: [UInt8](repeating: 0xfd, count: 16))
            bench.engine.upstreamSent(answer.span, on: connection, now: bench.now, into: &bench.out)
        }
        bench.pass(milliseconds: 20)
        #expect(!opened(bench.actions()).isEmpty, "the query that waited opens a stream")
    }

    @Test func handshakesAreLimitedInTime() {
        var settings = upstream(.tls)
        settings.pool.maxConnections = 2
        var bench = Bench([settings])
        var count = 0
        for round in 0..<20 {
            // A peer that accepts and then closes at once: nothing pauses us but the limit.
            bench.ask("n\(round).example")
            for stream in opened(bench.actions()) {
                count += 1
                bench.engine.connectionOpened(stream.0, now: bench.now, into: &bench.out)
                bench.engine.connectionLost(stream.0, .closedByPeer, now: bench.now, into: &bench.out)
            }
        }
        #expect(count == 2, "max(2, ceiling / 2) in a quarter of a second")
        let before = count
        bench.pass(milliseconds: 300)
        count += opened(bench.actions()).count
        #expect(count > before, "those who wait go on when it is over")
    }
}
