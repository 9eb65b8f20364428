// The border to nghttp2: its C callbacks, which find their HTTP2Session through the user pointer.
//
// They only translate pointers to spans and numbers; what is done stands in HTTP2Session+Responses. nghttp2 calls them
// inside `nghttp2_session_mem_recv` and `nghttp2_session_mem_send` alone, so the session is alive. They must never call
// back into a function of nghttp2 that reads or sends.

import CNghttp2
import ForwarderCore

/// Makes sessions and serves their callbacks.
enum SessionCallbacks {
    /// A client session for `owner`, an unretained HTTP2Session; nil when there is no memory.
    ///
    /// Safety: the callbacks and options are freed here, as nghttp2 copies what it needs; the caller deletes the
    /// session before the owner goes.
    @unsafe static func makeSession(_ owner: UnsafeMutableRawPointer) -> OpaquePointer? {
        var callbacks: OpaquePointer?
        var option: OpaquePointer?
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        guard unsafe nghttp2_option_new(&option) == 0 else { return nil }
        defer { unsafe nghttp2_option_del(option) }
        unsafe nghttp2_option_set_peer_max_concurrent_streams(option, UInt32(HTTP2Session.assumedCapacity))
        unsafe nghttp2_option_set_max_outbound_ack(option, HTTP2Session.acknowledgementLimit)
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        unsafe setReceiving(callbacks)
        var session: OpaquePointer?
        guard unsafe nghttp2_session_client_new2(&session, callbacks, owner, option) == 0 else { return nil }
        return unsafe session
    }

    /// The slot that was given with the request; -1 when there is none.
    ///
    /// Safety: the pointer is a number in disguise, never followed.
    @unsafe private static func slot(_ session: OpaquePointer?, _ id: Int32) -> Int {
        guard let tag = unsafe nghttp2_session_get_stream_user_data(session, id) else { return -1 }
        return Int(bitPattern: tag) - 1
    }

    /// Safety: `user` is the owner that `makeSession` was given, alive as long as its session.
    @unsafe private static func owner(_ user: UnsafeMutableRawPointer) -> HTTP2Session {
        unsafe Unmanaged<HTTP2Session>.fromOpaque(user).takeUnretainedValue()
    }

    /// Safety: nghttp2 passes a live session, frame and octets to each callback, and `user` as `makeSession` got it.
    @unsafe private static func setReceiving(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, user in
            guard let header = unsafe header, let user = unsafe user else { return 0 }
            let hd = unsafe header.pointee
            let isFine = unsafe SessionCallbacks.owner(user).beginFrame(
                type: hd.type, flags: hd.flags, length: hd.length)
            return isFine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
        }
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { session, frame, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            let id = unsafe frame.pointee.hd.stream_id
            unsafe SessionCallbacks.owner(user).beginHeaders(id, slot: SessionCallbacks.slot(session, id))
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, user in
            guard let user = unsafe user else { return 0 }
            let isFine = unsafe SessionCallbacks.owner(user).noteField(
                Span(_unsafeElements: UnsafeBufferPointer(start: name, count: nameCount)),
                Span(_unsafeElements: UnsafeBufferPointer(start: value, count: valueCount)))
            return isFine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            session, flags, id, octets, count, user in
            guard let user = unsafe user else { return 0 }
            unsafe SessionCallbacks.owner(user).noteBody(
                id, slot: SessionCallbacks.slot(session, id), flags: flags,
                UnsafeBufferPointer(start: octets, count: count))
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { session, frame, user in
            guard let frame = unsafe frame, let user = unsafe user else { return 0 }
            let hd = unsafe frame.pointee.hd
            unsafe SessionCallbacks.owner(user).endFrame(
                type: hd.type, flags: hd.flags, id: hd.stream_id, slot: SessionCallbacks.slot(session, hd.stream_id))
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { session, id, code, user in
            guard let user = unsafe user else { return 0 }
            unsafe SessionCallbacks.owner(user).closeStream(id, slot: SessionCallbacks.slot(session, id), code: code)
            return 0
        }
    }

    /// Copies the next octets of a request's body.
    ///
    /// Safety: nghttp2 passes room for `room` octets, and the slot in `source`.
    static let readBody: nghttp2_data_source_read_callback = { _, id, target, room, flags, source, user in
        guard let target = unsafe target, let flags = unsafe flags, let source = unsafe source, let user = unsafe user
        else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        let slot = Int(unsafe source.pointee.fd)
        let count = unsafe SessionCallbacks.owner(user).copyBody(slot: slot, id: id, to: target, room: room)
        guard count >= 0 else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        let isSending = unsafe SessionCallbacks.owner(user).streams[slot].isSending
        if !isSending { unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
        return count
    }
}

extension HTTP2Session {
    /// Copies what is left of a message, at most `room` octets; -1 when the slot holds no such request.
    ///
    /// Safety: the caller gives room for `room` octets.
    @unsafe fileprivate func copyBody(slot: Int, id: Int32, to target: UnsafeMutablePointer<UInt8>, room: Int) -> Int {
        // While a request is being submitted and drained at once its id is known here already.
        guard streams.holds(slot, id: id) else { return -1 }
        let start = streams[slot].sentCount
        let count = min(room, streams[slot].messageCount - start)
        guard count > 0 else { return 0 }
        streams[slot].sentCount += count
        // Safety: start + count <= messageCount, the count of whichever holds the message.
        if slot == lentSlot, let source = unsafe lent?.baseAddress {
            unsafe target.update(from: source + start, count: count)
        } else {
            unsafe streams[slot].unsent.withUnsafeBufferPointer { source in
                if let source = source.baseAddress { unsafe target.update(from: source + start, count: count) }
            }
        }
        return count
    }
}
