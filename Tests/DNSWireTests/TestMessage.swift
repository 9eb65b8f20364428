// Builds messages for the tests of DNSWire: octets, names, records, without the code under test.

@testable import DNSWire

/// A message in the making.
struct TestMessage {
    var octets: [UInt8]

    init(id: UInt16 = 0x1234, flags: UInt16 = 0x0100, counts: (Int, Int, Int, Int) = (0, 0, 0, 0)) {
        octets = []
        for word in [id, flags] { add16(word) }
        for count in [counts.0, counts.1, counts.2, counts.3] { add16(UInt16(count)) }
    }

    mutating func add16(_ value: UInt16) { octets += [UInt8(value >> 8), UInt8(value & 0xff)] }
    mutating func add32(_ value: UInt32) {
        add16(UInt16(value >> 16))
        add16(UInt16(value & 0xffff))
    }

    /// Adds one to the count of a section: 0 question, 1 answer, 2 authority, 3 additional.
    mutating func bump(_ section: Int) {
        let at = 4 + section * 2
        let value = Int(octets[at]) << 8 + Int(octets[at + 1]) + 1
        octets[at] = UInt8(value >> 8)
        octets[at + 1] = UInt8(value & 0xff)
    }

    mutating func question(_ name: String, _ type: UInt16, _ recordClass: UInt16 = 1) {
        bump(0)
        octets += wire(name)
        add16(type)
        add16(recordClass)
    }

    /// Adds a record and returns where it starts. `owner` is wire octets, so that pointers can be written.
    @discardableResult
    mutating func record(
        _ section: Int, _ owner: [UInt8], _ type: UInt16, ttl: UInt32 = 300, recordClass: UInt16 = 1, _ rdata: [UInt8]
    ) -> Int {
        bump(section)
        let start = octets.count
        octets += owner
        add16(type)
        add16(recordClass)
        add32(ttl)
        add16(UInt16(rdata.count))
        octets += rdata
        return start
    }

    mutating func opt(
        owner: [UInt8] = [0], size: UInt16 = 1232, ttl: UInt32 = 0, section: Int = 3, _ options: [UInt8] = []
    ) {
        record(section, owner, 41, ttl: ttl, recordClass: size, options)
    }
}

/// The wire form of a name that the test knows to be good.
func wire(_ name: String) -> [UInt8] { parseName(name) ?? [] }

/// A pointer to `offset`.
func pointer(_ offset: Int) -> [UInt8] { [0xc0 | UInt8(offset >> 8), UInt8(offset & 0xff)] }

/// An option as it stands in an OPT record.
func option(_ code: UInt16, _ value: [UInt8]) -> [UInt8] {
    [UInt8(code >> 8), UInt8(code & 0xff), UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
}

/// A store that holds `octets` at 0.
func store(_ octets: [UInt8], capacity: Int = 512) -> ByteStore {
    var store = ByteStore(capacity: max(capacity, octets.count))
    store.copy(from: octets.span, range: 0..<octets.count, to: 0)
    return store
}

/// SOA RDATA with uncompressed names.
func soa(minimum: UInt32) -> [UInt8] {
    var rdata = TestMessage()
    rdata.octets = wire("ns.example.") + wire("admin.example.")
    for word in [1, 7200, 3600, 86_400, minimum] { rdata.add32(word) }
    return rdata.octets
}

/// A seeded generator (SplitMix64), so that a failing run can be repeated.
struct SeededNumbers {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
