// A query that the engine sent to an upstream, as the world caught it. Scenarios and the simulation answer it.

import ForwarderCore

/// One query on its way to an upstream.
final class OutQuery {
    let number: Int
    let connection: ConnectionID
    /// Of datagrams and requests; a stream's messages have only their id.
    let attempt: AttemptID?
    let upstream: Int
    let transport: UpstreamTransport
    let bytes: [UInt8]
    let message: TestMessage
    let sentAt: Instant
    /// A scenario has looked at it, or a range has answered it.
    var isSeen = false
    /// When the peer had done with it.
    var answeredAt: Instant?
    /// It was answered, lost, or went down with its connection.
    var isOver = false

    init(
        number: Int, connection: ConnectionID, attempt: AttemptID?, upstream: Int, transport: UpstreamTransport,
        bytes: [UInt8], sentAt: Instant
    ) throws {
        self.number = number
        self.connection = connection
        self.attempt = attempt
        self.upstream = upstream
        self.transport = transport
        self.bytes = bytes
        message = try TestMessage(bytes)
        self.sentAt = sentAt
    }

    /// As statistics and scenarios call the transport.
    var network: String { transport.word }
    var summary: String { "out query \(number) to upstream \(upstream) over \(network): \(message.summary)" }
}
