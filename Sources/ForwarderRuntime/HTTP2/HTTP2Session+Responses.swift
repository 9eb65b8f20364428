// What nghttp2 tells of responses, turned into events.
//
// The C callbacks call these while `receive` reads. They note and gather; nobody outside hears of it before nghttp2
// has returned. A response is decided as soon as it can be: at its header section when that makes it useless, else with
// END_STREAM. RFC 9113 sections 5.4, 6.8 and 8.1.

import CNghttp2
import ForwarderCore

extension HTTP2Session {
    /// A frame begins. Returns false when the connection has to end.
    func beginFrame(type: UInt8, flags: UInt8, length: Int) -> Bool {
        frameLength = length
        heardFrame = true
        // DATA that carries something is paid for by the bound of its body; padding alone carries nothing.
        let isPlainData =
            type == FrameType.data && length > 0 && flags & UInt8(NGHTTP2_FLAG_PADDED.rawValue) == 0
        if isPlainData || allowance.noteFrame() { return true }
        isBroken = true
        return false
    }

    /// A header section of a stream begins: response, or trailers.
    func beginHeaders(_ id: Int32, slot: Int) {
        headerOctets = 0
        headerSlot = streams.holds(slot, id: id) ? slot : -1
        if headerSlot >= 0, !streams[slot].head.isComplete { streams[slot].head = ResponseHead() }
    }

    /// One field. Returns false when the section is larger than we said we take.
    func noteField(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        headerOctets += name.count + value.count + 32
        if headerOctets > HTTP2Session.headerListLimit {
            isBroken = true
            return false
        }
        if headerSlot >= 0 { streams[headerSlot].head.note(name, value) }
        return true
    }

    /// Octets of a body.
    func noteBody(_ id: Int32, slot: Int, flags: UInt8, _ octets: UnsafeBufferPointer<UInt8>) {
        guard streams.holds(slot, id: id), streams[slot].head.isComplete else { return }
        let gathered = streams[slot].body.count
        if gathered + octets.count > ResponseHead.bodyLimit {
            fail(slot, .tooLong)
            return
        }
        // The usual case, a body that comes as one frame and ends the stream, is not copied.
        let isWhole =
            flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 && gathered == 0
            && octets.count == streams[slot].head.contentLength ?? frameLength
        // Safety: both addresses are those of live buffers; the offset is checked before it is used.
        if isWhole, octets.count >= FrameReader.shortestMessage, let source = unsafe chunk,
            let base = source.baseAddress,
            let start = octets.baseAddress
        {
            let offset = unsafe start - base
            if offset >= 0, offset + octets.count <= source.count {
                answer(slot, .received(offset: offset, count: octets.count))
                return
            }
        }
        // Safety: nghttp2 lends the octets for this call.
        unsafe streams[slot].body.append(contentsOf: octets)
    }

    /// A whole frame was received and is in order.
    func endFrame(type: UInt8, flags: UInt8, id: Int32, slot: Int) {
        switch type {
        case FrameType.settings where flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0: noteCapacity()
        case FrameType.ping where flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0: isProbing = false
        case FrameType.goAway:
            hasGoAway = true
            retire()
            refuseUnsent()
        case FrameType.headers:
            guard streams.holds(slot, id: id) else { return }
            headerSlot = -1
            if !streams[slot].head.isComplete, !streams[slot].head.isInformational,
                let failure = streams[slot].head.complete()
            {
                fail(slot, failure)
                return
            }
            endStream(flags, id: id, slot: slot)
        case FrameType.data: endStream(flags, id: id, slot: slot)
        default: break
        }
    }

    private func endStream(_ flags: UInt8, id: Int32, slot: Int) {
        guard flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0, streams.holds(slot, id: id) else { return }
        let body = streams[slot].body
        if !streams[slot].head.isComplete || body.count < FrameReader.shortestMessage {
            fail(slot, .incomplete)
        } else {
            answer(slot, .gathered(body))
        }
    }

    /// A stream is gone. Whoever was answered or given up is no longer in the table.
    func closeStream(_ id: Int32, slot: Int, code: UInt32) {
        guard streams.holds(slot, id: id) else { return }
        let attempt = streams[slot].attempt
        streams.close(slot)
        let failure: RequestFailure =
            switch code {
            case NGHTTP2_REFUSED_STREAM.rawValue: .refused
            case NGHTTP2_NO_ERROR.rawValue: .incomplete
            default: .reset
            }
        events.append(.failed(attempt, failure))
    }

    private func answer(_ slot: Int, _ body: AnswerBody) {
        let stream = streams[slot]
        bodies.append(body)
        events.append(.answered(stream.attempt, age: stream.head.age, freshness: stream.head.freshness))
        // An answer before our body was read: the rest of that is not wanted (RFC 9113 section 8.1).
        if stream.isSending { abandon(slot) } else { streams.close(slot) }
    }

    private func fail(_ slot: Int, _ failure: RequestFailure) {
        events.append(.failed(streams[slot].attempt, failure))
        // On a stream that is over already nghttp2 leaves the RST_STREAM out.
        abandon(slot)
    }

    private func noteCapacity() {
        guard let session = unsafe session else { return }
        // Safety: the session lives as long as `self`.
        let allowed = unsafe nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        let capacity = min(Int(allowed), RequestStreams.limit)
        guard capacity != toldCapacity else { return }
        toldCapacity = capacity
        events.append(.capacity(capacity))
    }

    /// After GOAWAY nghttp2 refuses what the peer did not look at; requests that never left are refused here, since it
    /// would keep them until the streams before them are done.
    private func refuseUnsent() {
        guard let session = unsafe session else { return }
        for slot in streams.all where streams[slot].id > 0 {
            // Safety: the session lives as long as `self`; a stream that was not begun has no window: -1.
            if unsafe nghttp2_session_get_stream_remote_window_size(session, streams[slot].id) == -1 {
                fail(slot, .refused)
            }
        }
    }
}

/// Frame types as octets (RFC 9113 section 6).
enum FrameType {
    static let data = UInt8(truncatingIfNeeded: NGHTTP2_DATA.rawValue)
    static let headers = UInt8(truncatingIfNeeded: NGHTTP2_HEADERS.rawValue)
    static let settings = UInt8(truncatingIfNeeded: NGHTTP2_SETTINGS.rawValue)
    static let ping = UInt8(truncatingIfNeeded: NGHTTP2_PING.rawValue)
    static let goAway = UInt8(truncatingIfNeeded: NGHTTP2_GOAWAY.rawValue)
}
