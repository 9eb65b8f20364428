// Peers that break or bend HTTP/2: floods, garbage, oversized header sections. The session ends, nothing traps.

import CNghttp2
import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct HTTP2HostileTests {
    private func frame(_ type: UInt8, flags: UInt8 = 0, id: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [
            UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255), type, flags,
            UInt8(id >> 24), UInt8(id >> 16 & 255), UInt8(id >> 8 & 255), UInt8(id & 255),
        ] + payload
    }

    /// A connection with a request on stream 1.
    private func asked() throws -> HTTP2TestLink {
        let link = try HTTP2TestLink()
        link.ask(1, HTTP2TestLink.message(1))
        link.pump()
        return link
    }

    /// `:status: 200` from the static table, and the content type as a literal.
    private var responseHead: [UInt8] {
        [0x88, 0x0f, 0x10, 23] + Array("application/dns-message".utf8)
    }

    @Test func floods() throws {
        let head = frame(1, flags: 4, id: 1, responseHead)
        let table: [(String, [UInt8], [UInt8])] = [
            ("PING", [], frame(6, [1, 2, 3, 4, 5, 6, 7, 8])),
            ("PING answers", [], frame(6, flags: 1, [UInt8](repeating: 0, count: 8))),
            ("SETTINGS", [], frame(4)), ("SETTINGS answers", [], frame(4, flags: 1)),
            ("WINDOW_UPDATE", [], frame(8, [0, 0, 0, 1])),
            ("PRIORITY", [], frame(2, id: 1, [0, 0, 0, 0, 1])), ("empty DATA", head, frame(0, id: 1)),
            ("padding", head, frame(0, flags: 8, id: 1, [3, 0, 0, 0])),
            ("1xx", [], frame(1, flags: 4, id: 1, [0x48, 3] + Array("103".utf8))),
            ("RST_STREAM", [], frame(3, id: 1, [0, 0, 0, 8])),
            ("empty CONTINUATION", frame(1, id: 1, responseHead), frame(9, id: 1)),
        ]
        for (name, before, flood) in table {
            let link = try asked()
            link.feedClient(before)
            #expect(link.failure == nil, "\(name)")
            var count = 0
            while link.failure == nil && count < 5_000 {
                link.feedClient(flood)
                count += 1
            }
            #expect(link.failure == .protocolError, "\(name)")
            #expect(count <= FrameAllowance.limit, "\(name)")
            // Acknowledgements that nobody reads do not pile up.
            #expect(link.takeOutput().count < 20_000, "\(name)")
        }
    }

    @Test func ordinaryFramesDoNotUseTheAllowanceUp() throws {
        let link = try HTTP2TestLink()
        for i in 0..<2_000 {
            link.ask(UInt32(i), HTTP2TestLink.message(i))
            link.pump()
            link.server.ping()
            link.server.inform(Int32(2 * i + 1), "103")
            link.server.respond(Int32(2 * i + 1), body: HTTP2TestLink.message(i), trailers: [("x", "y")])
            link.pump()
        }
        #expect(link.answers.count == 2_000)
        #expect(link.failure == nil)
    }

    @Test func headerSections() throws {
        // One field of 4,000 octets into the dynamic table, then referred to again and again.
        let large: [UInt8] = [0x40, 1, UInt8(ascii: "x"), 0x7f, 0xa1, 0x1e] + [UInt8](repeating: 97, count: 4_000)
        let link = try asked()
        link.feedClient(frame(1, flags: 4, id: 1, [0x88] + large + [UInt8](repeating: 0xbe, count: 5_000)))
        #expect(link.failure == .protocolError)
        #expect(link.answers.isEmpty)
    }

    @Test func nonsense() throws {
        let table: [(String, [UInt8])] = [
            ("HTTP/1.1", Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)), ("zeros", [UInt8](repeating: 0, count: 100)),
            ("a frame too large", [255, 255, 255, 0, 0, 0, 0, 0, 1]), ("DATA on stream 0", frame(0, [1])),
            ("HEADERS of an idle stream", frame(1, flags: 4, id: 99, responseHead)),
            ("a pushed stream", frame(5, flags: 4, id: 1, [0, 0, 0, 2] + responseHead)),
            ("broken HPACK", frame(1, flags: 4, id: 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
            ("window overflow", frame(8, [0x7f, 0xff, 0xff, 0xff])), ("SETTINGS of 5", frame(4, [1, 2, 3, 4, 5])),
            ("PING of 1", frame(6, [1])), ("GOAWAY of 1", frame(7, [1])),
        ]
        for (name, octets) in table {
            for step in [1, .max] {
                let link = try asked()
                link.step = step
                link.feedClient(octets)
                #expect(link.failure == .protocolError, "\(name)")
                #expect(link.answers.isEmpty)
            }
        }
    }

    @Test func randomOctetsNeverTrap() throws {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        func random() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        for _ in 0..<300 {
            let link = try asked()
            link.server.respond(1, body: HTTP2TestLink.message(1, count: 300), chunk: 100, trailers: [("a", "b")])
            var octets = link.server.drain()
            for _ in 0..<(random() % 4) { octets[Int(random() % UInt64(octets.count))] = UInt8(random() & 255) }
            link.step = Int(random() % 50) + 1
            link.feedClient(octets)
            _ = link.takeOutput()
            link.client.cancel(link.attempt(1))
            #expect(link.client.openCount == 0)
        }
    }
}
