// One client's TCP connection.
//
// Only values and small rules; ClientStreams owns the table and does the reading and writing. A message that has begun
// must be whole within five seconds of its first octet, and a client that does not read cannot grow our memory.

import ForwarderCore

/// A client's connection.
final class ClientStream {
    /// How long a message may take to arrive, from its first octet: slower is a slowloris.
    static let messageTime = Interval.seconds(5)
    /// With more unread output than this nothing more is read from the client.
    static let outputPause = 256 << 10
    /// With more than this the connection is closed.
    static let outputLimit = 1 << 20

    let descriptor: FileDescriptor
    let endpoint: Endpoint
    let slot: UInt32
    let generation: UInt32
    var frames = FrameReader()
    var output = OutputQueue()
    /// Queries that the engine has and has not answered.
    var unanswered = 0
    var lastQuery: Instant
    /// The last whole message in, or octet out.
    var lastActivity: Instant
    /// When the unfinished message began; nil = none is unfinished.
    var messageBegan: Instant?
    /// The client sent FIN.
    var inputEnded = false
    /// `frames` stopped at the pipelining limit and holds more.
    var paused = false
    /// The kernel's send buffer is full.
    var blocked = false
    /// In the list of streams to be written after this batch.
    var touched = false
    var interest: Readiness = .read

    init(_ descriptor: consuming FileDescriptor, endpoint: Endpoint, slot: UInt32, generation: UInt32, now: Instant) {
        self.descriptor = descriptor
        self.endpoint = endpoint
        self.slot = slot
        self.generation = generation
        lastQuery = now
        lastActivity = now
    }

    var path: ReplyPath { .stream(slot: slot, generation: generation) }
    var token: EventToken { EventToken(.clientStream, slot: slot, generation: generation) }
    /// Nothing is asked, unsent or held back.
    var isIdle: Bool { unanswered == 0 && output.isEmpty && !paused }
    var isFinished: Bool { inputEnded && isIdle }

    /// The events to watch for.
    func wantedInterest(maxPipelined: Int, reading: Bool) -> Readiness {
        var wanted: Readiness = []
        if reading && !inputEnded && !paused && unanswered < maxPipelined && output.count <= ClientStream.outputPause {
            wanted.insert(.read)
        }
        if blocked { wanted.insert(.write) }
        return wanted
    }
}
