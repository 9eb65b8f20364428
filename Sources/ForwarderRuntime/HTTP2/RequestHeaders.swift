// The header fields of DNS requests to one upstream, built once: only the length or the GET path differs per query.
//
// HTTP2Session hands them to nghttp2 without copying what does not change, so an owner must outlive its sessions. No
// user agent, no cookies: nothing that tells one client from another (RFC 8484 section 8.2). RFC 8484 section 4.1,
// RFC 9113 section 8.3.1.

import CNghttp2

/// The fields of an upstream's requests. One worker's sessions share one.
@safe final class RequestHeaders {
    /// The most octets of a message that a GET's path may carry: header sections are bounded (RFC 9113 section 10.5.1).
    static let getLimit = 8_192

    let method: RequestMethod
    private let text: UnsafeMutablePointer<UInt8>
    private let fields: UnsafeMutablePointer<nghttp2_nv>
    private let fieldCount: Int
    /// Which field differs per query.
    private let changing: Int
    /// Where the changing field's value is put together: digits, or the path with the message.
    private let scratch: UnsafeMutablePointer<UInt8>
    private let prefixCount: Int

    /// - Parameters:
    ///   - authority: host, and the port when it is not 443.
    ///   - path: of the URL, with its first slash. A `{?dns}` at its end (RFC 8484 section 4.1.1) is left out.
    init(method: RequestMethod, authority: String, path: String) {
        self.method = method
        let target = path.hasSuffix("{?dns}") ? String(path.dropLast(6)) : path
        let prefix = target + (target.utf8.contains(UInt8(ascii: "?")) ? "&dns=" : "?dns=")
        var pairs = [(":method", method == .post ? "POST" : "GET"), (":scheme", "https"), (":authority", authority)]
        switch method {
        case .post:
            pairs += [
                (":path", target), ("accept", "application/dns-message"), ("content-type", "application/dns-message"),
                ("content-length", ""),
            ]
            changing = pairs.count - 1
            prefixCount = 0
        case .get:
            pairs += [(":path", ""), ("accept", "application/dns-message")]
            changing = pairs.count - 2
            prefixCount = prefix.utf8.count
        }
        fieldCount = pairs.count
        let textCount = pairs.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count }
        let scratchCount = method == .get ? prefixCount + Base64URL.count(RequestHeaders.getLimit) : 5
        // Safety: three blocks of this object alone, freed in deinit; the text's length is summed above, the scratch
        // block holds the longest value that `submit` makes.
        unsafe text = .allocate(capacity: textCount)
        unsafe fields = .allocate(capacity: pairs.count)
        unsafe scratch = .allocate(capacity: scratchCount)
        unsafe scratch.initialize(repeating: 0, count: scratchCount)
        let noCopyName = UInt8(truncatingIfNeeded: NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue)
        let noCopyValue = UInt8(truncatingIfNeeded: NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
        var position = 0
        for (i, pair) in pairs.enumerated() {
            // Safety: the text block holds all names and values one after another.
            let name = unsafe text + position
            for octet in pair.0.utf8 {
                unsafe text.advanced(by: position).initialize(to: octet)
                position += 1
            }
            let value = unsafe text + position
            for octet in pair.1.utf8 {
                unsafe text.advanced(by: position).initialize(to: octet)
                position += 1
            }
            let flags = i == changing ? noCopyName : noCopyName | noCopyValue
            // Safety: i < pairs.count, the block's capacity.
            unsafe fields.advanced(by: i).initialize(
                to: nghttp2_nv(
                    name: name, value: value, namelen: pair.0.utf8.count, valuelen: pair.1.utf8.count, flags: flags))
        }
        if method == .get {
            // Safety: the scratch block begins with room for the prefix.
            for (i, octet) in prefix.utf8.enumerated() { unsafe scratch[i] = octet }
        }
        // Safety: `changing` is one of the fields.
        unsafe fields[changing].value = scratch
    }

    deinit {
        // Safety: allocated in init.
        unsafe text.deallocate()
        unsafe fields.deallocate()
        unsafe scratch.deallocate()
    }

    /// Submits a request whose user value is `slot` + 1. `body` provides the body of a POST. Returns the stream id, or
    /// a negative error of nghttp2.
    func submit(
        _ message: Span<UInt8>, on session: OpaquePointer, slot: Int, body: nghttp2_data_source_read_callback
    ) -> Int32 {
        // Safety: a tag, never followed.
        let tag = unsafe UnsafeMutableRawPointer(bitPattern: slot + 1)
        switch method {
        case .post:
            // Safety: the scratch block holds the 5 digits of 65,535; `changing` is one of the fields.
            unsafe fields[changing].valuelen = writeDecimal(message.count)
            var provider = unsafe nghttp2_data_provider(
                source: nghttp2_data_source(fd: Int32(slot)), read_callback: body)
            // Safety: nghttp2 copies the array and the changing value within the call; the rest is ours until deinit.
            return unsafe nghttp2_submit_request(session, nil, fields, fieldCount, &provider, tag)
        case .get:
            guard message.count <= RequestHeaders.getLimit else { return NGHTTP2_ERR_INVALID_ARGUMENT.rawValue }
            // Safety: the scratch block has room for the prefix and a message of `getLimit` octets.
            unsafe fields[changing].valuelen = prefixCount + Base64URL.encode(message, to: scratch + prefixCount)
            return unsafe nghttp2_submit_request(session, nil, fields, fieldCount, nil, tag)
        }
    }

    private func writeDecimal(_ value: Int) -> Int {
        var divisor = 10_000
        while divisor > 1 && value < divisor { divisor /= 10 }
        var count = 0
        var rest = min(value, 65_535)
        while divisor > 0 {
            // Safety: at most 5 digits.
            unsafe scratch[count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor)
            rest %= divisor
            divisor /= 10
            count += 1
        }
        return count
    }
}
