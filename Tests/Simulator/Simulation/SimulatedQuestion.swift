// A question of the simulation, and what is true of it: that follows from its name, its type and its group alone.
//
// Every address and every SOA serial that an upstream tells carries half a hash of the question and half a stamp, a
// running number. So each answer that a client gets can be traced to the very message that it came from, and a wrong,
// an outdated or a mixed-up answer cannot pass for a right one.

import ForwarderCore

/// One question, and the truth about it.
struct SimulatedQuestion {
    enum Kind { case positive, alias, noData, nameError }
    /// Lower case, root label included.
    let name: [UInt8]
    let type: UInt16
    let ttl: UInt32
    let kind: Kind
    let mark: UInt16

    /// Types that are asked for: A, AAAA, TXT.
    static let types: [UInt16] = [1, 28, 16]
    static let ttls: [UInt32] = [0, 1, 2, 5, 5, 30, 30, 300, 300, 3_600]

    /// - Parameter denied: a name above it does not exist, so neither does this one (RFC 8020).
    init(name: [UInt8], type: UInt16, group: Int, isWell: Bool = false, denied: Bool = false) {
        self.name = name
        self.type = type
        let ofName = SimulatedQuestion.hash(name, UInt32(group))
        let ofType = SimulatedQuestion.hash([UInt8(type)], ofName)
        mark = UInt16(truncatingIfNeeded: ofType ^ ofType >> 16)
        ttl = SimulatedQuestion.ttls[Int(ofName >> 4) % SimulatedQuestion.ttls.count]
        if denied || (!isWell && ofName % 8 == 0) {
            kind = .nameError
        } else if !isWell && ofType % 6 == 0 {
            kind = .noData
        } else {
            kind = ofType % 5 == 0 ? .alias : .positive
        }
    }

    /// A question of the engine's own: below the root there is nothing, and the root has other data.
    init(unknown name: [UInt8], type: UInt16) {
        self.name = name
        self.type = type
        ttl = 5
        mark = 0xffff
        kind = name == [0] ? .noData : .nameError
    }

    private static func hash(_ octets: [UInt8], _ start: UInt32) -> UInt32 {
        var hash = (2_166_136_261 as UInt32) ^ start &* 0x9e37_79b9
        for octet in octets { hash = (hash ^ UInt32(octet)) &* 16_777_619 }
        hash ^= hash >> 15
        hash = hash &* 0x2c1b_3c6d
        return hash ^ hash >> 12
    }

    var isNegative: Bool { kind == .noData || kind == .nameError }
    var rcode: UInt16 { kind == .nameError ? 3 : 0 }

    /// The four octets that an answer with this stamp carries.
    func token(_ stamp: UInt16) -> [UInt8] {
        [UInt8(mark >> 8), UInt8(mark & 255), UInt8(stamp >> 8), UInt8(stamp & 255)]
    }

    /// The data of its record.
    func record(_ stamp: UInt16) -> [UInt8] {
        let token = token(stamp)
        switch type {
        case 28: return token + token + token + token
        case 16: return [4] + token
        default: return token
        }
    }

    /// The stamp of a record's data; nil when that is not this question's.
    func stamp(of data: [UInt8]) -> UInt16? {
        let start = type == 16 ? 1 : 0
        guard data.count >= start + 4 else { return nil }
        let stamp = UInt16(data[start + 2]) << 8 | UInt16(data[start + 3])
        return data == record(stamp) ? stamp : nil
    }

    /// What a denial's SOA record carries as its serial.
    static func token(ofSOA data: [UInt8]) -> (mark: UInt16, stamp: UInt16)? {
        guard data.count >= 20 else { return nil }
        let serial = Array(data[(data.count - 20)..<(data.count - 16)])
        return (UInt16(serial[0]) << 8 | UInt16(serial[1]), UInt16(serial[2]) << 8 | UInt16(serial[3]))
    }

    func isAtOrBelow(_ other: [UInt8]) -> Bool {
        name.count >= other.count && name.suffix(other.count).elementsEqual(other)
    }
}
