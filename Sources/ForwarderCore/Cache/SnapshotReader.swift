// Reads the cache's snapshot, a piece at a time, and puts its answers in.
//
// The runtime's snapshot thread calls it with the octets of the file, as many as it asks for. They may be damaged or
// made by an enemy: each length is checked, each record is surveyed and packed anew exactly as a response from the
// network is (RFC 9267), under the rules of the configuration of today. It must never replace an answer that is there.

import DNSWire

/// How it goes on after a piece.
public enum SnapshotStep: Sendable, Equatable {
    /// `wanted` octets more.
    case more
    /// The file must end here.
    case whole
    /// Nothing more of it is used.
    case unusable(SnapshotProblem)
}

/// A snapshot being loaded.
public struct SnapshotReader: ~Copyable {
    private enum Stage { case head, groups, chunkHead, chunk, done }

    /// Octets that the next piece must have.
    public private(set) var wanted = SnapshotFormat.headSize
    public private(set) var counts = SnapshotCounts()

    private let cache: SharedCache
    private let groups: SnapshotGroups
    private let stale: UInt32
    private let wallClock: Int64
    private var packer: AnswerPacker
    private var offsets = TTLOffsets()
    private var names = ByteStore(capacity: 256)
    private var checksum = SnapshotChecksum()

    private var stage = Stage.head
    /// What the head of the part at hand said.
    private var expectedChecksum: UInt32 = 0
    private var expectedRecords = 0
    /// Seconds since it was written; below 0 for a file from the future. Believed once the head is known to be whole.
    private var elapsed: Int64 = 0
    /// By place in the file's table.
    private var indexes: [UInt16?] = []

    /// - Parameter wallClock: seconds since 1970.
    public init(cache: SharedCache, settings: EngineSettings, wallClock: Int64) {
        self.cache = cache
        self.wallClock = wallClock
        groups = SnapshotGroups(settings)
        stale = settings.cache.stale
        packer = AnswerPacker(settings: settings.cache)
    }

    /// Takes `wanted` octets. Answers of a chunk are in the cache when it returns.
    public mutating func take(_ piece: Span<UInt8>, now: Instant) -> SnapshotStep {
        do throws(SnapshotProblem) {
            guard piece.count == wanted else { throw .damaged("it is cut short") }
            switch stage {
            case .head: try readHead(piece)
            case .groups: try readGroups(piece)
            case .chunkHead: try readChunkHead(piece)
            case .chunk: try readChunk(piece, now: now)
            case .done: throw .damaged("octets follow its end")
            }
            return stage == .done ? .whole : .more
        } catch {
            return .unusable(error)
        }
    }

    private mutating func readHead(_ piece: Span<UInt8>) throws(SnapshotProblem) {
        guard (piece.load32(0), piece.load32(4)) == SnapshotFormat.magic else {
            throw .damaged("it does not begin as a snapshot does")
        }
        let version = piece.load32(8)
        guard version == SnapshotFormat.version else {
            throw version > SnapshotFormat.version ? .newer(version) : .damaged("there is no version \(version)")
        }
        let length = Int(piece.load32(12))
        guard length >= 2, length <= SnapshotFormat.longestTable else { throw .damaged("its head is damaged") }
        let written = Int64(bitPattern: UInt64(piece.load32(16)) << 32 | UInt64(piece.load32(20)))
        expectedChecksum = piece.load32(SnapshotFormat.headChecksumOffset)
        checksum.begin()
        checksum.add(piece.extracting(0..<SnapshotFormat.headChecksumOffset))
        let (difference, overflow) = wallClock.subtractingReportingOverflow(written)
        // A difference that cannot be told is of no clock.
        guard !overflow, difference > -Int64(UInt32.max) else { throw .damaged("its head is damaged") }
        elapsed = difference
        advance(to: .groups, wanted: length)
    }

    private mutating func readGroups(_ piece: Span<UInt8>) throws(SnapshotProblem) {
        checksum.add(piece)
        guard checksum.value == expectedChecksum else { throw .damaged("its head is damaged") }
        if elapsed < -SnapshotFormat.clockTolerance { throw .future(-elapsed) }
        // A clock that was set back a little: as if no time had passed.
        elapsed = max(0, elapsed)
        var place = 2
        for _ in 0..<Int(piece.load16(0)) {
            guard place + 2 <= piece.count else { throw .damaged("its table of groups is damaged") }
            let end = place + 2 + Int(piece.load16(place))
            guard end <= piece.count else { throw .damaged("its table of groups is damaged") }
            indexes.append(groups.index(of: (place + 2..<end).map { piece[$0] }))
            place = end
        }
        guard place == piece.count else { throw .damaged("its table of groups is damaged") }
        advance(to: .chunkHead, wanted: SnapshotFormat.chunkHeadSize)
    }

    private mutating func readChunkHead(_ piece: Span<UInt8>) throws(SnapshotProblem) {
        let length = Int(piece.load32(0))
        expectedRecords = Int(piece.load32(4))
        expectedChecksum = piece.load32(SnapshotFormat.chunkChecksumOffset)
        checksum.begin()
        checksum.add(piece.extracting(0..<SnapshotFormat.chunkChecksumOffset))
        if length > 0 {
            guard length <= SnapshotFormat.longestChunk else { throw .damaged("a length in it is damaged") }
            return advance(to: .chunk, wanted: length)
        }
        guard checksum.value == expectedChecksum else { throw .damaged("its end mark is damaged") }
        guard expectedRecords == counts.total else {
            throw .damaged("it has \(counts.total) answers instead of \(expectedRecords)")
        }
        advance(to: .done, wanted: 0)
    }

    private mutating func readChunk(_ piece: Span<UInt8>, now: Instant) throws(SnapshotProblem) {
        checksum.add(piece)
        guard checksum.value == expectedChecksum else {
            throw .damaged("a checksum is wrong after \(counts.total) answers")
        }
        var place = 0
        let before = counts.total
        while place + SnapshotFormat.recordHeadSize <= piece.count, counts.total - before < expectedRecords {
            let record = SnapshotRecord(piece, at: place)
            guard record.end <= piece.count else { throw .damaged("a record overruns its chunk") }
            load(record, piece, now: now)
            place = record.end
        }
        guard place == piece.count, counts.total - before == expectedRecords else {
            throw .damaged("a chunk has another number of answers than it says")
        }
        advance(to: .chunkHead, wanted: SnapshotFormat.chunkHeadSize)
    }

    private mutating func advance(to next: Stage, wanted octets: Int) {
        stage = next
        wanted = octets
    }
}

// MARK: one record

extension SnapshotReader {
    private mutating func load(_ record: SnapshotRecord, _ piece: Span<UInt8>, now: Instant) {
        let age = UInt64(record.age) &+ UInt64(clamping: elapsed)
        guard record.group < indexes.count, let group = indexes[record.group] else { return counts.foreign += 1 }
        guard age < UInt64(record.lifetime) + UInt64(stale), age < UInt64(Int32.max) else { return counts.ended += 1 }
        guard var (question, answer) = pack(record, piece, group: group, now: now) else { return counts.refused += 1 }
        // The configuration of today may give it less, not more.
        answer.lifetime = min(answer.lifetime, record.lifetime)
        guard age < UInt64(answer.lifetime) + UInt64(stale) else { return counts.ended += 1 }
        question.nameHash = hashName(names, 0, question.nameLength, seed: cache.seed)
        counts.count(
            cache.restore(
                answer, packer.scratch, question, name: names, age: UInt32(truncatingIfNeeded: age),
                frequency: record.frequency, now: now.seconds))
    }

    /// Packs the record's message as if an upstream had just sent it. nil when it is no answer that would be kept, or
    /// not in the form in which answers are kept.
    private mutating func pack(
        _ record: SnapshotRecord, _ piece: Span<UInt8>, group: UInt16, now: Instant
    ) -> (Question, PackedAnswer)? {
        let message = piece.extracting(record.message..<record.text)
        guard record.end - record.text <= PackedHead.textLimit,
            var survey = try? surveyResponse(message, dnssecOK: record.dnssecOK, ttlOffsets: &offsets),
            survey.questionCount == 1, survey.shape != .failure, !survey.needsRewrite,
            survey.keptEnd == message.count, survey.nameLength <= names.capacity,
            Header.size + survey.nameLength + 4 <= message.count
        else { return nil }
        let nameEnd = Header.size + survey.nameLength
        _ = foldName(message, start: Header.size, length: survey.nameLength, into: &names, at: 0)
        var labels = 0
        var place = 0
        while place < survey.nameLength, names[place] != 0 {
            labels += 1
            place += 1 + Int(names[place])
        }
        let question = Question(
            nameLength: survey.nameLength, labelCount: labels, type: RecordType(rawValue: message.load16(nameEnd)),
            recordClass: message.load16(nameEnd + 2), dnssecOK: record.dnssecOK,
            checkingDisabled: record.checkingDisabled, group: group, nameHash: 0)
        survey.extendedError = record.extendedError
        survey.extendedText = message.count..<message.count + record.end - record.text
        let packed = packer.pack(
            piece.extracting(record.message..<record.end), survey, ttlOffsets: &offsets, question: question,
            name: names, nameOffset: 0, now: now)
        guard let packed, packed.kind != .failure else { return nil }
        return (question, packed)
    }
}

/// The fixed part of a record, and where its message and text stand in the chunk.
private struct SnapshotRecord {
    let message: Int
    let text: Int
    let end: Int
    let group: Int
    let age: UInt32
    let lifetime: UInt32
    let extendedError: UInt16?
    private let flags: UInt8

    var dnssecOK: Bool { flags & EntryStore.dnssecBit != 0 }
    var checkingDisabled: Bool { flags & EntryStore.checkingBit != 0 }
    var frequency: UInt8 { min(flags >> SnapshotFormat.frequencyShift, EntryStore.highestFrequency) }

    /// Reads the fixed part at `offset`; the caller has checked that it is there.
    init(_ piece: Span<UInt8>, at offset: Int) {
        message = offset + SnapshotFormat.recordHeadSize
        text = message + Int(piece.load16(offset))
        flags = piece[offset + 2]
        end = text + Int(piece[offset + 3])
        group = Int(piece.load16(offset + 4))
        extendedError = flags & SnapshotFormat.errorBit != 0 ? piece.load16(offset + 6) : nil
        age = piece.load32(offset + 8)
        lifetime = piece.load32(offset + 12)
    }
}
