// Endpoints as the kernel wants them, and back.
//
// CLinux holds the byte order; here its plain numbers meet the core's types. Nothing outside Sockets, Listeners and
// Transports should need it.

import CLinux
import ForwarderCore

extension cl_address {
    init(_ address: NetworkAddress, port: UInt16 = 0) {
        self.init(
            high: address.high, low: address.low, scope: address.scope, port: port, family: address.isIPv6 ? 6 : 4)
    }

    init(_ endpoint: Endpoint) { self.init(endpoint.address, port: endpoint.port) }

    /// The wildcard address of a family, with `port`.
    init(anyAddressLike address: NetworkAddress, port: UInt16) {
        self.init(high: 0, low: 0, scope: 0, port: port, family: address.isIPv6 ? 6 : 4)
    }

    /// nil for any family but IPv4 and IPv6.
    var networkAddress: NetworkAddress? {
        switch family {
        case 4: NetworkAddress(ipv4: UInt32(truncatingIfNeeded: low))
        case 6: NetworkAddress(high: high, low: low, scope: scope)
        default: nil
        }
    }

    var endpoint: Endpoint? { networkAddress.map { Endpoint(address: $0, port: port) } }
}

extension NetworkAddress {
    /// 0.0.0.0 or ::
    var isWildcard: Bool { high == 0 && low == 0 }
}

extension Endpoint {
    /// 192.0.2.1:53 or [2001:db8::1]:53, for messages. RFC 5952 without the shortest-run rule's corner cases: the first
    /// longest run of zeros is shortened.
    public var text: String { address.isIPv6 ? "[\(address.text)]:\(port)" : "\(address.text):\(port)" }
}

extension NetworkAddress {
    public var text: String {
        guard isIPv6 else { return [24, 16, 8, 0].map { String((low >> $0) & 0xff) }.joined(separator: ".") }
        let groups = (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64((3 - index % 4) * 16))
        }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8 && groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let hex = { (range: Range<Int>) in groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        let words = best.isEmpty ? hex(0..<8) : hex(0..<best.lowerBound) + "::" + hex(best.upperBound..<8)
        return scope == 0 ? words : "\(words)%\(scope)"
    }
}
