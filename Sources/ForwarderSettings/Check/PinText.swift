// Pins of public keys as written: "sha256/BASE64", the form of RFC 7469 section 2.4 without its header. Called by
// SecurityBuilder. Strict: a pin that is cut short or has stray bits never matches a key, and would be found out only
// when the upstream is refused.

/// Parsing of pins.
enum PinText {
    /// SHA-256 makes 32 octets, which base64 writes with 43 characters and one `=`.
    static let octets = 32
    static let characters = 44

    private static let prefix = "sha256/"

    /// What is wrong: the words after the text itself.
    struct Refusal: Error, Equatable {
        let words: String
    }

    /// The 32 octets of the hash.
    static func parse(_ text: String) -> Result<[UInt8], Refusal> {
        guard text.hasPrefix(prefix) else {
            return .failure(Refusal(words: "is no pin: write \"sha256/\" and the base64 of the key's SHA-256"))
        }
        let encoded = Array(text.utf8.dropFirst(prefix.utf8.count))
        guard encoded.count == characters else {
            return .failure(
                Refusal(
                    words: "has \(encoded.count) characters after \"sha256/\", not the \(characters) of a SHA-256"))
        }
        guard let hash = decode(encoded), hash.count == octets else {
            return .failure(Refusal(words: "is not base64"))
        }
        return .success(hash)
    }

    /// RFC 4648 section 4 with its padding; bits beyond the last octet must be zero (section 3.5).
    private static func decode(_ encoded: [UInt8]) -> [UInt8]? {
        guard encoded.last == UInt8(ascii: "=") else { return nil }
        var octets: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in encoded.dropLast() {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                octets.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bits == 0 ? octets : nil
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case 0x41...0x5a: character - 0x41
        case 0x61...0x7a: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
