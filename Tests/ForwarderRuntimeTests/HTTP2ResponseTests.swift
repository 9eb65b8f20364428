// What HTTP2Session makes of responses: status, type, size, times, pieces, resets, GOAWAY.

import CNghttp2
import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct HTTP2ResponseTests {
    private typealias Fields = [(String, String)]

    /// A link with one request under way, of attempt 1 on stream 1.
    private func asked() throws -> HTTP2TestLink {
        let link = try HTTP2TestLink()
        link.ask(1, HTTP2TestLink.message(1))
        link.pump()
        return link
    }

    @Test func statusAndType() throws {
        let message = HTTP2TestServer.message
        let table: [(String, Fields, RequestFailure?)] = [
            ("200", message, nil), ("203", message, nil), ("301", message + [("location", "/x")], .status(301)),
            ("400", message, .status(400)), ("404", [], .status(404)), ("415", [], .status(415)),
            ("429", [("retry-after", "7")], .retryAfter(7)), ("429", [], .status(429)),
            ("503", [("retry-after", "0")], .retryAfter(1)), ("503", [("retry-after", "86400")], .retryAfter(3600)),
            ("503", [("retry-after", "99999999999999")], .retryAfter(3600)),
            ("503", [("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")], .status(503)),
            ("500", [("retry-after", "7")], .status(500)), ("200", [], .contentType),
            ("200", [("content-type", "text/html")], .contentType),
            ("200", [("content-type", "application/dns-messages")], .contentType),
            ("200", [("content-type", "application/dns-json")], .contentType),
            ("200", [("content-type", "Application/DNS-Message")], nil),
            ("200", [("content-type", "application/dns-message; charset=utf-8")], nil),
            ("200", [("content-type", "application/dns-message\t;x=y")], nil),
            ("200", message + [("content-encoding", "gzip")], .contentType),
            ("200", message + [("content-encoding", "Identity")], nil),
            ("200", message + [("content-length", "60")], nil),
        ]
        for (status, fields, expected) in table {
            let link = try asked()
            link.server.respond(1, status, fields, body: HTTP2TestLink.message(1))
            link.pump()
            #expect(link.failureOf(1) == expected, "\(status) \(fields)")
            #expect((link.answer(1) != nil) == (expected == nil), "\(status) \(fields)")
            #expect(link.failure == nil)
            #expect(link.client.openCount == 0)
        }
    }

    @Test func ageAndFreshness() throws {
        let table: [(Fields, UInt32, UInt32?)] = [
            ([], 0, nil), ([("age", "10")], 10, nil), ([("cache-control", "max-age=300")], 0, 300),
            ([("age", "250"), ("cache-control", "max-age=300")], 250, 50),
            ([("age", "400"), ("cache-control", "max-age=300")], 400, 0),
            ([("cache-control", "private, Max-Age=\"60\" , no-transform")], 0, 60),
            ([("cache-control", "max-age=90"), ("cache-control", "max-age=30")], 0, 30),
            ([("cache-control", "s-maxage=5, max-age=x, max-age=")], 0, nil), ([("age", "-1")], 0, nil),
            ([("age", "99999999999")], .max, nil), ([("cache-control", ",,=,max-age")], 0, nil),
        ]
        for (fields, age, freshness) in table {
            let link = try asked()
            link.server.respond(1, "200", HTTP2TestServer.message + fields, body: HTTP2TestLink.message(1))
            link.pump()
            #expect(
                link.events.last == .answered(link.attempt(1), age: age, freshness: freshness), "\(fields)")
        }
    }

    @Test func bodiesInPiecesPaddedWithTrailersAndAfter1xx() throws {
        for (chunk, padding) in [(1, 0), (7, 0), (1, 200), (.max, 255), (30, 3)] {
            for trailers: Fields in [
                [], [("age", "77"), (":status", "500"), ("content-type", "x/y")].filter { $0.0 != ":status" },
            ] {
                let link = try asked()
                link.server.padding = padding
                link.server.inform(1, "103")
                link.server.respond(1, body: HTTP2TestLink.message(1, count: 500), chunk: chunk, trailers: trailers)
                link.pump()
                #expect(link.answer(1) == HTTP2TestLink.message(1, count: 500), "\(chunk) \(padding)")
                #expect(link.events.last == .answered(link.attempt(1), age: 0, freshness: nil))
                #expect(link.failure == nil)
            }
        }
    }

    @Test func largeAndShortBodies() throws {
        let table: [(Int, RequestFailure?)] = [
            (0, .incomplete), (11, .incomplete), (12, nil), (65_535, nil), (65_536, .tooLong), (200_000, .tooLong),
        ]
        for (size, expected) in table {
            for fields in [HTTP2TestServer.message, HTTP2TestServer.message + [("content-length", String(size))]] {
                let link = try asked()
                link.server.respond(1, "200", fields, body: HTTP2TestLink.message(1, count: size))
                link.pump()
                #expect(link.failureOf(1) == expected, "\(size)")
                #expect(link.answer(1)?.count == (expected == nil ? size : nil))
            }
        }
        // A body without end is given up, and the connection lives on.
        let link = try asked()
        link.server.respond(1, body: HTTP2TestLink.message(1, count: 1_000), isEndless: true)
        link.pump()
        #expect(link.failureOf(1) == .tooLong)
        #expect(link.server.resets[1] == NGHTTP2_CANCEL.rawValue)
        link.ask(2, HTTP2TestLink.message(2))
        link.pump()
        link.server.respond(3, body: HTTP2TestLink.message(2))
        link.pump()
        #expect(link.answer(2) == HTTP2TestLink.message(2))
    }

    @Test func aBodyThatIsNotItsContentLength() throws {
        for length in ["59", "61"] {
            let link = try asked()
            link.server.respond(
                1, "200", HTTP2TestServer.message + [("content-length", length)], body: HTTP2TestLink.message(1))
            link.pump()
            #expect(link.answer(1) == nil)
            #expect(link.failureOf(1) == .reset)
        }
    }

    @Test func resets() throws {
        let table: [(nghttp2_error_code, RequestFailure)] = [
            (NGHTTP2_REFUSED_STREAM, .refused), (NGHTTP2_CANCEL, .reset), (NGHTTP2_INTERNAL_ERROR, .reset),
            (NGHTTP2_ENHANCE_YOUR_CALM, .reset), (NGHTTP2_NO_ERROR, .incomplete),
        ]
        for (code, expected) in table {
            let link = try asked()
            link.server.reset(1, code)
            link.pump()
            #expect(link.failureOf(1) == expected)
            // After half of a body.
            let second = try asked()
            second.server.respond(1, body: HTTP2TestLink.message(1), isEndless: false)
            let octets = second.server.drain()
            second.feedClient(Array(octets[0..<octets.count - 10]))
            #expect(second.answers.isEmpty)
            #expect(second.client.openCount == 1)
            #expect(second.failure == nil)
        }
    }

    @Test func goAwayRefusesWhatWasNotLookedAt() throws {
        let link = try HTTP2TestLink()
        for i in 0..<4 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        link.server.goAway(last: 3)
        link.pump()
        #expect(link.events.contains(.retiring))
        #expect([0, 1, 2, 3].map { link.failureOf($0) } == [nil, nil, .refused, .refused])
        #expect(link.ask(9, HTTP2TestLink.message(9)) == .refused)
        #expect(link.failure == nil)
        link.server.respond(1, body: HTTP2TestLink.message(0))
        link.server.respond(3, body: HTTP2TestLink.message(1))
        link.pump()
        #expect(link.answer(0) == HTTP2TestLink.message(0))
        #expect(link.answer(1) == HTTP2TestLink.message(1))
        #expect(link.failure == nil)
        #expect(link.client.openCount == 0)
    }

    @Test func goAwayInTwoSteps() throws {
        let link = try HTTP2TestLink()
        for i in 0..<2 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        link.server.goAway(last: 0x7fff_ffff)
        link.pump()
        #expect(link.events.filter { $0 == .retiring }.count == 1)
        #expect([0, 1].map { link.failureOf($0) } == [nil, nil])
        link.server.goAway(last: 1)
        link.pump()
        #expect([0, 1].map { link.failureOf($0) } == [nil, .refused])
    }

    @Test func goAwayRefusesWhatWaitsForAStream() throws {
        let link = try HTTP2TestLink(HTTP2TestServer([(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1)]))
        link.pump()
        for i in 0..<3 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        link.server.goAway(last: 1)
        link.pump()
        #expect([0, 1, 2].map { link.failureOf($0) } == [nil, .refused, .refused])
        link.server.respond(1, body: HTTP2TestLink.message(0))
        link.pump()
        #expect(link.answer(0) == HTTP2TestLink.message(0))
        #expect(link.failure == nil)
    }

    @Test func cancelledRequestsAreReset() throws {
        let link = try HTTP2TestLink()
        for i in 0..<3 { link.ask(UInt32(i), HTTP2TestLink.message(i)) }
        link.pump()
        for id in link.server.order { link.server.respond(id, body: link.server.requests[id]?.body ?? []) }
        let late = link.server.drain()
        link.client.cancel(link.attempt(1))
        link.client.cancel(link.attempt(77))
        let reset = link.takeOutput()
        link.feedClient(late)
        link.server.receive(reset)
        link.pump()
        #expect(link.answer(0) == HTTP2TestLink.message(0))
        #expect(link.answer(1) == nil && link.failureOf(1) == nil)
        #expect(link.answer(2) == HTTP2TestLink.message(2))
        #expect(link.failure == nil)
        // Its slot is another's; the old stream's frames meet nothing.
        link.ask(5, HTTP2TestLink.message(5))
        link.pump()
        link.server.respond(7, body: HTTP2TestLink.message(5))
        link.pump()
        #expect(link.answer(5) == HTTP2TestLink.message(5))
    }

    @Test func anAnswerBeforeTheBodyWasRead() throws {
        let link = try HTTP2TestLink(HTTP2TestServer([(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0)]))
        link.pump()
        link.ask(1, HTTP2TestLink.message(1))
        link.pump()
        link.server.respond(1, "413", [])
        link.pump()
        #expect(link.failureOf(1) == .status(413))
        #expect(link.client.openCount == 0)
        #expect(link.server.resets[1] == NGHTTP2_CANCEL.rawValue)
    }

    @Test func probe() throws {
        let link = try HTTP2TestLink()
        link.pump()
        link.client.probe()
        link.client.probe()
        link.pump()
        #expect(link.server.pings == 1)
        link.client.probe()
        link.pump()
        #expect(link.server.pings == 2)
        link.server.ping()
        link.pump()
        #expect(link.server.pingAcknowledgements == 1)
    }

    @Test func goodbye() throws {
        let link = try HTTP2TestLink()
        link.pump()
        link.client.finish()
        link.server.receive(link.takeOutput())
        #expect(link.server.goAways == [0])
    }
}
