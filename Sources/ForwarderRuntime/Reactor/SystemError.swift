// The error of a system call, and what it means for a connection.
//
// CLinux repeats interrupted calls and returns -errno; here the number gets its name and, for upstream sockets, its
// TransportFailure. It must never blame an upstream for an error of this machine: the fault decides who is asked next.

import ForwarderCore
import Glibc

/// A failed system call.
public struct SystemError: Error, Equatable, Sendable {
    /// errno, positive.
    public let code: Int32
    public init(code: Int32) { self.code = code }

    /// The kernel does not have the address family (IPv6 switched off at boot).
    var isUnsupportedFamily: Bool { code == EAFNOSUPPORT }

    /// The C library's words for it.
    public var text: String {
        // Safety: strerror returns a terminated string that is copied before any other call.
        guard let words = unsafe strerror(code) else { return "errno \(code)" }
        return unsafe String(cString: words)
    }
}

extension TransportFailure {
    /// Which step failed: the same errno means other things for bind, for connect itself (nothing was sent yet, only
    /// our own routes spoke), and for what comes later.
    enum Step { case socket, bind, connect, transfer }

    init(errno code: Int32, during step: Step) {
        switch code {
        case ECONNREFUSED: self = .refused
        case ECONNRESET, EPIPE, ECONNABORTED: self = .reset
        case ETIMEDOUT: self = .timedOut
        // At once, a route of this machine says so (`unreachable`); later, ICMP or a neighbour that is silent.
        case EHOSTUNREACH: self = step == .connect ? .networkUnreachable : .hostUnreachable
        case EHOSTDOWN: self = .hostUnreachable
        // The last two: the link itself is gone.
        case ENETUNREACH, ENETDOWN, EAFNOSUPPORT, ENONET, ENODEV, ENXIO: self = .networkUnreachable
        // What a `blackhole` route gives.
        case EINVAL: self = step == .connect ? .networkUnreachable : .other(code)
        case EADDRNOTAVAIL:
            switch step {
            case .bind: self = .noPorts
            case .transfer: self = .addressGone
            case .socket, .connect: self = .networkUnreachable
            }
        case EADDRINUSE: self = .noPorts
        case EMFILE, ENFILE: self = .noDescriptors
        case ENOBUFS, ENOMEM, EAGAIN: self = .noBuffers
        case EPERM, EACCES: self = .notPermitted
        case EMSGSIZE: self = .messageTooLong
        default: self = .other(code)
        }
    }
}
