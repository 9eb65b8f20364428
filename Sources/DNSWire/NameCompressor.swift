// Writes names into a message and compresses them against what was written before (RFC 1035 4.1.4).
//
// The rewriting of responses uses it. It remembers a bounded number of places, by hash; a name that finds none is
// written whole, which costs octets and nothing else. Comparing each suffix with each place instead took half a second
// for a message made to be slow; this way takes milliseconds.

/// The places in one outgoing message that pointers may lead to.
struct NameCompressor {
    /// Direct-mapped by the hash of the suffix; 0 = empty, for no name stands in the header.
    private var places = InlineArray<256, UInt16>(repeating: 0)
    private var hashes = InlineArray<256, UInt32>(repeating: 0)
    private var questionHash: UInt32 = 0
    private var hasQuestion = false
    /// Where the message starts in the writer; places count from there.
    let base: Int

    init(base: Int) { self.base = base }

    /// The labels of one name: where they stand, and the hash of the suffix that starts with each.
    private struct Labels {
        var positions = InlineArray<128, UInt16>(repeating: 0)
        var hashes = InlineArray<128, UInt32>(repeating: 0)
        var count = 0

        init(_ message: Span<UInt8>, _ offset: Int) {
            var position = NameWalk.resolved(message, offset)
            while count < 127, position < message.count {
                let length = Int(message[position])
                guard length > 0, length <= 63, position + length < message.count else { break }
                positions[count] = UInt16(truncatingIfNeeded: position)
                count += 1
                position = NameWalk.resolved(message, position + length + 1)
            }
            var hash = NameWalk.hashOfRoot
            for i in (0..<count).reversed() {
                hash = NameWalk.hash(label: message, Int(positions[i]), after: hash)
                hashes[i] = hash
            }
        }
    }

    /// Takes the labels of the question at offset 12, which was copied.
    mutating func learnQuestion(_ message: Span<UInt8>) {
        let labels = Labels(message, Header.size)
        guard labels.count > 0 else { return }
        hasQuestion = true
        questionHash = labels.hashes[0]
        for i in 1..<max(1, labels.count) { learn(Int(labels.positions[i]), labels.hashes[i]) }
    }

    private mutating func learn(_ place: Int, _ hash: UInt32) {
        // A pointer has fourteen bits. The newest wins: owners repeat one after another.
        let slot = Int(hash & 255)
        guard place < 0x4000 else { return }
        places[slot] = UInt16(place)
        hashes[slot] = hash
    }

    /// Appends the name at `offset` of `message`, which was checked; without pointers unless `compress`.
    mutating func write(_ message: Span<UInt8>, _ offset: Int, compress: Bool, into writer: inout ByteWriter) {
        let labels = Labels(message, offset)
        let start = writer.count - base
        var isPointer = false
        for i in 0..<labels.count where !isPointer {
            let position = Int(labels.positions[i])
            if compress, let place = find(message, position, labels.hashes[i], in: writer) {
                writer.append16(0xc000 | UInt16(place))
                isPointer = true
            } else {
                if compress, i > 0 { learn(writer.count - base, labels.hashes[i]) }
                writer.append(message, position..<position + Int(message[position]) + 1)
            }
        }
        if !isPointer { writer.append(0) }
        // The whole name last, so that none of its own suffixes can push it out; unless it is a pointer itself.
        if compress, labels.count > 0, writer.count - base > start + 2 { learn(start, labels.hashes[0]) }
    }

    /// The place that holds the same name as the one at `position`.
    private func find(
        _ message: Span<UInt8>, _ position: Int, _ hash: UInt32, in writer: borrowing ByteWriter
    ) -> Int? {
        // The question's name is always found: an owner that equals it must be written as this pointer.
        if hasQuestion, hash == questionHash, NameWalk.equal(message, position, message, Header.size) {
            return Header.size
        }
        let slot = Int(hash & 255)
        let place = Int(places[slot])
        guard place != 0, hashes[slot] == hash else { return nil }
        let isSame = writer.withSpan(base, writer.count - base) { NameWalk.equal(message, position, $0, place) }
        return isSame ? place : nil
    }
}
