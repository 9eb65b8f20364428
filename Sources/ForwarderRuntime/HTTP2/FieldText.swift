// Comparing and reading the octets of header fields in place.
//
// ResponseHead uses it for every field of every response, so nothing here makes a String. It must accept any octets.

extension Span<UInt8> {
    /// Whether the octets are `text`, which must be ASCII.
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for i in 0..<count {
            // Safety: i < utf8CodeUnitCount; a literal's octets live as long as the program.
            if unsafe self[i] != text.utf8Start[i] { return false }
        }
        return true
    }

    /// Whether the octets are `text`, which must be ASCII in lower case, in any letter case.
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for i in 0..<count {
            let isUpper = self[i] >= UInt8(ascii: "A") && self[i] <= UInt8(ascii: "Z")
            let lower = isUpper ? self[i] | 0x20 : self[i]
            // Safety: i < utf8CodeUnitCount; a literal's octets live as long as the program.
            if unsafe lower != text.utf8Start[i] { return false }
        }
        return true
    }

    /// Reads digits only. What is too large becomes the largest value (RFC 9111 section 1.2.2 asks for at least 2^31);
    /// nil when there is anything but digits.
    func decimal() -> UInt32? {
        guard count > 0 else { return nil }
        var result: UInt32 = 0
        for i in 0..<count {
            guard self[i] >= UInt8(ascii: "0"), self[i] <= UInt8(ascii: "9") else { return nil }
            let digit = UInt32(self[i] - UInt8(ascii: "0"))
            result = result > (UInt32.max - digit) / 10 ? .max : result * 10 + digit
        }
        return result
    }

    /// Lends the octets without blanks at either end.
    func trimmed<R>(_ body: (Span<UInt8>) -> R) -> R {
        func isBlank(_ octet: UInt8) -> Bool { octet == UInt8(ascii: " ") || octet == UInt8(ascii: "\t") }
        var start = 0
        var end = count
        while start < end, isBlank(self[start]) { start += 1 }
        while end > start, isBlank(self[end - 1]) { end -= 1 }
        return body(extracting(start..<end))
    }
}
