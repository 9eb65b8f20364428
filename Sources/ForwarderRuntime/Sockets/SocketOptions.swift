// The socket options of listeners and upstream sockets, each with its reason.
//
// Options that only improve things fail in silence (an old kernel, a sandbox); those that correctness needs throw.

import CLinux
import Glibc

enum SocketOptions {
    /// Datagrams are sent whole or fragmented, never with DF, and a forged ICMP "fragmentation needed" cannot shrink
    /// them (RFC 9715, CVE-2013-5211's relatives): OMIT ignores the learned path MTU.
    static func omitPathMTU(_ number: Int32, isIPv6: Bool) {
        let pmtudiscOmit: Int32 = 5
        if isIPv6 {
            _ = cl_set_option(number, Int32(IPPROTO_IPV6), IPV6_MTU_DISCOVER, pmtudiscOmit)
        } else {
            _ = cl_set_option(number, Int32(IPPROTO_IP), IP_MTU_DISCOVER, pmtudiscOmit)
        }
    }

    /// Asks for a receive buffer of `size` octets: with CAP_NET_ADMIN past rmem_max, else up to it.
    static func receiveBuffer(_ number: Int32, _ size: Int) {
        let octets = Int32(clamping: size)
        if cl_set_option(number, SOL_SOCKET, SO_RCVBUFFORCE, octets) < 0 {
            _ = cl_set_option(number, SOL_SOCKET, SO_RCVBUF, octets)
        }
    }

    /// What both kinds of listener have in common. SO_REUSEPORT lets every worker bind its own socket; the kernel
    /// spreads clients over them.
    static func listener(_ number: Int32, isIPv6: Bool, freebind: Bool) throws(SystemError) {
        try set(number, SOL_SOCKET, SO_REUSEPORT, 1)
        if isIPv6 {
            // IPv4 has listeners of its own: mapped addresses would walk around the access list.
            try set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
        }
        if freebind {
            let ipv6Freebind: Int32 = 78
            _ =
                isIPv6
                ? cl_set_option(number, Int32(IPPROTO_IPV6), ipv6Freebind, 1)
                : cl_set_option(number, Int32(IPPROTO_IP), IP_FREEBIND, 1)
        }
    }

    /// EADDRNOTAVAIL: an address that is not up yet; only IP_FREEBIND decides about it.
    static let addressNotAvailable = EADDRNOTAVAIL

    /// What a socket needs that only asks whether a port is free.
    static func beforeProbe(_ number: Int32, isIPv6: Bool, isStream: Bool) throws(SystemError) {
        if isIPv6 { try set(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        if isStream { try set(number, SOL_SOCKET, SO_REUSEADDR, 1) }
    }

    /// On a wildcard address a reply must leave from the address that was asked. Costs 0.15 to 0.25 us a query
    /// (measured), so only there.
    static func packetInformation(_ number: Int32, isIPv6: Bool) throws(SystemError) {
        if isIPv6 {
            try set(number, Int32(IPPROTO_IPV6), IPV6_RECVPKTINFO, 1)
        } else {
            try set(number, Int32(IPPROTO_IP), IP_PKTINFO, 1)
        }
    }

    /// Small messages leave at once: without it answers waited 40 ms for an acknowledgement (measured).
    static func noDelay(_ number: Int32) { _ = cl_set_option(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// Acknowledge now, so that a peer with Nagle on does not wait for us. One-shot: armed again after each read.
    static func quickAcknowledge(_ number: Int32) { _ = cl_set_option(number, Int32(IPPROTO_TCP), TCP_QUICKACK, 1) }

    /// Written data that nobody acknowledges ends the connection after `milliseconds`, not after 15 minutes.
    static func userTimeout(_ number: Int32, milliseconds: Int32) {
        _ = cl_set_option(number, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, milliseconds)
    }

    static func set(_ number: Int32, _ level: Int32, _ name: Int32, _ value: Int32) throws(SystemError) {
        let result = cl_set_option(number, level, name, value)
        if result < 0 { throw SystemError(code: -result) }
    }
}
