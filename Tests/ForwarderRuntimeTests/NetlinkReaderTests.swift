// What the kernel says of links, addresses and routes; and that no bytes can trap.

import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct NetlinkReaderTests {
    static let four: [UInt8] = [192, 0, 2, 1]
    static let six: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [9]

    private func first(_ bytes: [UInt8]) -> (message: NetlinkMessage, reader: NetlinkReader)? {
        var reader = NetlinkReader(bytes)
        return reader.next().map { ($0, reader) }
    }

    @Test func addresses() throws {
        let local = NetworkAddress(ipv4: 0xc000_0201)
        let linkLocal = NetworkAddress(high: 0xfe80 << 48, low: 9, scope: 3)
        let peer = NetlinkMessages.attribute(1, [10, 0, 0, 1])
        let both = peer + NetlinkMessages.attribute(2, NetlinkReaderTests.four)
        let cases: [([UInt8], NetworkAddress?)] = [
            (NetlinkMessages.address(both), local),
            (NetlinkMessages.address(type: NetlinkMessage.deletedAddress, both), local),
            (NetlinkMessages.address(peer), NetworkAddress(ipv4: 0x0a00_0001)),
            (NetlinkMessages.address(family: 10, NetlinkMessages.attribute(1, NetlinkReaderTests.six)), linkLocal),
            // Checked for duplicates still; then optimistic; the wide flags count, not the narrow ones.
            (NetlinkMessages.address(flags: 0x40, both), nil),
            (NetlinkMessages.address(flags: 0x44, both), local),
            (NetlinkMessages.address(flags: 0x40, both + NetlinkMessages.attribute(8, [0x80, 0, 0, 0])), local),
            // A length that does not fit the family, no address at all, another kind of message.
            (NetlinkMessages.address(NetlinkMessages.attribute(2, [1, 2, 3])), nil),
            (NetlinkMessages.address(family: 17, both), nil),
            (NetlinkMessages.address([]), nil),
            (NetlinkMessages.link(3, running: true), nil),
        ]
        for (bytes, expected) in cases {
            let (message, reader) = try #require(first(bytes))
            #expect(reader.address(message) == expected)
        }
    }

    @Test func links() throws {
        for (bytes, expected) in [
            (NetlinkMessages.link(5, running: true), true), (NetlinkMessages.link(5, running: false), false),
            (NetlinkMessages.link(5, running: true, type: NetlinkMessage.deletedLink), false),
        ] {
            let (message, reader) = try #require(first(bytes))
            let link = try #require(reader.link(message))
            #expect(link.index == 5 && link.isRunning == expected)
        }
    }

    @Test func paths() throws {
        let gateway = NetlinkMessages.attribute(5, [192, 0, 2, 254])
        let link = NetlinkMessages.attribute(4, [2, 0, 0, 0])
        let source = NetlinkMessages.attribute(7, NetlinkReaderTests.four)
        let expected = NetworkPath(
            source: NetworkAddress(ipv4: 0xc000_0201), link: 2, gateway: NetworkAddress(ipv4: 0xc000_02fe))
        for order in [gateway + link + source, source + gateway + link] {
            let (message, reader) = try #require(first(NetlinkMessages.route(order)))
            #expect(reader.path(message) == expected)
        }
        let via = NetlinkMessages.attribute(18, [10, 0] + NetlinkReaderTests.six)
        let (message, reader) = try #require(first(NetlinkMessages.route(via + link)))
        #expect(reader.path(message)?.gateway == NetworkAddress(high: 0xfe80 << 48, low: 9, scope: 2))
        for type in [UInt8(6), 7, 8] {
            let (message, reader) = try #require(first(NetlinkMessages.route(type: type, link)))
            #expect(reader.path(message) == nil)
        }
    }

    @Test func severalMessagesAndTheirEnd() {
        let error = NetlinkMessages.message(NetlinkMessage.error, NetlinkMessages.octets(Int32(-101)))
        let bytes = NetlinkMessages.link(1, running: true) + NetlinkMessages.message(99, [1, 2, 3]) + error
        var reader = NetlinkReader(bytes)
        var messages: [NetlinkMessage] = []
        while let message = reader.next() { messages.append(message) }
        #expect(messages.map(\.type) == [NetlinkMessage.newLink, 99, NetlinkMessage.error])
        #expect(messages.map(\.payload.count) == [16, 3, 4])
        #expect(messages.map(reader.errorCode) == [nil, nil, 101])
    }

    /// Every truncation, and many mutations, of a buffer with all kinds of messages: read to an end, no trap.
    @Test func hostileBytes() {
        let whole =
            NetlinkMessages.address(NetlinkMessages.attribute(2, NetlinkReaderTests.four))
            + NetlinkMessages.route(NetlinkMessages.attribute(18, [10, 0] + NetlinkReaderTests.six))
            + NetlinkMessages.link(2, running: true)
            + NetlinkMessages.message(NetlinkMessage.error, NetlinkMessages.octets(Int32.min))
        var random = SystemRandomNumberGenerator()
        var buffers = (0...whole.count).map { Array(whole[0..<$0]) }
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let value = [UInt8(0), 1, 4, 0x7f, 0xff, UInt8.random(in: 0...255)].randomElement() ?? 0
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = value
            }
            buffers.append(bytes)
        }
        for bytes in buffers {
            var reader = NetlinkReader(bytes)
            var count = 0
            while let message = reader.next() {
                count += 1
                _ = (reader.address(message), reader.link(message), reader.path(message), reader.errorCode(message))
            }
            #expect(count <= bytes.count / NetlinkReader.headerLength)
        }
    }
}
