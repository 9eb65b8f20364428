// Names inside a response, with compression pointers (RFC 1035 4.1.4): walked, compared, never copied.
//
// The survey and the rewriting use it. Pointers must lead strictly backward, below the start of the part that they end,
// and never into the header, so that no loop can be made; their number is bounded besides (RFC 9267).

/// Walks over compressed names. Any offset may be asked about: what is out of bounds is an error or "not equal".
enum NameWalk {
    /// Pointers in one name. More than any encoder makes; a chain of a thousand pointers is an attack.
    static let pointerLimit = 128

    /// Checks the whole name at `offset`, pointers followed, and returns the offset after its own octets.
    static func end(_ message: Span<UInt8>, _ offset: Int) throws(WireError) -> Int {
        var position = offset
        // The start of the part that is being read: the next pointer must lead below it.
        var partStart = offset
        var length = 0
        var end = 0
        var pointers = 0
        while position < message.count {
            let octet = Int(message[position])
            if octet == 0 {
                guard length + 1 <= 255 else { throw .name }
                return pointers == 0 ? position + 1 : end
            }
            if octet <= 63 {
                length += octet + 1
                guard length < 255 else { throw .name }
                position += octet + 1
                continue
            }
            guard octet >= 0xc0, position + 1 < message.count else { throw .name }
            let target = (octet & 0x3f) << 8 | Int(message[position + 1])
            pointers += 1
            guard target >= Header.size, target < partStart, pointers <= pointerLimit else { throw .name }
            if pointers == 1 { end = position + 2 }
            partStart = target
            position = target
        }
        throw .name
    }

    /// The offset after the name's own octets; pointers are not followed. For names that were checked before.
    @inline(__always)
    static func skip(_ message: Span<UInt8>, _ offset: Int) throws(WireError) -> Int {
        var position = offset
        while position < message.count {
            let octet = Int(message[position])
            if octet == 0 { return position + 1 }
            if octet > 63 { return position + 2 }
            position += octet + 1
        }
        throw .name
    }

    /// Where the first label really stands: `offset` itself unless a pointer stands there.
    @inline(__always)
    static func resolved(_ message: Span<UInt8>, _ offset: Int) -> Int {
        var position = offset
        while position + 1 < message.count, message[position] >= 0xc0 {
            let target = Int(message[position] & 0x3f) << 8 | Int(message[position + 1])
            // Strictly backward, so that this ends whatever the octets are.
            guard target < position else { return position }
            position = target
        }
        return position
    }

    /// Whether both names are the same but for letter case.
    static func equal(_ message: Span<UInt8>, _ a: Int, _ b: Int) -> Bool {
        equal(message, a, message, b)
    }

    /// The same for names of two messages.
    static func equal(_ first: Span<UInt8>, _ a: Int, _ second: Span<UInt8>, _ b: Int) -> Bool {
        var i = a
        var j = b
        var labels = 0
        while labels <= 128 {
            i = resolved(first, i)
            j = resolved(second, j)
            guard i < first.count, j < second.count else { return false }
            let length = Int(first[i])
            guard Int(second[j]) == length, length <= 63 else { return false }
            if length == 0 { return true }
            guard i + length < first.count, j + length < second.count else { return false }
            for k in 1...length where first[i + k] != second[j + k] {
                guard sameLetter(first[i + k], second[j + k]) else { return false }
            }
            i += length + 1
            j += length + 1
            labels += 1
        }
        return false
    }

    @inline(__always)
    static func sameLetter(_ a: UInt8, _ b: UInt8) -> Bool {
        a ^ b == 0x20 && a | 0x20 >= UInt8(ascii: "a") && a | 0x20 <= UInt8(ascii: "z")
    }

    /// Where the hash of a name begins: at its root.
    static let hashOfRoot: UInt32 = 0x811c_9dc5

    /// Hashes the label at `position` (a length and its octets, which were checked) onto that of the name after it,
    /// letter case aside. Unkeyed: only a first look before `equal`.
    @inline(__always)
    static func hash(label message: Span<UInt8>, _ position: Int, after hash: UInt32) -> UInt32 {
        var hash = hash
        for i in position...position + Int(message[position]) {
            hash = (hash ^ UInt32(message[i] | 0x20)) &* 0x0100_0193
        }
        return hash ^ hash >> 15
    }

    /// A hash of the name at `offset`, the same for names that are equal; from the left, unlike the labels' above.
    static func hash(_ message: Span<UInt8>, _ offset: Int) -> UInt32 {
        var position = resolved(message, offset)
        var hash = hashOfRoot
        var labels = 0
        while position < message.count, message[position] != 0, message[position] <= 63, labels < 128 {
            let end = position + Int(message[position]) + 1
            guard end <= message.count else { break }
            hash = self.hash(label: message, position, after: hash)
            position = resolved(message, end)
            labels += 1
        }
        return hash
    }

    /// Labels of the name without the root.
    static func labelCount(_ message: Span<UInt8>, _ offset: Int) -> Int {
        var position = resolved(message, offset)
        var labels = 0
        while position < message.count, message[position] != 0, message[position] <= 63, labels < 128 {
            position = resolved(message, position + Int(message[position]) + 1)
            labels += 1
        }
        return labels
    }

    /// Whether `ancestor` is `name` or above it.
    static func isAtOrAbove(_ message: Span<UInt8>, ancestor: Int, name: Int) -> Bool {
        let surplus = labelCount(message, name) - labelCount(message, ancestor)
        guard surplus >= 0 else { return false }
        var position = resolved(message, name)
        for _ in 0..<surplus { position = resolved(message, position + Int(message[position]) + 1) }
        return equal(message, position, ancestor)
    }
}
