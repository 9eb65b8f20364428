// What the engine wants done, as values: the runtime performs them after the batch, tests compare them.
//
// Effects never happen inside the engine. `bytes` holds the messages, the actions name ranges of it. The upstream
// actions are performed in order; replies go out as batches of their own.

import DNSWire

/// A connection (or connected UDP socket) toward an upstream, by slot and generation, so that an event for a closed
/// one is recognised as stale.
public struct ConnectionID: Hashable, Sendable {
    public var slot: UInt16
    public var generation: UInt16
    public init(slot: UInt16, generation: UInt16) {
        self.slot = slot
        self.generation = generation
    }
    public var raw: UInt32 { UInt32(generation) << 16 | UInt32(slot) }
    public init(raw: UInt32) {
        slot = UInt16(truncatingIfNeeded: raw)
        generation = UInt16(truncatingIfNeeded: raw >> 16)
    }
}

/// One sending of a query to an upstream, by slot and generation.
public struct AttemptID: Hashable, Sendable {
    public var slot: UInt32
    public var generation: UInt32
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// A response for a client: `count` bytes at `offset`. For a stream they begin with the two length octets.
public struct ClientReply: Sendable {
    public var client: Client
    public var offset: Int
    public var count: Int
}

/// An effect on the upstream side.
public enum UpstreamAction: Equatable, Sendable {
    /// Open a UDP socket on a random port, connected to the upstream's address. Failing is reported by
    /// `connectionLost`; queries follow without waiting.
    case openDatagram(ConnectionID, upstream: Int, Endpoint)
    /// Begin a TCP connection, and on it the TLS handshake where the upstream's transport asks for one;
    /// `connectionOpened` (when queries may be sent) or `connectionLost` will tell.
    case openStream(ConnectionID, upstream: Int, Endpoint)
    case sendDatagram(ConnectionID, AttemptID, offset: Int, count: Int)
    /// Frames with their length octets, to be written after what is still unwritten.
    case writeStream(ConnectionID, offset: Int, count: Int)
    /// Send a message (id 0, no length octets) as an HTTP/2 request. `upstreamAnswered` or `requestFailed` will tell.
    case sendRequest(ConnectionID, AttemptID, offset: Int, count: Int)
    /// Nobody waits for this request any more: reset its stream.
    case cancelRequest(ConnectionID, AttemptID)
    /// An HTTPS connection is suspiciously silent: send a PING. Whatever comes is told by `connectionHeard`.
    case probe(ConnectionID)
    case close(ConnectionID)
}

/// The output of one batch. Owned by the worker, lent `inout` to the engine.
public struct ActionBuffer: ~Copyable {
    public var bytes: ByteWriter
    public var replies: [ClientReply] = []
    public var upstream: [UpstreamAction] = []
    public var events: [PoolEvent] = []

    /// - Parameter byteLimit: the most bytes of messages that one batch may ask to be sent; above it, replies are
    ///   dropped and counted.
    public init(byteCapacity: Int = 256 << 10, byteLimit: Int = 64 << 20) {
        bytes = ByteWriter(capacity: byteCapacity, limit: byteLimit)
        replies.reserveCapacity(256)
        upstream.reserveCapacity(256)
    }

    public var isEmpty: Bool { replies.isEmpty && upstream.isEmpty && events.isEmpty }

    /// Forgets everything after it was performed.
    public mutating func removeAll() {
        bytes.removeAll(keeping: 256 << 10)
        replies.removeAll(keepingCapacity: true)
        upstream.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
    }
}
