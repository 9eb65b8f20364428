// Cuts a TCP byte stream into DNS messages: two octets of length, then the message (RFC 1035 section 4.2.2).
//
// Client streams and upstream streams use it. Input may be split or coalesced anywhere (RFC 7766 section 8). It is
// iterative, so that a flood of tiny frames cannot grow the stack, keeps bytes only of what is unfinished or held back,
// and gives the memory back when nothing is. It must never keep more than one message or one read.

/// Finds the messages in a stream of bytes.
struct FrameReader {
    /// How a `consume` ended.
    enum Outcome: Equatable {
        /// Everything complete was delivered.
        case consumed
        /// The receiver asked to stop; the rest is kept for the next call.
        case paused
        /// A length that no DNS message has: the stream cannot be trusted any more.
        case invalid
    }

    /// A header is 12 octets; nothing shorter is a message.
    static let shortestMessage = 12
    static let largestFrame = 2 + 65_535

    private var kept: [UInt8] = []
    /// Where in `kept` the unfinished or held back bytes begin.
    private var start = 0

    /// Whether no byte waits for the rest of its message.
    var isEmpty: Bool { kept.isEmpty }
    /// Bytes held.
    var heldCount: Int { kept.count - start }

    /// Takes `chunk` and calls `deliver` for each complete message. When `deliver` returns false the rest is kept; call
    /// again, with an empty chunk if nothing more was read, to go on.
    mutating func consume(_ chunk: Span<UInt8>, _ deliver: (Span<UInt8>) -> Bool) -> Outcome {
        var position = 0
        while !kept.isEmpty {
            switch finishKept(from: chunk, at: &position) {
            case .invalid: return .invalid
            case .incomplete: return .consumed
            case .complete(let end):
                let goOn = deliver(kept.span.extracting(start + 2..<end))
                start = end
                if start == kept.count { release() }
                if !goOn {
                    keep(chunk, from: position)
                    return .paused
                }
            }
        }
        while chunk.count - position >= 2 {
            let length = Int(chunk[position]) << 8 | Int(chunk[position + 1])
            if length < FrameReader.shortestMessage { return .invalid }
            let end = position + 2 + length
            if end > chunk.count { break }
            let goOn = deliver(chunk.extracting(position + 2..<end))
            position = end
            if !goOn {
                keep(chunk, from: position)
                return .paused
            }
        }
        keep(chunk, from: position)
        return .consumed
    }

    /// Forgets what is held.
    mutating func release() {
        kept = []
        start = 0
    }

    private enum KeptState { case incomplete, complete(end: Int), invalid }

    /// Moves from `chunk` into `kept` what the first message there lacks.
    private mutating func finishKept(from chunk: Span<UInt8>, at position: inout Int) -> KeptState {
        take(upTo: 2, from: chunk, at: &position)
        guard heldCount >= 2 else { return .incomplete }
        let length = Int(kept[start]) << 8 | Int(kept[start + 1])
        if length < FrameReader.shortestMessage { return .invalid }
        take(upTo: 2 + length, from: chunk, at: &position)
        return heldCount >= 2 + length ? .complete(end: start + 2 + length) : .incomplete
    }

    private mutating func take(upTo wanted: Int, from chunk: Span<UInt8>, at position: inout Int) {
        let count = min(wanted - heldCount, chunk.count - position)
        guard count > 0 else { return }
        compact()
        kept.reserveCapacity(wanted)
        for i in position..<position + count { kept.append(chunk[i]) }
        position += count
    }

    private mutating func keep(_ chunk: Span<UInt8>, from position: Int) {
        guard position < chunk.count else { return }
        compact()
        kept.reserveCapacity(heldCount + chunk.count - position)
        for i in position..<chunk.count { kept.append(chunk[i]) }
    }

    private mutating func compact() {
        guard start > 0 else { return }
        kept.removeFirst(start)
        start = 0
    }
}
