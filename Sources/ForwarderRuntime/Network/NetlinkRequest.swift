// One question to the kernel's routing part, as octets (rtnetlink(7)).
//
// KernelRoutes makes and sends it. Only questions: there is no way here to make a request that changes something.

import ForwarderCore

/// A GET request.
struct NetlinkRequest {
    let isDump: Bool
    private let type: UInt16
    /// The fixed part: ifaddrmsg, rtmsg or ifinfomsg.
    private var body: [UInt8]

    /// - Parameter fixed: octets of the type's fixed part; zero is "any".
    init(type: UInt16, dump: Bool, fixed: Int) {
        self.type = type
        isDump = dump
        body = [UInt8](repeating: 0, count: fixed)
    }

    /// For a question about a way: rtmsg's family and length, then RTA_DST and for a link-local address RTA_OIF.
    mutating func setDestination(_ destination: NetworkAddress) {
        guard body.count >= 2 else { return }
        body[0] = destination.isIPv6 ? 10 : 2
        body[1] = destination.isIPv6 ? 128 : 32
        let words = destination.isIPv6 ? [destination.high, destination.low] : [destination.low << 32]
        let octets = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) } }
        append(attribute: 1, Array(octets.prefix(destination.isIPv6 ? 16 : 4)))
        if destination.scope != 0 { append(attribute: 4, NetlinkRequest.octets(destination.scope)) }
    }

    /// For a question about a link: ifinfomsg's index.
    mutating func setLink(_ index: UInt32) {
        guard body.count >= 8 else { return }
        body.replaceSubrange(4..<8, with: NetlinkRequest.octets(index))
    }

    private mutating func append(attribute: UInt16, _ value: [UInt8]) {
        body += NetlinkRequest.octets(UInt16(clamping: 4 + value.count)) + NetlinkRequest.octets(attribute) + value
    }

    /// The whole message.
    func octets(sequence: UInt32) -> [UInt8] {
        let request: UInt16 = 0x01
        let dump: UInt16 = 0x300
        let flags = isDump ? request | dump : request
        let header =
            NetlinkRequest.octets(UInt32(clamping: NetlinkReader.headerLength + body.count))
            + NetlinkRequest.octets(type) + NetlinkRequest.octets(flags) + NetlinkRequest.octets(sequence)
            + NetlinkRequest.octets(UInt32(0))
        return header + body
    }

    /// In the machine's own order.
    private static func octets(_ number: some FixedWidthInteger) -> [UInt8] {
        let ordered = number.littleEndian
        return (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: ordered >> (8 * $0)) }
    }
}
