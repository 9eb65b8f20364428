// Writes what upstreams answer, octet by octet: from the query's own octets and the truth, bent as the lie demands.

import ForwarderCore

/// How a reply differs from the truth.
struct Bending {
    var otherID = false
    /// Data that must never reach a client.
    var isPoisoned = false
    var truncated = false
    var folded = false
    /// Octets that are missing at the end.
    var cut = 0
    /// An error instead of data, 12 bits.
    var rcode: UInt16?
    var extendedError: UInt16?
    /// Another question, answered as itself.
    var other: SimulatedQuestion?
    var twice = false
    var hasEDNS = true
    /// A server cookie of so many octets behind the client's own.
    var cookieLength = 0
    /// Of HTTPS.
    var age: UInt32 = 0
    var freshness: UInt32?
}

/// The octets of one reply.
enum ReplyComposer {
    /// - Parameter nameLength: octets of the query's name.
    static func compose(
        to query: OutQuery, _ question: SimulatedQuestion, stamp: UInt16, _ bending: Bending
    ) -> [UInt8] {
        let answered = bending.other ?? question
        let rcode = bending.rcode ?? answered.rcode
        let hasData = bending.rcode == nil && !bending.truncated
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        let id = query.message.id ^ (bending.otherID ? 0x5555 : 0)
        bytes += [UInt8(id >> 8), UInt8(id & 255), bending.truncated ? 0x83 : 0x81, 0x80 | UInt8(rcode & 15), 0, 1]
        let answers: UInt8 = !hasData || answered.isNegative ? 0 : answered.kind == .alias ? 2 : 1
        let opt = query.message.opt != nil && bending.hasEDNS
        bytes += [0, answers, 0, hasData && answered.isNegative ? 1 : 0, 0, opt ? 1 : 0]
        if bending.other != nil {
            bytes += answered.name + [0, UInt8(answered.type), 0, 1]
        } else {
            let length = query.message.questions.first?.name.wire.count ?? 1
            let asked = query.bytes[12..<min(query.bytes.count, 12 + length + 4)]
            bytes += bending.folded ? asked.map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 } : Array(asked)
        }
        if hasData { appendRecords(of: answered, stamp, bending, to: &bytes) }
        if opt { appendOPT(query, rcode, bending, to: &bytes) }
        bytes.removeLast(min(bending.cut, bytes.count))
        return bytes
    }

    private static func appendRecords(
        of question: SimulatedQuestion, _ stamp: UInt16, _ bending: Bending, to bytes: inout [UInt8]
    ) {
        func begin(_ owner: [UInt8], _ type: UInt16, _ ttl: UInt32, _ length: Int) {
            bytes += owner
            bytes += [0, UInt8(type), 0, 1, UInt8(ttl >> 24), UInt8(ttl >> 16 & 255), UInt8(ttl >> 8 & 255)]
            bytes += [UInt8(ttl & 255), 0, UInt8(length)]
        }
        if question.isNegative {
            // The root's SOA: two names, five numbers, MINIMUM above the TTL so that the TTL decides.
            begin([0], 6, question.ttl, 27)
            bytes += [2, 110, 115, 0, 1, 97, 0]
            bytes +=
                (bending.isPoisoned ? Simulation.poison(1) : question.token(stamp)) + [UInt8](repeating: 0, count: 12)
                + [0, 0, 255, 255]
            return
        }
        var owner: [UInt8] = [0xc0, 12]
        if question.kind == .alias {
            // "t" below the name itself, compressed.
            begin(owner, 5, question.ttl, 4)
            owner = [0xc0 | UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
            bytes += [1, 116, 0xc0, 12]
        }
        let data = bending.isPoisoned ? Simulation.poison(question.type) : question.record(stamp)
        begin(owner, question.type, question.ttl, data.count)
        bytes += data
    }

    private static func appendOPT(_ query: OutQuery, _ rcode: UInt16, _ bending: Bending, to bytes: inout [UInt8]) {
        var options: [UInt8] = []
        if bending.cookieLength > 0, let cookie = query.message.opt?.option(10), cookie.count >= 8 {
            options += [0, 10, 0, UInt8(8 + bending.cookieLength)] + cookie.prefix(8)
            options += [UInt8](repeating: UInt8(query.upstream + 1), count: bending.cookieLength)
        }
        if let code = bending.extendedError { options += [0, 15, 0, 2, UInt8(code >> 8), UInt8(code & 255)] }
        bytes += [0, 0, 41, 0x04, 0xd0, UInt8(rcode >> 4), 0, 0, 0, 0, UInt8(options.count)] + options
    }
}
