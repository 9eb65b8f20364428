// The table of a worker's client connections: admission, reading, replies, limits.
//
// The worker calls it for events, the action runner for replies. Client TCP follows RFC 7766: pipelining, answers out
// of order, several messages a read, an idle limit, no closing while answers are due. Every limit is bounded by a
// setting or named constant.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// All client connections of one worker.
struct ClientStreams: ~Copyable {
    private var streams: [ClientStream?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    private var touched: [ClientStream] = []
    /// Streams whose held back messages may go on.
    private var resumable: [ClientStream] = []
    private var buffer = StreamBuffer()
    private(set) var count = 0
    private var isReading = true

    private let limit: Int
    private let maxPipelined: Int
    private let idleTimeout: Interval
    /// After this long without an answer a query is over, whatever became of it.
    private let queryLife: Interval
    private let epoll: EpollSet
    private let tally: WorkerTally

    init(settings: RuntimeSettings, queryLife: Interval, epoll: EpollSet, tally: WorkerTally) {
        let workers = max(1, settings.workers)
        limit = max(1, min((settings.tcpMaxClients + workers - 1) / workers, 1 << 20))
        maxPipelined = max(1, settings.tcpMaxPipelined)
        idleTimeout = settings.tcpIdleTimeout
        self.queryLife = queryLife
        self.epoll = epoll
        self.tally = tally
    }

    /// Whether `resume` has something to do.
    var mayResume: Bool { !resumable.isEmpty }

    /// Takes a new connection in, for the longest idle one if the table is full. With none idle it takes a place of the
    /// client that has most, for one client must not shut out the others (RFC 7766 6.2.2); else it is closed.
    mutating func admit(_ descriptor: consuming FileDescriptor, from endpoint: Endpoint, now: Instant) {
        if count >= limit {
            guard let oldest = longestIdle() ?? longestOfGreediest(but: endpoint.address) else {
                tally.counters.streamsRefused &+= 1
                return
            }
            tally.counters.streamsEvicted &+= 1
            close(oldest)
        }
        SocketOptions.noDelay(descriptor.number)
        let slot = free.popLast() ?? UInt32(streams.count)
        if Int(slot) == streams.count {
            streams.append(nil)
            generations.append(0)
        }
        generations[Int(slot)] &+= 1
        let stream = ClientStream(
            descriptor, endpoint: endpoint, slot: slot, generation: generations[Int(slot)], now: now)
        guard epoll.add(stream.descriptor.number, .read, stream.token) == 0 else {
            free.append(slot)
            tally.counters.streamsRefused &+= 1
            return
        }
        streams[Int(slot)] = stream
        count += 1
        tally.counters.streamsAccepted &+= 1
        tally.counters.clientStreams = UInt64(count)
    }

    private func stream(_ slot: UInt32, _ generation: UInt32) -> ClientStream? {
        guard Int(slot) < streams.count, let found = streams[Int(slot)], found.generation == generation else {
            return nil
        }
        return found
    }

    private func longestIdle() -> ClientStream? {
        var oldest: ClientStream?
        for candidate in streams {
            guard let candidate, candidate.isIdle else { continue }
            if let best = oldest, best.lastActivity <= candidate.lastActivity { continue }
            oldest = candidate
        }
        return oldest
    }

    /// The least recently active stream of the client with the most streams; nil when `newcomer` would have as many.
    private func longestOfGreediest(but newcomer: NetworkAddress) -> ClientStream? {
        var counts: [NetworkAddress: Int] = [:]
        for case let stream? in streams { counts[ClientStreams.prefix(stream.endpoint.address), default: 0] += 1 }
        let greediest = counts.max { $0.value < $1.value }
        let own = counts[ClientStreams.prefix(newcomer)] ?? 0
        guard let greediest, greediest.value > own + 1 else { return nil }
        var oldest: ClientStream?
        for case let candidate? in streams where ClientStreams.prefix(candidate.endpoint.address) == greediest.key {
            if let best = oldest, best.lastActivity <= candidate.lastActivity { continue }
            oldest = candidate
        }
        return oldest
    }

    /// What counts as one client: an IPv4 address, or a household's /56.
    private static func prefix(_ address: NetworkAddress) -> NetworkAddress {
        address.isIPv6 ? NetworkAddress(high: address.high & ~0xff, low: 0) : address
    }

    private mutating func close(_ stream: ClientStream) {
        guard self.stream(stream.slot, stream.generation) === stream else { return }
        epoll.remove(stream.descriptor.number)
        streams[Int(stream.slot)] = nil
        free.append(stream.slot)
        count -= 1
        tally.counters.clientStreams = UInt64(count)
    }

    // MARK: - Input

    /// Something happened on a stream.
    mutating func ready(
        _ token: EventToken, _ readiness: Readiness, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) {
        guard let stream = stream(token.slot, token.generation) else { return }
        if readiness.contains(.write) { write(stream, now: now) }
        if readiness.contains(.read) && stream.interest.contains(.read) {
            read(stream, engine: &engine, now: now, into: &out)
        } else if !readiness.isDisjoint(with: [.error, .hangUp]) {
            // Reset, or closed in both directions: nobody is left to answer.
            close(stream)
        }
    }

    private mutating func read(
        _ stream: ClientStream, engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) {
        let received = buffer.read(from: stream.descriptor.number)
        if received == -Int(EAGAIN) { return }
        if received < 0 { return close(stream) }
        if received == 0 {
            stream.inputEnded = true
            stream.messageBegan = nil
            if !stream.paused { stream.frames.release() }
            return settle(stream)
        }
        let pipelined = maxPipelined
        let tally = tally
        let outcome = buffer.withBytes(received) { chunk in
            ClientStreams.consume(chunk, of: stream, pipelined, tally, engine: &engine, now: now, into: &out)
        }
        finish(stream, outcome)
    }

    /// Goes on with messages that were held back at the pipelining limit.
    mutating func resume(engine: inout Engine, now: Instant, into out: inout ActionBuffer) {
        let ready = resumable
        resumable.removeAll(keepingCapacity: true)
        for stream in ready where stream.paused && self.stream(stream.slot, stream.generation) === stream {
            stream.paused = false
            let nothing: [UInt8] = []
            let outcome = ClientStreams.consume(
                nothing.span, of: stream, maxPipelined, tally, engine: &engine, now: now, into: &out)
            finish(stream, outcome)
        }
    }

    private static func consume(
        _ chunk: Span<UInt8>, of stream: ClientStream, _ maxPipelined: Int, _ tally: WorkerTally,
        engine: inout Engine, now: Instant, into out: inout ActionBuffer
    ) -> FrameReader.Outcome {
        let client = Client(endpoint: stream.endpoint, path: stream.path)
        var complete = false
        let outcome = stream.frames.consume(chunk) { message in
            complete = true
            tally.counters.clientMessages &+= 1
            // A response (QR = 1) gets silence, so nothing is due for it.
            if message[2] & 0x80 == 0 {
                stream.unanswered += 1
                stream.lastQuery = now
            }
            engine.clientSent(message, from: client, now: now, into: &out)
            return stream.unanswered < maxPipelined
        }
        if complete { stream.lastActivity = now }
        if outcome == .paused && !stream.frames.isEmpty {
            stream.paused = true
            stream.messageBegan = nil
        } else if stream.frames.isEmpty {
            stream.messageBegan = nil
        } else if complete || stream.messageBegan == nil {
            stream.messageBegan = now
        }
        return outcome
    }

    private mutating func finish(_ stream: ClientStream, _ outcome: FrameReader.Outcome) {
        if outcome == .invalid {
            tally.counters.streamsInvalid &+= 1
            return close(stream)
        }
        if stream.inputEnded && !stream.paused { stream.frames.release() }
        settle(stream)
    }

    // MARK: - Output

    /// Queues a reply, length octets included; `flush` writes it.
    mutating func reply(slot: UInt32, generation: UInt32, _ bytes: borrowing ByteWriter, offset: Int, count: Int) {
        guard let stream = stream(slot, generation) else { return }
        stream.unanswered = max(0, stream.unanswered - 1)
        stream.output.append(bytes, offset: offset, count: count)
        if !stream.touched {
            stream.touched = true
            touched.append(stream)
        }
    }

    /// Writes what the batch queued, one send a stream.
    mutating func flush(now: Instant) {
        guard !touched.isEmpty else { return }
        for stream in touched {
            stream.touched = false
            if !stream.blocked { write(stream, now: now) }
            if stream.output.count > ClientStream.outputLimit { close(stream) } else { settle(stream) }
        }
        touched.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ stream: ClientStream, now: Instant) {
        switch stream.output.write(to: stream.descriptor.number) {
        case .drained:
            stream.blocked = false
            stream.lastActivity = now
        case .blocked(let progress):
            stream.blocked = true
            if progress { stream.lastActivity = now }
        case .failed:
            return close(stream)
        }
        settle(stream)
    }

    /// Brings the watched events in line with the stream's state, and closes it when it is finished.
    private mutating func settle(_ stream: ClientStream) {
        guard self.stream(stream.slot, stream.generation) === stream else { return }
        if stream.isFinished { return close(stream) }
        if stream.paused && isReading && stream.unanswered < maxPipelined
            && stream.output.count <= ClientStream.outputPause
        {
            if !resumable.contains(where: { $0 === stream }) { resumable.append(stream) }
        }
        let wanted = stream.wantedInterest(maxPipelined: maxPipelined, reading: isReading)
        if wanted != stream.interest {
            stream.interest = wanted
            epoll.change(stream.descriptor.number, wanted, stream.token)
        }
    }

    // MARK: - Time and end

    /// Closes what is idle, slow or stuck. Called about once a second while there are streams.
    mutating func sweep(now: Instant) {
        for stream in streams {
            guard let stream else { continue }
            if stream.unanswered > 0 && stream.lastQuery + queryLife < now {
                // No query outlives its deadline, so these were dropped on purpose (overload = "drop").
                stream.unanswered = 0
                settle(stream)
            }
            if let began = stream.messageBegan, began + ClientStream.messageTime <= now {
                tally.counters.streamsSlow &+= 1
                close(stream)
            } else if stream.unanswered == 0 || !stream.output.isEmpty, stream.lastActivity + idleTimeout <= now {
                tally.counters.streamsIdle &+= 1
                close(stream)
            }
        }
    }

    /// The end has begun: nothing more is read.
    mutating func stopReading() {
        isReading = false
        for stream in streams { if let stream { settle(stream) } }
    }

    /// Whether an answer waits to be written.
    var hasUnwritten: Bool {
        for stream in streams { if let stream, !stream.output.isEmpty { return true } }
        return false
    }
}
