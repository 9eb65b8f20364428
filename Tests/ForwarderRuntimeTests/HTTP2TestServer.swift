// An HTTP/2 server in memory, for the tests of HTTP2Session: nghttp2's other half, answering as the test says.
//
// It records requests and resets, and sends only what a test submits. It must never answer by itself.

import CNghttp2

/// The server half of a connection.
@safe final class HTTP2TestServer {
    struct Request {
        var fields: [String: String] = [:]
        var body: [UInt8] = []
        var isEnded = false
    }
    private struct Reply {
        var body: [UInt8]
        var sent = 0
        var chunk: Int
        var trailers: [(String, String)]
        var isEndless: Bool
    }

    private var session: OpaquePointer?
    private(set) var requests: [Int32: Request] = [:]
    /// In the order that they were complete.
    private(set) var order: [Int32] = []
    private(set) var resets: [Int32: UInt32] = [:]
    private(set) var settings: [Int32: UInt32] = [:]
    private(set) var pings = 0
    private(set) var pingAcknowledgements = 0
    private(set) var goAways: [UInt32] = []
    private(set) var mostOpen = 0
    private var replies: [Int32: Reply] = [:]
    private var open = 0
    /// Padding of every frame that can have it.
    var padding = 0

    init(_ settings: [(nghttp2_settings_id, UInt32)] = []) {
        var callbacks: OpaquePointer?
        // Safety: a test's own session; callbacks are freed at once, the session in deinit.
        unsafe nghttp2_session_callbacks_new(&callbacks)
        unsafe HTTP2TestServer.setCallbacks(callbacks)
        unsafe nghttp2_session_server_new(&session, callbacks, Unmanaged.passUnretained(self).toOpaque())
        unsafe nghttp2_session_callbacks_del(callbacks)
        let entries = settings.map { nghttp2_settings_entry(settings_id: Int32($0.0.rawValue), value: $0.1) }
        unsafe nghttp2_submit_settings(session, 0, entries, entries.count)
    }

    deinit { unsafe nghttp2_session_del(session) }

    func setSettings(_ id: nghttp2_settings_id, _ value: UInt32) {
        let entries = [nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value)]
        unsafe nghttp2_submit_settings(session, 0, entries, 1)
    }

    /// Returns false when the session broke.
    @discardableResult func receive(_ octets: [UInt8]) -> Bool {
        unsafe nghttp2_session_mem_recv(session, octets, octets.count) == octets.count
    }

    func drain() -> [UInt8] {
        var result: [UInt8] = []
        while true {
            var frame: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &frame)
            guard count > 0 else { return result }
            unsafe result += UnsafeBufferPointer(start: frame, count: count)
        }
    }

    /// - Parameter chunk: the most octets of a DATA frame.
    func respond(
        _ id: Int32, _ status: String = "200", _ fields: [(String, String)] = HTTP2TestServer.message,
        body: [UInt8] = [], chunk: Int = .max, trailers: [(String, String)] = [], isEndless: Bool = false
    ) {
        replies[id] = Reply(body: body, chunk: chunk, trailers: trailers, isEndless: isEndless)
        var provider = unsafe nghttp2_data_provider(
            source: nghttp2_data_source(fd: 0), read_callback: HTTP2TestServer.readBody)
        unsafe HTTP2TestServer.withFields([(":status", status)] + fields) { nva, count in
            _ = unsafe nghttp2_submit_response(session, id, nva, count, &provider)
        }
    }

    static let message = [("content-type", "application/dns-message")]

    func inform(_ id: Int32, _ status: String) {
        unsafe HTTP2TestServer.withFields([(":status", status)]) { nva, count in
            _ = unsafe nghttp2_submit_headers(session, 0, id, nil, nva, count, nil)
        }
    }

    func reset(_ id: Int32, _ code: nghttp2_error_code) {
        _ = unsafe nghttp2_submit_rst_stream(session, 0, id, code.rawValue)
    }

    func goAway(last: Int32, _ code: nghttp2_error_code = NGHTTP2_NO_ERROR) {
        _ = unsafe nghttp2_submit_goaway(session, 0, last, code.rawValue, nil, 0)
    }

    func ping() { _ = unsafe nghttp2_submit_ping(session, 0, nil) }

    private static func withFields(_ fields: [(String, String)], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Void) {
        var text: [UInt8] = []
        var places: [(Int, Int, Int)] = []
        for (name, value) in fields {
            places.append((text.count, name.utf8.count, value.utf8.count))
            text += Array(name.utf8) + Array(value.utf8)
        }
        text.append(0)
        unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let nva = unsafe places.map { place in
                unsafe nghttp2_nv(
                    name: base + place.0, value: base + place.0 + place.1, namelen: place.1, valuelen: place.2,
                    flags: 0)
            }
            unsafe body(nva, nva.count)
        }
    }

    private static let readBody: nghttp2_data_source_read_callback = { session, id, target, room, flags, _, user in
        guard let user = unsafe user, let target = unsafe target, let flags = unsafe flags else { return 0 }
        let server = unsafe Unmanaged<HTTP2TestServer>.fromOpaque(user).takeUnretainedValue()
        guard var reply = server.replies[id] else { return 0 }
        let count = min(room, reply.chunk, reply.body.count - reply.sent)
        for i in 0..<count { unsafe target[i] = reply.body[reply.sent + i] }
        reply.sent = reply.isEndless ? 0 : reply.sent + count
        server.replies[id] = reply
        if !reply.isEndless && reply.sent == reply.body.count {
            unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if !reply.trailers.isEmpty {
                unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                unsafe HTTP2TestServer.withFields(reply.trailers) { nva, count in
                    _ = unsafe nghttp2_submit_trailer(session, id, nva, count)
                }
            }
        }
        return count
    }

    private static func server(_ user: UnsafeMutableRawPointer) -> HTTP2TestServer {
        unsafe Unmanaged<HTTP2TestServer>.fromOpaque(user).takeUnretainedValue()
    }

    private func noteFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = unsafe frame.pointee.hd
        switch header.type {
        case UInt8(NGHTTP2_SETTINGS.rawValue):
            let list = unsafe frame.pointee.settings
            let count = unsafe list.niv
            for i in 0..<count { unsafe settings[list.iv[i].settings_id] = list.iv[i].value }
        case UInt8(NGHTTP2_PING.rawValue):
            if header.flags & 1 != 0 { pingAcknowledgements += 1 } else { pings += 1 }
        case UInt8(NGHTTP2_GOAWAY.rawValue): unsafe goAways.append(frame.pointee.goaway.error_code)
        case UInt8(NGHTTP2_RST_STREAM.rawValue): unsafe resets[header.stream_id] = frame.pointee.rst_stream.error_code
        default: break
        }
        let isBodyOrHead = header.type <= UInt8(NGHTTP2_HEADERS.rawValue)
        if isBodyOrHead, header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 {
            requests[header.stream_id]?.isEnded = true
            order.append(header.stream_id)
        }
    }

    private static func setCallbacks(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            let server = unsafe HTTP2TestServer.server(user)
            unsafe server.requests[frame.pointee.hd.stream_id] = Request()
            server.open += 1
            server.mostOpen = max(server.mostOpen, server.open)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, valueCount, _, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            let name = unsafe String(decoding: UnsafeBufferPointer(start: name, count: nameCount), as: UTF8.self)
            let value = unsafe String(decoding: UnsafeBufferPointer(start: value, count: valueCount), as: UTF8.self)
            unsafe HTTP2TestServer.server(user).requests[frame.pointee.hd.stream_id]?.fields[name] = value
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, octets, count, user in
            guard let user = unsafe user else { return 0 }
            unsafe HTTP2TestServer.server(user).requests[id]?.body += UnsafeBufferPointer(start: octets, count: count)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            unsafe HTTP2TestServer.server(user).noteFrame(frame)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, _, _, user in
            if let user = unsafe user { unsafe HTTP2TestServer.server(user).open -= 1 }
            return 0
        }
        unsafe nghttp2_session_callbacks_set_select_padding_callback(callbacks) { _, frame, most, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            return unsafe min(most, frame.pointee.hd.length + HTTP2TestServer.server(user).padding)
        }
    }
}
