// The messages of one buffer from a NETLINK_ROUTE socket, cut and read (rtnetlink(7)).
//
// NetworkWatch reads events with it, KernelRoutes the answers to its questions. The kernel is trusted to be the sender,
// not to be of our version: lengths are checked before use, unknown types and attributes are passed over, and bytes
// that make no sense end the reading. Numbers are in the machine's own order.

import ForwarderCore

/// A message within a buffer.
struct NetlinkMessage: Equatable {
    var type: UInt16
    var sequence: UInt32
    /// Where its payload lies.
    var payload: Range<Int>

    // Types (linux/netlink.h, linux/rtnetlink.h); the numbers are the kernel's ABI.
    static let error: UInt16 = 2
    static let done: UInt16 = 3
    static let newLink: UInt16 = 16
    static let deletedLink: UInt16 = 17
    static let getLink: UInt16 = 18
    static let newAddress: UInt16 = 20
    static let deletedAddress: UInt16 = 21
    static let getAddress: UInt16 = 22
    static let newRoute: UInt16 = 24
    static let getRoute: UInt16 = 26
}

/// Reads a received buffer from its beginning.
struct NetlinkReader {
    /// nlmsghdr.
    static let headerLength = 16
    private static let alignment = 4
    private static let familyIPv4: UInt8 = 2
    private static let familyIPv6: UInt8 = 10

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next message; nil at the end, or where the bytes make no sense.
    mutating func next() -> NetlinkMessage? {
        guard bytes.count - position >= NetlinkReader.headerLength else { return nil }
        let length = Int(number32(position))
        guard length >= NetlinkReader.headerLength, length <= bytes.count - position else { return nil }
        let message = NetlinkMessage(
            type: number16(position + 4), sequence: number32(position + 8),
            payload: (position + NetlinkReader.headerLength)..<(position + length))
        position += min(NetlinkReader.aligned(length), bytes.count - position)
        return message
    }

    /// errno of an error message, positive; 0 is an acknowledgement.
    func errorCode(_ message: NetlinkMessage) -> Int32? {
        guard message.type == NetlinkMessage.error, message.payload.count >= 4 else { return nil }
        let code = Int32(bitPattern: number32(message.payload.lowerBound))
        return code == .min ? .max : abs(code)
    }

    /// ifinfomsg: the link's index, and whether it can carry packets now.
    func link(_ message: NetlinkMessage) -> (index: UInt32, isRunning: Bool)? {
        guard [NetlinkMessage.newLink, NetlinkMessage.deletedLink].contains(message.type), message.payload.count >= 16
        else { return nil }
        let running: UInt32 = 0x40  // IFF_RUNNING
        let flags = number32(message.payload.lowerBound + 8)
        return (
            number32(message.payload.lowerBound + 4), message.type == NetlinkMessage.newLink && flags & running != 0
        )
    }

    /// ifaddrmsg: an address of this machine that may be bound to; nil while it is still checked for duplicates.
    func address(_ message: NetlinkMessage) -> NetworkAddress? {
        guard [NetlinkMessage.newAddress, NetlinkMessage.deletedAddress].contains(message.type),
            message.payload.count >= 8
        else { return nil }
        let start = message.payload.lowerBound
        var flags = UInt32(bytes[start + 2])
        var peer: NetworkAddress?
        var local: NetworkAddress?
        forEachAttribute(of: message, after: 8) { type, value in
            switch type {
            case 1: peer = address(value, family: bytes[start], link: number32(start + 4))
            // IFA_LOCAL: on a point-to-point link the other one is the peer's.
            case 2: local = address(value, family: bytes[start], link: number32(start + 4))
            case 8 where value.count == 4: flags = number32(value.lowerBound)
            default: break
            }
        }
        let optimistic: UInt32 = 0x04
        let tentative: UInt32 = 0x40
        return flags & tentative != 0 && flags & optimistic == 0 ? nil : local ?? peer
    }

    /// rtmsg as the answer to "which way is it there": nil when the way ends here (unreachable, prohibited).
    func path(_ message: NetlinkMessage) -> NetworkPath? {
        guard message.type == NetlinkMessage.newRoute, message.payload.count >= 12 else { return nil }
        let start = message.payload.lowerBound
        let unicast: UInt8 = 1
        let local: UInt8 = 2
        guard [unicast, local].contains(bytes[start + 7]) else { return nil }
        let family = bytes[start]
        var link: UInt32 = 0
        var gateway = 0..<0
        var gatewayFamily = family
        var source = 0..<0
        forEachAttribute(of: message, after: 12) { type, value in
            switch type {
            case 4 where value.count == 4: link = number32(value.lowerBound)
            case 5: gateway = value
            case 7: source = value
            // RTA_VIA: a gateway of the other family (RFC 5549), its family in front.
            case 18 where value.count > 2:
                gatewayFamily = UInt8(truncatingIfNeeded: number16(value.lowerBound))
                gateway = value.lowerBound + 2..<value.upperBound
            default: break
            }
        }
        return NetworkPath(
            source: address(source, family: family, link: link), link: link,
            gateway: address(gateway, family: gatewayFamily, link: link))
    }

    // MARK: - Parts

    private func forEachAttribute(of message: NetlinkMessage, after fixed: Int, _ body: (UInt16, Range<Int>) -> Void) {
        var at = message.payload.lowerBound + fixed
        while message.payload.upperBound - at >= 4 {
            let length = Int(number16(at))
            guard length >= 4, length <= message.payload.upperBound - at else { return }
            // The two highest bits are flags (nested, byte order).
            body(number16(at + 2) & 0x3fff, (at + 4)..<(at + length))
            at += min(NetlinkReader.aligned(length), message.payload.upperBound - at)
        }
    }

    /// Addresses are in network order. Only link-local ones need their link.
    private func address(_ range: Range<Int>, family: UInt8, link: UInt32) -> NetworkAddress? {
        let word = { (offset: Int) in
            bytes[range.lowerBound + offset..<range.lowerBound + offset + 4].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        if family == NetlinkReader.familyIPv4, range.count == 4 {
            return NetworkAddress(ipv4: UInt32(truncatingIfNeeded: word(0)))
        }
        guard family == NetlinkReader.familyIPv6, range.count == 16 else { return nil }
        let address = NetworkAddress(high: word(0) << 32 | word(4), low: word(8) << 32 | word(12))
        return address.isLinkLocal ? NetworkAddress(high: address.high, low: address.low, scope: link) : address
    }

    private static func aligned(_ length: Int) -> Int { (length &+ alignment - 1) & ~(alignment - 1) }

    private func number16(_ at: Int) -> UInt16 { UInt16(littleEndian: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8) }
    private func number32(_ at: Int) -> UInt32 {
        UInt32(littleEndian: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) })
    }
}

extension NetworkAddress {
    /// fe80::/10: means nothing without its link.
    var isLinkLocal: Bool { isIPv6 && high >> 54 == 0x3fa }
}
