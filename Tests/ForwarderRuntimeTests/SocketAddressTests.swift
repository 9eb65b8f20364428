// Endpoints to the kernel's form and back, their text, and what errno means for a connection.

import CLinux
import ForwarderCore
import Glibc
import Testing

@testable import ForwarderRuntime

@Suite struct SocketAddressTests {
    static let endpoints: [(Endpoint, String)] = [
        (Endpoint(address: NetworkAddress(ipv4: 0x7f00_0001), port: 53), "127.0.0.1:53"),
        (Endpoint(address: NetworkAddress(ipv4: 0xffff_ffff), port: 65_535), "255.255.255.255:65535"),
        (Endpoint(address: NetworkAddress(high: 0, low: 1), port: 1), "[::1]:1"),
        (Endpoint(address: NetworkAddress(high: 0, low: 0), port: 0), "[::]:0"),
        (
            Endpoint(address: NetworkAddress(high: 0x2001_0db8_0000_0000, low: 0x0001_0000_0000_0002), port: 853),
            "[2001:db8::1:0:0:2]:853"
        ),
        (Endpoint(address: NetworkAddress(high: 0xfe80 << 48, low: 0xab, scope: 3), port: 53), "[fe80::ab%3]:53"),
    ]

    @Test func roundTrips() {
        for (endpoint, text) in SocketAddressTests.endpoints {
            var kernel = cl_sockaddr()
            // Safety: `kernel` outlives both calls.
            let length = unsafe cl_sockaddr_make(&kernel, cl_address(endpoint))
            #expect(length == (endpoint.address.isIPv6 ? 28 : 16))
            #expect(unsafe cl_sockaddr_read(&kernel).endpoint == endpoint)
            #expect(endpoint.text == text)
        }
    }

    @Test func tokens() {
        for (slot, generation) in [(0, 0), (65_535, 65_535), (0xff_ffff, UInt32.max)] as [(UInt32, UInt32)] {
            for kind in [EventToken.Kind.wakeup, .udpListener, .tcpListener, .clientStream, .datagram, .stream] {
                let token = EventToken(raw: EventToken(kind, slot: slot, generation: generation).raw)
                #expect(token.kind == kind)
                #expect(token.slot == slot)
                #expect(token.generation == generation)
            }
        }
    }

    @Test func meaningOfErrno() {
        let table: [(Int32, TransportFailure.Step, TransportFailure)] = [
            (ECONNREFUSED, .transfer, .refused), (ECONNRESET, .transfer, .reset), (EPIPE, .transfer, .reset),
            (ETIMEDOUT, .connect, .timedOut), (EHOSTUNREACH, .transfer, .hostUnreachable),
            (ENETUNREACH, .connect, .networkUnreachable), (EADDRNOTAVAIL, .connect, .networkUnreachable),
            (EADDRNOTAVAIL, .bind, .noPorts), (EADDRINUSE, .bind, .noPorts), (EMFILE, .socket, .noDescriptors),
            (ENFILE, .socket, .noDescriptors), (ENOBUFS, .transfer, .noBuffers), (ENOMEM, .socket, .noBuffers),
            (EAGAIN, .transfer, .noBuffers), (EPERM, .transfer, .notPermitted), (EACCES, .connect, .notPermitted),
            (EMSGSIZE, .transfer, .messageTooLong), (EINVAL, .transfer, .other(EINVAL)),
        ]
        for (code, step, failure) in table { #expect(TransportFailure(errno: code, during: step) == failure) }
    }
}
