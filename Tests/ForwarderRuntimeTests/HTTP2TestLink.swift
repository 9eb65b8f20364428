// A client session under test, joined in memory with a server of the test.

import DNSWire
import ForwarderCore

@testable import ForwarderRuntime

/// One connection. `pump` carries octets both ways until nothing moves.
final class HTTP2TestLink {
    let client: HTTP2Session
    let server: HTTP2TestServer
    private(set) var events: [HTTP2Event] = []
    private(set) var answers: [AttemptID: [UInt8]] = [:]
    private(set) var failure: TransportFailure?
    /// Octets that the client had ready at once, for each time that it had any.
    private(set) var writes: [Int] = []
    /// The most octets that are fed to either side at once.
    var step = Int.max
    private var output = OutputQueue()

    init(
        _ server: HTTP2TestServer = HTTP2TestServer(), method: RequestMethod = .post,
        authority: String = "dns.example:8443", path: String = "/dns-query"
    ) throws {
        self.server = server
        let headers = RequestHeaders(method: method, authority: authority, path: path)
        guard let client = HTTP2Session(headers: headers) else { throw NoSession() }
        self.client = client
    }

    struct NoSession: Error {}

    @discardableResult func ask(_ number: UInt32, _ message: [UInt8]) -> RequestFailure? {
        client.send(attempt(number), message.span, into: &output)
    }

    func attempt(_ number: UInt32) -> AttemptID { AttemptID(slot: number, generation: 7) }

    /// Takes what the client wants to write.
    func takeOutput() -> [UInt8] {
        client.drain(into: &output)
        var result: [UInt8] = []
        output.withUnwritten { span in for i in 0..<span.count { result.append(span[i]) } }
        output.removeAll()
        return result
    }

    func feedClient(_ octets: [UInt8]) {
        var start = 0
        while start < octets.count, failure == nil {
            let end = start + min(step, octets.count - start)
            failure = client.receive(octets.span.extracting(start..<end), into: &output) { event, body in
                if event != .heard { events.append(event) }
                if case .answered(let attempt, _, _) = event {
                    var copy: [UInt8] = []
                    for i in 0..<body.count { copy.append(body[i]) }
                    answers[attempt] = copy
                }
            }
            start = end
        }
    }

    func pump() {
        for _ in 0..<100_000 {
            let toServer = takeOutput()
            if !toServer.isEmpty { writes.append(toServer.count) }
            var start = 0
            while start < toServer.count {
                let end = start + min(step, toServer.count - start)
                server.receive(Array(toServer[start..<end]))
                start = end
            }
            let toClient = server.drain()
            if toServer.isEmpty && toClient.isEmpty { return }
            feedClient(toClient)
        }
    }

    func answer(_ number: UInt32) -> [UInt8]? { answers[attempt(number)] }

    func failureOf(_ number: UInt32) -> RequestFailure? {
        for case .failed(let attempt, let failure) in events where attempt == self.attempt(number) { return failure }
        return nil
    }

    /// A message of `count` octets that begins with `number`.
    static func message(_ number: Int, count: Int = 60) -> [UInt8] {
        (0..<count).map { $0 == 0 ? UInt8(number & 255) : $0 == 1 ? UInt8(number >> 8 & 255) : UInt8($0 & 255) }
    }
}
