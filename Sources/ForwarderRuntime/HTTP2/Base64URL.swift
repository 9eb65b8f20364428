// The encoding of a message in the path of a GET: base64url without padding (RFC 4648 section 5, RFC 8484 section 6).
//
// RequestHeaders uses it, once a query.

/// Base64 with the alphabet of URLs, without `=`.
enum Base64URL {
    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    /// How many characters `octets` octets become.
    static func count(_ octets: Int) -> Int { (octets * 4 + 2) / 3 }

    /// Writes `source` encoded to `target`, which must have room for `count(source.count)`. Returns the count.
    @unsafe static func encode(_ source: Span<UInt8>, to target: UnsafeMutablePointer<UInt8>) -> Int {
        // Safety: indexes into the alphabet are 6 bits; the caller made room for `written` octets.
        let letters = unsafe alphabet.utf8Start
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        var written = 0
        for i in 0..<source.count {
            bits = bits << 8 | UInt32(source[i])
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                unsafe target[written] = letters[Int(bits >> bitCount & 63)]
                written += 1
            }
        }
        if bitCount > 0 {
            // Safety: as above.
            unsafe target[written] = letters[Int(bits << (6 - bitCount) & 63)]
            written += 1
        }
        return written
    }
}
