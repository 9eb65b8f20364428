// Whole workers over DNS over TLS: a client asks by UDP, the upstream is a TLS server in this process.

import CLinux
import COpenSSL
import DNSWire
import ForwarderCore
import Glibc
import Testing

@testable import ForwarderRuntime

/// A DNS-over-TLS server that is pumped by the test's own thread.
final class TLSNameServer {
    private struct Accepted {
        var number: Int32
        var peer: TLSPeer
        var isReady = false
        var bytes: [UInt8] = []
    }

    let endpoint: Endpoint
    private let listener: FileDescriptor
    private let server: TLSServer
    private var accepted: [Accepted] = []
    private(set) var connectionCount = 0
    private(set) var queryCount = 0
    /// Answers leave octet by octet, each in a record of its own.
    var drips = false
    /// Closes with close_notify right after the answers.
    var closesAfterAnswering = false

    init?(_ server: TLSServer) {
        guard let listener = try? FileDescriptor(checking: cl_socket_stream(4)),
            cl_bind(listener.number, cl_address(TLSPair.address)) == 0, cl_listen(listener.number, 64) == 0
        else { return nil }
        var address = cl_address()
        guard unsafe cl_local_address(listener.number, &address) == 0, let endpoint = address.endpoint
        else { return nil }
        self.endpoint = endpoint
        self.listener = listener
        self.server = server
    }

    deinit { closeAll() }

    func closeAll() {
        for one in accepted { _ = cl_close(one.number) }
        accepted = []
    }

    /// Accepts, shakes hands, answers what was asked.
    func pump() {
        var from = cl_address()
        let number = unsafe cl_accept(listener.number, &from)
        if number >= 0, let peer = TLSPeer(server, descriptor: number) {
            accepted.append(Accepted(number: number, peer: peer))
            connectionCount += 1
        }
        var index = 0
        while index < accepted.count {
            if !accepted[index].isReady { accepted[index].isReady = accepted[index].peer.shakeHands() }
            let isOver = accepted[index].isReady && answer(index)
            if isOver { _ = cl_close(accepted.remove(at: index).number) } else { index += 1 }
        }
    }

    /// Returns true when the connection is to be closed.
    private func answer(_ index: Int) -> Bool {
        accepted[index].bytes += accepted[index].peer.read(64 << 10)
        var replies: [UInt8] = []
        while accepted[index].bytes.count >= 2 {
            let length = Int(accepted[index].bytes[0]) << 8 | Int(accepted[index].bytes[1])
            guard accepted[index].bytes.count >= 2 + length else { break }
            let query = Array(accepted[index].bytes[2..<2 + length])
            accepted[index].bytes.removeFirst(2 + length)
            queryCount += 1
            let reply = TLSNameServer.reply(to: query)
            replies += [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
        }
        if replies.isEmpty { return accepted[index].peer.sawCloseNotify }
        if drips {
            for octet in replies { accepted[index].peer.write([octet]) }
        } else {
            accepted[index].peer.write(replies)
        }
        if closesAfterAnswering { accepted[index].peer.sendCloseNotify() }
        return closesAfterAnswering
    }

    /// The question, and one address for it.
    private static func reply(to query: [UInt8]) -> [UInt8] {
        var end = 12
        while end < query.count && query[end] != 0 { end += Int(query[end]) + 1 }
        end = min(end + 5, query.count)
        return Array(query[0..<2]) + [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + Array(query[12..<end])
            + [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]
    }
}

@Suite(.serialized) struct TLSTransportTests {
    let authority: TLSAuthority
    let upstream: TLSNameServer

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        authority = try #require(TLSAuthority())
        let identity = try #require(authority.issue("DNS:dns.example"))
        let server = try #require(TLSServer(identity))
        upstream = try #require(TLSNameServer(server))
    }

    private struct Running {
        var group: WorkerGroup
        var port: UInt16
    }

    private func start(_ name: String) throws -> Running {
        var settings = UpstreamSettings(name: "u", endpoints: [upstream.endpoint], transport: .tls)
        settings.pool.prewarm = 0
        var engine = EngineSettings(upstreams: [settings], groups: [GroupSettings(name: "default", members: [0])])
        engine.allow = [NetworkBlock(address: TLSPair.address, prefixLength: 8)]
        var security = UpstreamSecurity(serverName: name)
        security.caFile = authority.path
        for port in (24_100..<24_400).shuffled().prefix(20) {
            var runtime = RuntimeSettings()
            let endpoint = Endpoint(address: TLSPair.address, port: UInt16(port))
            runtime.listen = [ListenAddress(endpoint: endpoint, udp: true, tcp: false, text: "x")]
            runtime.security = [security]
            runtime.shutdownGrace = .milliseconds(100)
            if let group = try? WorkerGroup(engine: engine, runtime: runtime, notices: NoticeQueue(level: .error)) {
                return Running(group: group, port: UInt16(port))
            }
        }
        throw SystemError(code: EADDRINUSE)
    }

    /// Asks `count` questions at once. Returns the response codes that came.
    private func ask(_ running: Running, _ label: UInt8, count: Int) throws -> [UInt8] {
        let socket = try FileDescriptor(checking: cl_socket_datagram(4))
        #expect(cl_connect(socket.number, cl_address(TLSPair.address, port: running.port)) == 0)
        for index in 0..<count {
            let query: [UInt8] =
                [0, UInt8(index), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, label, 0x61, 0x61 + UInt8(index % 26), 2]
                + [0x61 + UInt8(index / 26), 0x7a, 4, 0x7a, 0x6f, 0x6e, 0x65, 0, 0, 1, 0, 1]
            #expect(unsafe query.withUnsafeBytes { unsafe cl_send(socket.number, $0.baseAddress, $0.count) } > 0)
        }
        var codes: [UInt8] = []
        var buffer = StreamBuffer()
        for _ in 0..<6_000 where codes.count < count {
            upstream.pump()
            let size = buffer.read(from: socket.number)
            if size > 12 { codes.append(buffer.withBytes(size) { $0[3] & 15 }) } else { cl_sleep_ms(1) }
        }
        return codes
    }

    /// Lets both sides take notice of an end.
    private func settle() {
        for _ in 0..<50 {
            upstream.pump()
            cl_sleep_ms(1)
        }
    }

    @Test func oneConnectionCarriesMany() throws {
        let running = try start("dns.example")
        defer { running.group.stop() }
        #expect(try ask(running, 0x61, count: 60) == [UInt8](repeating: 0, count: 60))
        upstream.drips = true
        #expect(try ask(running, 0x62, count: 5) == [UInt8](repeating: 0, count: 5))
        // A cold burst may open a second one.
        #expect((1...2).contains(upstream.connectionCount))
        #expect(upstream.queryCount == 65)
        let counters = running.group.report().counters
        #expect(counters.tlsHandshakes == UInt64(upstream.connectionCount))
        #expect(counters.tlsFailures == 0)
    }

    @Test func afterAnIdleCloseTheSessionIsResumed() throws {
        let running = try start("dns.example")
        defer { running.group.stop() }
        #expect(try ask(running, 0x61, count: 1) == [0])
        upstream.closeAll()
        settle()
        #expect(try ask(running, 0x62, count: 1) == [0])
        // With close_notify, and the answer right before it.
        upstream.closesAfterAnswering = true
        #expect(try ask(running, 0x63, count: 1) == [0])
        settle()
        #expect(try ask(running, 0x64, count: 1) == [0])
        let counters = running.group.report().counters
        #expect(counters.handshakes.map(\.1) == [3, 2, 0])
        #expect(upstream.connectionCount == 3)
    }

    @Test func nobodyElseIsAsked() throws {
        let running = try start("other.example")
        defer { running.group.stop() }
        #expect(try ask(running, 0x61, count: 1) == [2])
        #expect(upstream.queryCount == 0)
        let counters = running.group.report().counters
        #expect(counters.tlsHandshakes == 0)
        #expect(counters.tlsFailures > 0)
        #expect(running.group.report().pools.first?.failures[Fault.upstream.rawIndex] ?? 0 > 0)
    }
}
