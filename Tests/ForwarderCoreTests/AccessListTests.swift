// The access list: every prefix length ends where it says, deny wins over allow, nobody is allowed by default, and
// mapped addresses count as IPv4.

import Testing

@testable import ForwarderCore

@Suite struct AccessListTests {
    private func v4(_ a: UInt32, _ length: Int) -> NetworkBlock {
        NetworkBlock(address: NetworkAddress(ipv4: a), prefixLength: length)
    }
    private func v6(_ high: UInt64, _ low: UInt64, _ length: Int) -> NetworkBlock {
        NetworkBlock(address: NetworkAddress(high: high, low: low), prefixLength: length)
    }

    @Test func prefixesEndWhereTheySay() {
        for length in 0...32 {
            let list = AccessList(allow: [v4(0xc0a8_55aa, length)], deny: [])
            for bit in 0..<32 {
                let address = NetworkAddress(ipv4: 0xc0a8_55aa ^ (0x8000_0000 >> UInt32(bit)))
                if list.allows(address) != (bit >= length) { Issue.record("/\(length), bit \(bit)") }
            }
            #expect(list.allows(NetworkAddress(ipv4: 0xc0a8_55aa)))
            #expect(!list.allows(NetworkAddress(high: 0, low: 0xc0a8_55aa)))
        }
        for length in 0...128 {
            let list = AccessList(allow: [v6(0x2001_0db8_0000_0001, 0x8000_0000_0000_0001, length)], deny: [])
            for bit in 0..<128 {
                let high: UInt64 = bit < 64 ? 1 << UInt64(63 - bit) : 0
                let low: UInt64 = bit < 64 ? 0 : 1 << UInt64(127 - bit)
                let address = NetworkAddress(
                    high: 0x2001_0db8_0000_0001 ^ high, low: 0x8000_0000_0000_0001 ^ low, scope: 3)
                if list.allows(address) != (bit >= length) { Issue.record("/\(length), bit \(bit)") }
            }
        }
    }

    @Test func denyWinsAndNobodyIsAllowedByDefault() {
        let list = AccessList(allow: [v4(0x0a00_0000, 8), v6(0, 1, 128)], deny: [v4(0x0a01_0000, 16)])
        #expect(list.allows(NetworkAddress(ipv4: 0x0a02_0001)))
        #expect(!list.allows(NetworkAddress(ipv4: 0x0a01_0001)))
        #expect(!list.allows(NetworkAddress(ipv4: 0x0b00_0001)))
        #expect(list.allows(NetworkAddress(high: 0, low: 1)))
        #expect(!AccessList(allow: [], deny: []).allows(NetworkAddress(ipv4: 0x7f00_0001)))
    }

    @Test func mappedAddressesAreIPv4() {
        let mapped = NetworkAddress(high: 0, low: 0xffff_0a01_0001)
        #expect(AccessList(allow: [v4(0x0a00_0000, 8)], deny: []).allows(mapped))
        #expect(!AccessList(allow: [v6(0, 0, 0)], deny: []).allows(mapped))
        #expect(!AccessList(allow: [v4(0, 0)], deny: [v4(0x0a01_0000, 16)]).allows(mapped))
        let block = v6(0, 0xffff_0a00_0000, 104)
        #expect(AccessList(allow: [block], deny: []).allows(NetworkAddress(ipv4: 0x0aff_0000)))
        #expect(!AccessList(allow: [block], deny: []).allows(NetworkAddress(ipv4: 0x0bff_0000)))
    }
}
