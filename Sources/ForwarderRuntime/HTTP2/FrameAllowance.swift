// How many frames that answer nothing a peer may send.
//
// SETTINGS, PING, RST_STREAM, CONTINUATION, WINDOW_UPDATE, unknown and empty DATA frames cost us time and, where they
// are acknowledged, output (CVE-2019-9512, -9515, -9518, CVE-2024-27316 and their kin). Each takes one from a credit,
// each request gives some back, so a long life needs no clock. HTTP2Session closes the connection when it is spent.

/// The credit of one connection.
struct FrameAllowance {
    /// Enough for hours of a PING every 30 seconds on a connection that is hardly used.
    static let limit = 1_000
    /// A response's HEADERS, a 1xx before it, trailers, an empty DATA frame, and WINDOW_UPDATEs of both levels.
    static let perRequest = 8

    private var credit = FrameAllowance.limit

    mutating func noteRequest() { credit = min(FrameAllowance.limit, credit + FrameAllowance.perRequest) }

    /// Takes one frame into account. Returns false when there was one too many.
    mutating func noteFrame() -> Bool {
        credit -= credit > 0 ? 1 : 0
        return credit > 0
    }
}
