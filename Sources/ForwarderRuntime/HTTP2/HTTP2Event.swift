// What an HTTP/2 session tells its connection after octets were received.
//
// Events are values: the session gathers them while nghttp2 reads, and gives them out when it has returned, so that
// nobody calls back into a session from within. The body of an answer is lent beside its event.

import ForwarderCore

/// Something that happened on an HTTP/2 session.
enum HTTP2Event: Equatable {
    /// A 2xx response with a DNS message. `age` is the Age header in seconds, `freshness` what is left of max-age
    /// after it; nil = the response names none (RFC 8484 section 5.1).
    case answered(AttemptID, age: UInt32, freshness: UInt32?)
    case failed(AttemptID, RequestFailure)
    /// So many streams may be open at once.
    case capacity(Int)
    /// No new request: GOAWAY, or the stream ids run out.
    case retiring
    /// Frames came, but no answer: the peer is alive.
    case heard
}
