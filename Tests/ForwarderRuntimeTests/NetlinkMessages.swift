// Messages as the kernel would send them, for the tests of those who read them.

@testable import ForwarderRuntime

/// Builds rtnetlink messages, in the machine's own order as everything here runs on little-endian machines.
enum NetlinkMessages {
    static func octets(_ number: some FixedWidthInteger) -> [UInt8] {
        (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        return octets(UInt16(4 + value.count)) + octets(type) + value + padding
    }

    static func message(_ type: UInt16, _ payload: [UInt8], sequence: UInt32 = 7) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return octets(UInt32(16 + payload.count)) + octets(type) + octets(UInt16(0)) + octets(sequence)
            + octets(UInt32(0)) + payload + padding
    }

    static func address(
        type: UInt16 = NetlinkMessage.newAddress, family: UInt8 = 2, flags: UInt8 = 0, link: UInt32 = 3,
        _ attributes: [UInt8]
    ) -> [UInt8] {
        message(type, [family, 24, flags, 0] + octets(link) + attributes)
    }

    static func link(_ index: UInt32, running: Bool, type: UInt16 = NetlinkMessage.newLink) -> [UInt8] {
        message(type, [0, 0, 1, 0] + octets(index) + octets(UInt32(running ? 0x41 : 0x1)) + octets(UInt32(0)))
    }

    static func route(family: UInt8 = 2, type: UInt8 = 1, _ attributes: [UInt8]) -> [UInt8] {
        message(NetlinkMessage.newRoute, [family, 32, 0, 0, 254, 0, 0, type, 0, 0, 0, 0] + attributes)
    }
}
