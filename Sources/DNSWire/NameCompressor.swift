// Writes names into a message and compresses them against what was written before (RFC 1035 4.1.4).
//
// The rewriting of responses uses it. It remembers a bounded number of places; a name that finds none is written whole,
// which costs octets and nothing else.

/// The places in one outgoing message that pointers may lead to.
struct NameCompressor {
    static let limit = 64
    private var places = InlineArray<64, UInt16>(repeating: 0)
    private var count = 0
    /// Where the message starts in the writer; places count from there.
    let base: Int

    init(base: Int) { self.base = base }

    /// Takes the labels of the question at offset 12, which was copied.
    mutating func learnQuestion(_ message: Span<UInt8>) {
        var position = Header.size
        while position < message.count, message[position] != 0, message[position] <= 63 {
            learn(position)
            position += Int(message[position]) + 1
        }
    }

    private mutating func learn(_ place: Int) {
        // A pointer has fourteen bits.
        guard count < NameCompressor.limit, place < 0x4000 else { return }
        places[count] = UInt16(place)
        count += 1
    }

    /// Appends the name at `offset` of `message`, which was checked; without pointers unless `compress`.
    mutating func write(_ message: Span<UInt8>, _ offset: Int, compress: Bool, into writer: inout ByteWriter) {
        var position = NameWalk.resolved(message, offset)
        // A name has at most 127 labels; this bounds the loop whatever the octets are.
        for _ in 0..<128 {
            guard position < message.count, message[position] != 0 else { break }
            if compress, let place = find(message, position, in: writer) {
                writer.append16(0xc000 | UInt16(place))
                return
            }
            let end = position + Int(message[position]) + 1
            guard end <= message.count, message[position] <= 63 else { break }
            if compress { learn(writer.count - base) }
            writer.append(message, position..<end)
            position = NameWalk.resolved(message, end)
        }
        writer.append(0)
    }

    /// The first place that holds the same name as the one at `position`.
    private func find(_ message: Span<UInt8>, _ position: Int, in writer: borrowing ByteWriter) -> Int? {
        writer.withSpan(base, writer.count - base) { written -> Int? in
            for i in 0..<count where NameWalk.equal(message, position, written, Int(places[i])) {
                return Int(places[i])
            }
            return nil
        }
    }
}
