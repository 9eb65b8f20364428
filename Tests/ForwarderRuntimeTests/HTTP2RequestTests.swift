// What HTTP2Session asks: the fields of requests, many at once, limits and windows of the peer.

import CNghttp2
import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct HTTP2RequestTests {
    @Test func postHasTheFieldsOfRFC8484AndNothingElse() throws {
        let link = try HTTP2TestLink()
        let query = HTTP2TestLink.message(1, count: 128)
        #expect(link.ask(1, query) == nil)
        link.pump()
        let request = try #require(link.server.requests[1])
        #expect(
            request.fields == [
                ":method": "POST", ":scheme": "https", ":authority": "dns.example:8443", ":path": "/dns-query",
                "accept": "application/dns-message", "content-type": "application/dns-message",
                "content-length": "128",
            ])
        #expect(request.body == query)
        #expect(request.isEnded)
        #expect(link.server.settings[1] == nil)
        #expect(link.server.settings[2] == 0)
        #expect(link.server.settings[4] == 256 << 10)
        #expect(link.server.settings[6] == 16 << 10)
    }

    @Test func contentLengthIsRightForEverySize() throws {
        let link = try HTTP2TestLink()
        let sizes = [12, 99, 100, 999, 1_000, 9_999, 10_000, 65_535]
        for (i, size) in sizes.enumerated() {
            #expect(link.ask(UInt32(i), HTTP2TestLink.message(i, count: size)) == nil)
            link.pump()
            let request = try #require(link.server.requests[Int32(2 * i + 1)])
            #expect(request.fields["content-length"] == String(size))
            #expect(request.body.count == size)
            link.server.respond(Int32(2 * i + 1), body: HTTP2TestLink.message(i))
            link.pump()
            #expect(link.answer(UInt32(i)) == HTTP2TestLink.message(i))
        }
        #expect(link.ask(99, HTTP2TestLink.message(1, count: 65_536)) == .refused)
    }

    @Test func getCarriesTheMessageInItsPath() throws {
        // The example of RFC 8484 section 4.1.1: www.example.com, type A.
        let query: [UInt8] =
            [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3] + Array("www".utf8) + [7] + Array("example".utf8) + [3]
            + Array("com".utf8) + [0, 0, 1, 0, 1]
        let encoded = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
        let table = [
            ("/dns-query", "/dns-query?dns="), ("/dns-query{?dns}", "/dns-query?dns="), ("/q?a=b", "/q?a=b&dns="),
        ]
        for (path, prefix) in table {
            let link = try HTTP2TestLink(method: .get, authority: "dns.example", path: path)
            link.ask(1, query)
            link.pump()
            let request = try #require(link.server.requests[1])
            #expect(
                request.fields == [
                    ":method": "GET", ":scheme": "https", ":authority": "dns.example", ":path": prefix + encoded,
                    "accept": "application/dns-message",
                ])
            #expect(request.isEnded && request.body.isEmpty)
            link.server.respond(1, body: query)
            link.pump()
            #expect(link.answer(1) == query)
        }
        let link = try HTTP2TestLink(method: .get)
        #expect(link.ask(1, HTTP2TestLink.message(1, count: 8_192)) == nil)
        #expect(link.ask(2, HTTP2TestLink.message(1, count: 8_193)) == .refused)
    }

    @Test func base64WithoutPadding() {
        let table: [([UInt8], String)] = [
            ([], ""), ([0xff], "_w"), ([0xff, 0xff], "__8"), ([0xfb, 0xef, 0xbe], "----"), ([1, 2, 3, 4], "AQIDBA"),
        ]
        for (octets, text) in table {
            var room = [UInt8](repeating: 0, count: 16)
            let count = unsafe room.withUnsafeMutableBufferPointer { buffer in
                // Safety: 16 octets are more than any row needs.
                unsafe buffer.baseAddress.map { unsafe Base64URL.encode(octets.span, to: $0) } ?? 0
            }
            #expect(String(decoding: room[0..<count], as: UTF8.self) == text)
            #expect(Base64URL.count(octets.count) == count)
        }
    }

    @Test func manyRequestsAreOneWriteAndAnswersComeInAnyOrder() throws {
        let link = try HTTP2TestLink()
        link.pump()
        for i in 0..<100 { #expect(link.ask(UInt32(i), HTTP2TestLink.message(i)) == nil) }
        let before = link.writes.count
        link.pump()
        #expect(link.writes[before] > 100 * 60)
        #expect(link.server.order.count == 100)
        #expect(link.client.openCount == 100)
        for id in link.server.order.reversed() { link.server.respond(id, body: link.server.requests[id]?.body ?? []) }
        link.pump()
        for i in 0..<100 { #expect(link.answer(UInt32(i)) == HTTP2TestLink.message(i)) }
        #expect(link.client.openCount == 0)
        #expect(link.failure == nil)
    }

    @Test func octetByOctet() throws {
        let link = try HTTP2TestLink()
        link.step = 1
        for i in 0..<5 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        for id in link.server.order { link.server.respond(id, body: link.server.requests[id]?.body ?? []) }
        link.pump()
        for i in 0..<5 { #expect(link.answer(UInt32(i)) == HTTP2TestLink.message(i)) }
    }

    @Test func thePeersLimitOfStreamsIsKept() throws {
        let link = try HTTP2TestLink(HTTP2TestServer([(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1)]))
        link.pump()
        #expect(link.events == [.capacity(1)])
        for i in 0..<4 { #expect(link.ask(UInt32(i), HTTP2TestLink.message(i, count: 5_000)) == nil) }
        for i in 0..<4 {
            link.pump()
            #expect(link.server.order.count == i + 1)
            let id = try #require(link.server.order.last)
            link.server.respond(id, body: link.server.requests[id]?.body ?? [])
        }
        link.pump()
        for i in 0..<4 { #expect(link.answer(UInt32(i)) == HTTP2TestLink.message(i, count: 5_000)) }
        #expect(link.server.mostOpen == 1)
        link.server.setSettings(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)
        link.pump()
        link.server.setSettings(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 250)
        link.pump()
        let capacities = link.events.filter { if case .capacity = $0 { true } else { false } }
        #expect(capacities == [.capacity(1), .capacity(0), .capacity(250)])
    }

    @Test func ourOwnLimitHoldsWhenThePeerHasNone() throws {
        let link = try HTTP2TestLink()
        link.pump()
        #expect(link.events == [.capacity(RequestStreams.limit)])
        for i in 0..<RequestStreams.limit { #expect(link.ask(UInt32(i), HTTP2TestLink.message(i)) == nil) }
        #expect(link.ask(9_999, HTTP2TestLink.message(0)) == .refused)
        link.client.cancel(link.attempt(5))
        #expect(link.ask(9_999, HTTP2TestLink.message(0)) == nil)
    }

    @Test func tinyWindowsOfThePeer() throws {
        let link = try HTTP2TestLink(HTTP2TestServer([(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1)]))
        link.pump()
        for i in 0..<3 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        for id in link.server.order { link.server.respond(id, body: link.server.requests[id]?.body ?? [], chunk: 1) }
        link.pump()
        for i in 0..<3 { #expect(link.answer(UInt32(i)) == HTTP2TestLink.message(i)) }
    }

    @Test func ourWindowsAreReplenished() throws {
        let link = try HTTP2TestLink()
        let body = HTTP2TestLink.message(1, count: 60_000)
        for i in 0..<60 {
            link.ask(UInt32(i), HTTP2TestLink.message(i))
            link.pump()
            link.server.respond(Int32(2 * i + 1), body: body)
            link.pump()
            #expect(link.answer(UInt32(i)) == body)
        }
    }

    @Test func streamIdsRunOut() throws {
        let link = try HTTP2TestLink()
        link.pump()
        // Safety: the session is alive.
        #expect(unsafe nghttp2_session_set_next_stream_id(link.client.session, HTTP2Session.lastRequestID - 1) == 0)
        #expect(link.ask(1, HTTP2TestLink.message(1)) == nil)
        #expect(link.ask(2, HTTP2TestLink.message(2)) == nil)
        #expect(link.ask(3, HTTP2TestLink.message(3)) == .refused)
        link.pump()
        for id in link.server.order { link.server.respond(id, body: link.server.requests[id]?.body ?? []) }
        link.pump()
        #expect(link.events.contains(.retiring))
        #expect(link.answers.count == 2)
    }
}
