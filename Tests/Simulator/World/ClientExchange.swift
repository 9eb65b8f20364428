// A query of a client, and what became of it.

import ForwarderCore

/// One query and its answers, of which there should be one.
final class ClientExchange {
    let client: Client
    let query: [UInt8]
    /// The query as a message, where it is one.
    let asked: TestMessage?
    let sentAt: Instant
    /// It must never be answered.
    var expectsSilence = false
    var answers: [[UInt8]] = []
    /// The last answer as a message.
    var answer: TestMessage?
    var answeredAt: Instant?

    init(client: Client, query: [UInt8], sentAt: Instant) {
        self.client = client
        self.query = query
        asked = try? TestMessage(query)
        self.sentAt = sentAt
    }
}
