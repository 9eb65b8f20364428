// Bytes, ends and tickets of a TLS session against a server on the other end of a socket pair.

import CLinux
import COpenSSL
import DNSWire
import ForwarderCore
import Glibc
import Testing

@testable import ForwarderRuntime

@Suite struct TLSTransferTests {
    let authority: TLSAuthority
    let server: TLSServer
    let older: TLSServer
    let policy: TLSPolicy

    init() throws {
        authority = try #require(TLSAuthority())
        let identity = try #require(authority.issue("DNS:dns.example"))
        server = try #require(TLSServer(identity))
        older = try #require(TLSServer(identity, TLSServerHabits(maximumVersion: TLS1_2_VERSION)))
        var security = UpstreamSecurity(serverName: "dns.example")
        security.caFile = authority.path
        policy = try TLSPolicy(TLSPolicy.Key(security, .dot))
    }

    private func opened(_ tickets: TicketStore = TicketStore(), _ server: TLSServer? = nil) throws -> TLSPair {
        let pair = try #require(
            TLSPair(policy, name: "dns.example", server: server ?? self.server, tickets: tickets))
        #expect(pair.shakeHands() == .done(count: 0))
        return pair
    }

    @Test func nothingPassesBeforeTheHandshake() throws {
        let pair = try #require(TLSPair(policy, name: "dns.example", server: server))
        let bytes: [UInt8] = [1, 2, 3]
        #expect(unsafe bytes.withUnsafeBytes { unsafe pair.session.write($0) } == .failed(.reset))
        #expect(pair.readAll().1 == .failed(.closedByPeer))
    }

    @Test func recordsOfOneOctet() throws {
        let pair = try opened()
        let frame = FrameReaderTests.frame(FrameReaderTests.message(7, 200))
        for octet in frame { #expect(pair.peer?.write([octet]) == true) }
        let (bytes, end) = pair.readAll()
        #expect(bytes == frame)
        #expect(end == .wantsRead)
        #expect(!pair.session.hasPending)
    }

    @Test func readingAheadEndsAtARecord() throws {
        let pair = try opened()
        for octet in 0..<200 { pair.peer?.write([UInt8(octet)]) }
        var buffer = StreamBuffer()
        #expect(buffer.read(from: pair.session) == .done(count: 1))
        // All came with one read of the socket: it would stay silent about them.
        #expect(pair.session.hasPending)
        pair.session.setReadAhead(false)
        var count = 1
        while pair.session.hasPending && count < 1_000 {
            #expect(buffer.read(from: pair.session) == .done(count: 1))
            count += 1
        }
        #expect(count == 200)
        #expect(!pair.session.hasPending)
    }

    @Test func aLargeQueueLeavesInParts() throws {
        let pair = try opened()
        let frames = (0..<1_500).map { FrameReaderTests.frame(FrameReaderTests.message($0, 500)) }
        var writer = ByteWriter(capacity: 1 << 20, limit: 1 << 20)
        for frame in frames { writer.append(frame.span, 0..<frame.count) }
        var queue = OutputQueue()
        queue.append(writer, offset: 0, count: writer.count)
        var received: [UInt8] = []
        var blocked = 0
        for round in 0..<10_000 where !queue.isEmpty || received.count < writer.count {
            var last = TLSSession.Step.wantsWrite
            unsafe queue.drain { bytes in
                last = unsafe pair.session.write(bytes)
                if case .done(let count) = last { return count }
                return 0
            }
            if last == .wantsWrite && !queue.isEmpty {
                blocked += 1
                // More is queued while a record waits: its bytes must stay as they were.
                if round == 0 { queue.append(writer, offset: 0, count: 1_004) }
            }
            received += pair.peer?.read(64 << 10) ?? []
        }
        #expect(blocked > 0)
        #expect(received == frames.flatMap { $0 } + frames[0] + frames[1])
    }

    @Test func orderlyEnds() throws {
        for notified in [true, false] {
            let tickets = TicketStore()
            let pair = try opened(tickets)
            let frame = FrameReaderTests.frame(FrameReaderTests.message(1, 60))
            pair.peer?.write(frame)
            if notified { pair.peer?.sendCloseNotify() }
            pair.closePeer()
            let (bytes, end) = pair.readAll()
            #expect(bytes == frame)
            // The end of TCP without close_notify tells nothing: frames carry their length.
            #expect(end == .failed(.closedByPeer))
            #expect(tickets.count == 2)
        }
    }

    @Test func closeNotifyIsSent() throws {
        let pair = try opened()
        pair.session.sendCloseNotify()
        #expect(pair.peer?.read() == [])
        #expect(pair.peer?.sawCloseNotify == true)
    }

    @Test func endsWithinTheHandshake() throws {
        let pair = try #require(TLSPair(policy, name: "dns.example", server: server))
        #expect(pair.session.shakeHands() == .wantsRead)
        pair.closePeer()
        #expect([.failed(.closedByPeer), .failed(.reset)].contains(pair.session.shakeHands()))

        let clear = try #require(TLSPair(policy, name: "dns.example", server: server))
        #expect(clear.session.shakeHands() == .wantsRead)
        let words = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        #expect(unsafe words.withUnsafeBytes { unsafe cl_send(clear.far, $0.baseAddress, $0.count) } == words.count)
        #expect(clear.session.shakeHands() == .failed(.tlsAlert))
        // And asking again does no harm.
        #expect(clear.session.shakeHands() == .failed(.tlsAlert))
    }

    @Test func nonsenseAfterTheHandshake() throws {
        let pair = try opened()
        let words = [UInt8](repeating: 0x17, count: 64)
        #expect(unsafe words.withUnsafeBytes { unsafe cl_send(pair.far, $0.baseAddress, $0.count) } == words.count)
        #expect(pair.readAll().1 == .failed(.protocolError))
    }

    // MARK: - Tickets

    @Test func eachTicketIsUsedOnce() throws {
        for isOlder in [false, true] {
            let tickets = TicketStore()
            let chosen = isOlder ? older : server
            let first = try opened(tickets, chosen)
            #expect(!first.session.isResumed)
            #expect(first.readAll().1 == .wantsRead)
            let given = tickets.count
            #expect(given == (isOlder ? 1 : 2))
            let second = try opened(tickets, chosen)
            #expect(second.session.isResumed)
            #expect(second.readAll().1 == .wantsRead)
            #expect(tickets.count >= given)
            // Nothing for another address.
            #expect(unsafe tickets.take(for: NetworkAddress(ipv4: 0x7f00_0002)) == nil)
            for _ in 0..<3 {
                let next = try opened(tickets, chosen)
                #expect(next.session.isResumed)
                #expect(next.readAll().1 == .wantsRead)
            }
            #expect(tickets.count <= TicketStore.limit)
        }
    }

    @Test func aTakenTicketIsGone() throws {
        let tickets = TicketStore()
        let first = try opened(tickets)
        #expect(first.readAll().1 == .wantsRead)
        for left in [1, 0] {
            _ = try #require(TLSPair(policy, name: "dns.example", server: server, tickets: tickets))
            #expect(tickets.count == left)
        }
        let third = try opened(tickets)
        #expect(!third.session.isResumed)
    }

    @Test func refusedPeersLeaveNoTicket() throws {
        let identity = try #require(authority.issue("DNS:dns.example"))
        var security = UpstreamSecurity(serverName: "dns.example")
        security.caFile = authority.path
        security.pins = [identity.pin]
        let pinned = try TLSPolicy(TLSPolicy.Key(security, .dot))
        for peer in [server, older] {
            let tickets = TicketStore()
            let pair = try #require(TLSPair(pinned, name: "dns.example", server: peer, tickets: tickets))
            #expect(pair.shakeHands() == .failed(.pinMismatch))
            #expect(pair.readAll().1 == .failed(.closedByPeer))
            #expect(tickets.count == 0)
        }
    }
}
