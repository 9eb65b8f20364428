// FrameReader: any splitting and coalescing of the same bytes gives the same messages; bad lengths end the stream;
// what is held is bounded and given back.

import Testing

@testable import ForwarderRuntime

@Suite struct FrameReaderTests {
    static func frame(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 0xff)] + message
    }

    static func message(_ seed: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ seed) }
    }

    /// Feeds `stream` in pieces of the given sizes, in turn.
    static func read(_ stream: [UInt8], pieces: [Int]) -> (messages: [[UInt8]], outcome: FrameReader.Outcome, held: Int)
    {
        var reader = FrameReader()
        var messages: [[UInt8]] = []
        var position = 0
        var turn = 0
        var outcome = FrameReader.Outcome.consumed
        while position < stream.count && outcome == .consumed {
            let end = min(position + pieces[turn % pieces.count], stream.count)
            let chunk = Array(stream[position..<end])
            outcome = reader.consume(chunk.span) { message in
                messages.append((0..<message.count).map { message[$0] })
                return true
            }
            position = end
            turn += 1
        }
        return (messages, outcome, reader.heldCount)
    }

    @Test(arguments: [[1], [2], [3], [7, 1], [13], [14, 15], [64], [1000], [65_536], [1_000_000]])
    func anySplitting(_ pieces: [Int]) {
        let sent = [12, 13, 40, 512, 12, 1232, 4096, 65_535, 12].enumerated().map {
            FrameReaderTests.message($0.offset, $0.element)
        }
        let result = FrameReaderTests.read(sent.flatMap(FrameReaderTests.frame), pieces: pieces)
        #expect(result.messages == sent)
        #expect(result.outcome == .consumed)
        #expect(result.held == 0)
    }

    @Test(arguments: Array(0..<12))
    func tooShort(_ length: Int) {
        let good = FrameReaderTests.message(1, 12)
        let stream =
            FrameReaderTests.frame(good) + FrameReaderTests.frame(FrameReaderTests.message(2, length)) + [0, 12]
        for pieces in [[1], [5], [1000]] {
            let result = FrameReaderTests.read(stream, pieces: pieces)
            #expect(result.messages == [good])
            #expect(result.outcome == .invalid)
        }
    }

    @Test func holdsAtMostOneFrame() {
        var reader = FrameReader()
        let chunk = Array(FrameReaderTests.frame(FrameReaderTests.message(3, 65_535)).dropLast())
        _ = reader.consume(chunk.span) { _ in true }
        #expect(reader.heldCount == FrameReader.largestFrame - 1)
        #expect(!reader.isEmpty)
        let last: [UInt8] = [9]
        var count = 0
        _ = reader.consume(last.span) { message in
            count = message.count
            return true
        }
        #expect(count == 65_535)
        #expect(reader.isEmpty)
    }

    @Test(arguments: [1, 2, 5])
    func pausesAndGoesOn(_ limit: Int) {
        var reader = FrameReader()
        let sent = (0..<20).map { FrameReaderTests.message($0, 12 + $0) }
        // The last frame is unfinished until the end.
        let stream = sent.flatMap(FrameReaderTests.frame)
        let first = Array(stream.dropLast(5))
        var got: [[UInt8]] = []
        let nothing: [UInt8] = []
        func run(_ chunk: [UInt8]) -> FrameReader.Outcome {
            var budget = limit
            return reader.consume(chunk.span) { message in
                got.append((0..<message.count).map { message[$0] })
                budget -= 1
                return budget > 0
            }
        }
        var outcome = run(first)
        for _ in 0..<40 where outcome == .paused { outcome = run(nothing) }
        #expect(outcome == .consumed)
        #expect(got == Array(sent.dropLast()))
        outcome = run(Array(stream.suffix(5)))
        #expect(got == sent)
        #expect(reader.isEmpty)
    }
}
