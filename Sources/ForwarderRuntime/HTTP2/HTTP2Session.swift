// The HTTP/2 side of one DoH connection, without I/O: requests in, octets out; octets in, events out.
//
// nghttp2 does frames, HPACK and flow control; this class owns its session, and knows which stream is which attempt.
// The stream transport feeds it what TLS decrypted and writes what it drains, all frames of a batch at once. It must
// never read a clock, wait, or call the engine. RFC 9113, RFC 8484.

import CNghttp2
import ForwarderCore

/// A client session of HTTP/2. Not for more than one thread.
@safe final class HTTP2Session {
    /// Octets that the peer may send on one stream: more than a DNS message has.
    static let streamWindow: UInt32 = 256 << 10
    /// Octets that the peer may send on all streams together.
    static let connectionWindow: Int32 = 1 << 20
    /// Octets of names and values in one header section, with 32 for each field (RFC 9113 section 6.5.2).
    static let headerListLimit = 16 << 10
    /// How many streams to assume until the peer has said (RFC 9113 section 6.5.2 recommends at least 100).
    static let assumedCapacity = 100
    /// Acknowledgements that may wait to be written.
    static let acknowledgementLimit = 64
    /// Stream ids end at 2^31 - 1; half of them leaves a connection all the time to be replaced.
    static let lastRequestID: Int32 = 1 << 30
    /// Unwritten octets of the connection above which frames stay in nghttp2's queues.
    static let outputLimit = 256 << 10

    /// nil only while `init` fails.
    var session: OpaquePointer?
    let headers: RequestHeaders
    var streams = RequestStreams()
    var allowance = FrameAllowance()
    var events: [HTTP2Event] = []
    /// The bodies of answers in `events`, in order.
    var bodies: [AnswerBody] = []
    /// The octets of a message while its request is being submitted.
    var lent: UnsafeBufferPointer<UInt8>?
    var lentSlot = -1
    /// Where the octets lie that `receive` is reading.
    var chunk: UnsafeBufferPointer<UInt8>?
    /// The stream whose header section is being decoded, -1 = none of ours.
    var headerSlot = -1
    /// The size of that section so far.
    var headerOctets = 0
    /// Payload octets of the frame that is being received.
    var frameLength = 0
    /// Any frame came during this `receive`.
    var heardFrame = false
    /// The peer broke a rule of ours; nothing it says is believed any more.
    var isBroken = false
    var isProbing = false
    var toldCapacity = -1
    var hasGoAway = false
    private(set) var isRetiring = false

    /// A body in the octets that are being received, or one that came in pieces.
    enum AnswerBody {
        case received(offset: Int, count: Int)
        case gathered([UInt8])
    }

    /// Begins a session: the preface and SETTINGS wait to be drained. nil when there is no memory.
    init?(headers: RequestHeaders) {
        self.headers = headers
        // Safety: the callbacks get `self` unretained; deinit deletes the session before `self` goes.
        let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe session = SessionCallbacks.makeSession(owner)
        guard let session = unsafe session else { return nil }
        // No SETTINGS_HEADER_TABLE_SIZE: a smaller table would save 4 KiB a connection, but the encoder has to confirm
        // it (RFC 7541 section 4.2), and h2o in dnsdist 1.7 does not: every response would be a connection error.
        let settings = [
            nghttp2_settings_entry(settings_id: HTTP2Session.code(NGHTTP2_SETTINGS_ENABLE_PUSH), value: 0),
            nghttp2_settings_entry(
                settings_id: HTTP2Session.code(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), value: HTTP2Session.streamWindow),
            nghttp2_settings_entry(
                settings_id: HTTP2Session.code(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE),
                value: UInt32(HTTP2Session.headerListLimit)),
        ]
        // Safety: nghttp2 copies the entries within the call.
        guard unsafe nghttp2_submit_settings(session, 0, settings, settings.count) == 0,
            unsafe nghttp2_session_set_local_window_size(session, 0, 0, HTTP2Session.connectionWindow) == 0
        else { return nil }
    }

    deinit {
        // Safety: made in init, deleted once.
        if let session = unsafe session { unsafe nghttp2_session_del(session) }
    }

    private static func code(_ id: nghttp2_settings_id) -> Int32 { Int32(id.rawValue) }

    /// Requests under way.
    var openCount: Int { streams.openCount }

    // MARK: - Out

    /// Frames wait that may be sent.
    var wantsWrite: Bool {
        guard let session = unsafe session else { return false }
        // Safety: the session lives as long as `self`.
        return unsafe nghttp2_session_want_write(session) != 0
    }

    /// Asks `message` (id 0) and drains the frames to `output`. What flow control holds back is copied, and goes when
    /// the peer lets it. Returns why it could not be asked.
    func send(_ attempt: AttemptID, _ message: Span<UInt8>, into output: inout OutputQueue) -> RequestFailure? {
        guard let session = unsafe session, !isRetiring, !isBroken, message.count <= ResponseHead.bodyLimit,
            let slot = streams.open(attempt)
        else { return .refused }
        // Safety: nghttp2 reads the message only in the calls below, and what it left is copied before they return.
        let id = unsafe message.withUnsafeBufferPointer { source -> Int32 in
            unsafe lent = source
            lentSlot = slot
            streams[slot].messageCount = headers.method == .post ? source.count : 0
            let id = unsafe headers.submit(message, on: session, slot: slot, body: SessionCallbacks.readBody)
            if id > 0 {
                streams[slot].id = id
                allowance.noteRequest()
                drain(into: &output)
                if streams.holds(slot, id: id), streams[slot].isSending {
                    let rest = unsafe UnsafeBufferPointer(rebasing: source[streams[slot].sentCount...])
                    unsafe streams[slot].unsent = Array(rest)
                    streams[slot].messageCount = rest.count
                    streams[slot].sentCount = 0
                }
            }
            // Safety: what was lent is forgotten before it can go.
            unsafe lent = nil
            lentSlot = -1
            return id
        }
        guard id > 0 else {
            streams.close(slot)
            return .refused
        }
        if id >= HTTP2Session.lastRequestID { retire() }
        return nil
    }

    /// Gives a request up: resets its stream. What comes of it later is ignored. Unknown attempts are not an error.
    func cancel(_ attempt: AttemptID) {
        guard let slot = streams.slot(of: attempt) else { return }
        abandon(slot)
    }

    /// Sends a PING, unless one is unanswered.
    func probe() {
        guard let session = unsafe session, !isProbing else { return }
        isProbing = true
        // Safety: a null payload is 8 zero octets.
        _ = unsafe nghttp2_submit_ping(session, 0, nil)
    }

    /// Says goodbye with GOAWAY; drain and close after it (RFC 9113 section 6.8).
    func finish() {
        guard let session = unsafe session else { return }
        // Safety: the session lives as long as `self`.
        _ = unsafe nghttp2_session_terminate_session(session, NGHTTP2_NO_ERROR.rawValue)
    }

    /// Moves all frames that may be sent to `output`, as far as there is room.
    func drain(into output: inout OutputQueue) {
        guard let session = unsafe session else { return }
        while output.count < HTTP2Session.outputLimit {
            var frame: UnsafePointer<UInt8>?
            // Safety: the frame's octets stay until the next call on the session, and are copied before it.
            let count = unsafe nghttp2_session_mem_send(session, &frame)
            if count < 0 { isBroken = true }
            guard count > 0, let frame = unsafe frame else { break }
            unsafe output.append(Span(_unsafeElements: UnsafeBufferPointer(start: frame, count: count)))
        }
    }

    // MARK: - In

    /// Takes octets of the peer, drains what they ask for (acknowledgements, window updates, resets) to `output`, and
    /// gives out what they meant, in order; the span is the body of an answer, lent for the call. Returns the failure
    /// when the connection has to be closed; `output` then ends with the GOAWAY that says why.
    func receive(
        _ octets: Span<UInt8>, into output: inout OutputQueue, _ deliver: (HTTP2Event, Span<UInt8>) -> Void
    ) -> TransportFailure? {
        guard let session = unsafe session, !isBroken else { return .protocolError }
        heardFrame = false
        // Safety: the octets outlive the call; nghttp2 keeps none of their addresses.
        unsafe octets.withUnsafeBufferPointer { source in
            unsafe chunk = source
            let count = unsafe nghttp2_session_mem_recv(session, source.baseAddress, source.count)
            if count != source.count { isBroken = true }
            unsafe chunk = nil
        }
        // Before the events: nghttp2 closes a stream that it resets when the RST_STREAM goes.
        drain(into: &output)
        giveOut(octets, deliver)
        streams.shrink()
        // nghttp2 wants no more: it ended the session over an error, or the peer said GOAWAY and nothing is left.
        // Safety: the session lives as long as `self`.
        let wantsMore = unsafe nghttp2_session_want_read(session) != 0
        if !wantsMore && (!hasGoAway || openCount > 0) { isBroken = true }
        return isBroken ? .protocolError : nil
    }

    private func giveOut(_ octets: Span<UInt8>, _ deliver: (HTTP2Event, Span<UInt8>) -> Void) {
        var next = 0
        for event in events {
            guard case .answered = event else {
                deliver(event, octets.extracting(0..<0))
                continue
            }
            switch bodies[next] {
            case .received(let offset, let count): deliver(event, octets.extracting(offset..<offset + count))
            case .gathered(let body): deliver(event, body.span)
            }
            next += 1
        }
        if heardFrame && next == 0 { deliver(.heard, octets.extracting(0..<0)) }
        // What a burst made large goes back when the last answer of it is there.
        let keeps = openCount > 0 || events.capacity <= RequestStreams.idleLimit
        events.removeAll(keepingCapacity: keeps)
        bodies.removeAll(keepingCapacity: keeps)
    }

    // MARK: - Streams

    /// No new request from here on.
    func retire() {
        guard !isRetiring else { return }
        isRetiring = true
        events.append(.retiring)
    }

    /// Resets a stream that nobody waits for and forgets it.
    func abandon(_ slot: Int) {
        guard let session = unsafe session else { return }
        // Safety: the session lives as long as `self`.
        _ = unsafe nghttp2_submit_rst_stream(session, 0, streams[slot].id, NGHTTP2_CANCEL.rawValue)
        streams.close(slot)
    }
}
