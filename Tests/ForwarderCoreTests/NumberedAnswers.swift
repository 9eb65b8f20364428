// Answers for the tests of the cache's size and eviction: as many as wanted, all of one length.

import DNSWire
import Testing

@testable import ForwarderCore

/// Many names without the cost of packing each: one packed answer, whose digits are changed in place.
struct NumberedAnswers: ~Copyable {
    static let template = "0000000.hosts.example"
    private var block = ByteStore(capacity: 512)
    var names = ByteStore(capacity: 64)
    private var out = ActionBuffer()
    private let writer: ReplyWriter
    private let packed: PackedAnswer
    private var question: Question

    struct Unpackable: Error {}

    init() throws {
        var fixture = AnswerFixture()
        question = fixture.question(Self.template).question
        guard let packed = fixture.pack(CacheFixture.address(Self.template, ttl: 86_400)) else { throw Unpackable() }
        self.packed = packed
        writer = fixture.writer
        block.copy(from: fixture.packer.scratch, range: 0..<packed.length, to: 0)
        names.copy(from: fixture.names, range: 0..<question.nameLength, to: 0)
    }

    var length: Int { packed.length }

    private mutating func choose(_ number: Int) {
        var rest = number
        for digit in (1...7).reversed() {
            let octet = UInt8(0x30 + rest % 10)
            names[digit] = octet
            block[PackedHead.messageOffset + Header.size + digit] = octet
            rest /= 10
        }
        question.nameHash = hashName(names, 0, question.nameLength, seed: AnswerFixture.seed)
    }

    /// The place of its answer's slot in an index.
    mutating func bucket(_ number: Int, of index: borrowing CacheIndex) -> Int {
        choose(number)
        return index.bucket(CacheKey(question, nameOffset: 0).hash(.ordinary))
    }

    mutating func store(_ number: Int, into cache: SharedCache, lifetime: UInt32 = 86_400, at seconds: Int64 = 0) {
        choose(number)
        var packed = packed
        packed.lifetime = lifetime
        cache.store(packed, block, question: question, name: names, nameOffset: 0, now: AnswerFixture.at(seconds))
    }

    /// Whether the cache has it; a hit must be of this very name.
    mutating func ask(_ number: Int, of cache: SharedCache, at seconds: Int64 = 1) -> Bool {
        choose(number)
        out.removeAll()
        let found = cache.answer(
            question, name: names, nameOffset: 0, now: AnswerFixture.at(seconds), turn: 0, writer: writer,
            to: AnswerFixture.client(), into: &out)
        guard case .answered = found, let reply = out.replies.first else { return false }
        for digit in 1...7 where out.bytes[reply.offset + Header.size + digit] != names[digit] {
            Issue.record("the answer to another name")
        }
        return true
    }
}
