// Domain names as routes and the probe's question have them: presentation form (RFC 1035 section 5.1, with \. and \DDD)
// to wire form, in lower case. Called by RouteBuilder and HealthBuilder. Any octet may stand in a label; another
// alphabet is not translated, since names on the wire are in the form with xn-- (RFC 5890).

/// Reading of domain names.
enum DomainName {
    /// What is wrong: the words after the text itself.
    struct Refusal: Error, Equatable {
        let words: String
        var help: String?
    }

    /// Octets of a name, and of a label (RFC 1035 section 2.3.4).
    private static let longest = 255
    private static let longestLabel = 63

    /// Wire form with the root at its end; `.` is the root. A final dot may stand or not.
    static func parse(_ text: String) -> Result<[UInt8], Refusal> {
        do throws(Refusal) { return .success(try read(Array(text.utf8))) } catch { return .failure(error) }
    }

    private static func read(_ text: [UInt8]) throws(Refusal) -> [UInt8] {
        if text.isEmpty { throw Refusal(words: "is no name", help: "the root is \".\"") }
        if text == [UInt8(ascii: ".")] { return [0] }
        var wire: [UInt8] = []
        var label: [UInt8] = []
        var index = 0
        while index < text.count {
            var octet = text[index]
            index += 1
            if octet == UInt8(ascii: ".") {
                try close(&label, onto: &wire)
                continue
            }
            if octet == UInt8(ascii: "\\") {
                octet = try escaped(text, &index)
            } else if octet >= 0x80 {
                throw Refusal(words: "is not ASCII", help: "write the name in its xn-- form")
            } else if octet <= 0x20 || octet == 0x7f {
                throw Refusal(words: "has a space or a control character in it")
            }
            label.append((0x41...0x5a).contains(octet) ? octet | 0x20 : octet)
        }
        if !label.isEmpty { try close(&label, onto: &wire) }
        wire.append(0)
        if wire.count > longest { throw Refusal(words: "is longer than \(longest) octets") }
        return wire
    }

    private static func close(_ label: inout [UInt8], onto wire: inout [UInt8]) throws(Refusal) {
        if label.isEmpty { throw Refusal(words: "has an empty label") }
        if label.count > longestLabel { throw Refusal(words: "has a label of more than \(longestLabel) octets") }
        wire.append(UInt8(truncatingIfNeeded: label.count))
        wire += label
        label = []
    }

    /// What follows a backslash: three digits of a number, or the octet itself.
    private static func escaped(_ text: [UInt8], _ index: inout Int) throws(Refusal) -> UInt8 {
        guard index < text.count else { throw Refusal(words: "ends in a backslash") }
        let digits = text[index...].prefix(3).prefix { (0x30...0x39).contains($0) }
        if digits.isEmpty {
            index += 1
            guard (0x21...0x7e).contains(text[index - 1]) else { throw Refusal(words: "has no good \\ in it") }
            return text[index - 1]
        }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard digits.count == 3, value <= 255 else {
            throw Refusal(words: "has no number between 000 and 255 after its backslash")
        }
        index += 3
        return UInt8(value)
    }

    /// Presentation form of a good wire form, without a final dot; for messages.
    static func text(_ wire: [UInt8]) -> String {
        var text = ""
        var index = 0
        while index < wire.count, wire[index] > 0 {
            if !text.isEmpty { text += "." }
            let end = min(wire.count, index + 1 + Int(wire[index]))
            for octet in wire[(index + 1)..<end] {
                if octet == UInt8(ascii: ".") || octet == UInt8(ascii: "\\") {
                    text += "\\" + String(Unicode.Scalar(octet))
                } else if (0x21...0x7e).contains(octet) {
                    text.unicodeScalars.append(Unicode.Scalar(octet))
                } else {
                    let digits = String(octet)
                    text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
                }
            }
            index = end
        }
        return text.isEmpty ? "." : text
    }
}
