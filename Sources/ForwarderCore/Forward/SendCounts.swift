// How often one question went to one server over one transport: never more than three times (RFC 9520 3.1).

/// Counts from 0 to 3 for each of 64 members and both transports, two bits each.
struct SendCounts {
    static let limit = 3
    private var udpOnes: UInt64 = 0
    private var udpTwos: UInt64 = 0
    private var tcpOnes: UInt64 = 0
    private var tcpTwos: UInt64 = 0

    func count(_ member: Int, _ network: UpstreamTransport) -> Int {
        let place = UInt64(member & 63)
        let ones = network == .udp ? udpOnes : tcpOnes
        let twos = network == .udp ? udpTwos : tcpTwos
        return Int(ones >> place & 1) + 2 * Int(twos >> place & 1)
    }

    /// Takes one sending back: it never left.
    mutating func undo(_ member: Int, _ network: UpstreamTransport) {
        guard count(member, network) > 0 else { return }
        let bit: UInt64 = 1 << UInt64(member & 63)
        if network == .udp {
            udpTwos ^= ~udpOnes & bit
            udpOnes ^= bit
        } else {
            tcpTwos ^= ~tcpOnes & bit
            tcpOnes ^= bit
        }
    }

    /// Counts one sending more; stays at 3.
    mutating func note(_ member: Int, _ network: UpstreamTransport) {
        guard count(member, network) < SendCounts.limit else { return }
        let bit: UInt64 = 1 << UInt64(member & 63)
        if network == .udp {
            udpTwos ^= udpOnes & bit
            udpOnes ^= bit
        } else {
            tcpTwos ^= tcpOnes & bit
            tcpOnes ^= bit
        }
    }
}
