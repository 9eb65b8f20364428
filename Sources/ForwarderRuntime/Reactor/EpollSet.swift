// One level-triggered epoll set and its event array.
//
// A worker owns one. Level-triggered: what is not read now is told again, so bounded reading (fairness) loses nothing;
// edge-triggered saved no system call here because reads stop at a short batch. It must never block with a timeout
// that the caller did not compute.

import CLinux

/// What a descriptor is, in the 64 bits that epoll carries: kind, slot and generation, so that an event for a socket
/// that was closed earlier in the same wakeup is recognised as stale.
struct EventToken: Equatable {
    enum Kind: UInt64 { case wakeup = 1, udpListener, tcpListener, clientStream, datagram, stream }

    let raw: UInt64
    init(raw: UInt64) { self.raw = raw }
    init(_ kind: Kind, slot: UInt32 = 0, generation: UInt32 = 0) {
        raw = kind.rawValue << 56 | UInt64(slot & 0xff_ffff) << 32 | UInt64(generation)
    }
    var kind: Kind? { Kind(rawValue: raw >> 56) }
    var slot: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) & 0xff_ffff }
    var generation: UInt32 { UInt32(truncatingIfNeeded: raw) }
}

/// The events that a descriptor is watched for, or that came.
struct Readiness: OptionSet {
    let rawValue: UInt32
    static let read = Readiness(rawValue: EPOLLIN.rawValue)
    static let write = Readiness(rawValue: EPOLLOUT.rawValue)
    static let error = Readiness(rawValue: EPOLLERR.rawValue)
    static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
}

/// An epoll set.
@safe final class EpollSet {
    private let descriptor: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private let capacity = 256

    init() throws(SystemError) {
        descriptor = try FileDescriptor(checking: cl_epoll_create())
        // Safety: freed in deinit; only the kernel and `subscript` touch it, within `capacity`.
        unsafe events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        unsafe events.initialize(repeating: epoll_event(), count: capacity)
    }

    deinit {
        // Safety: allocated in init.
        unsafe events.deallocate()
    }

    /// Watches `number`. Returns errno, 0 = done.
    func add(_ number: Int32, _ interest: Readiness, _ token: EventToken) -> Int32 {
        -cl_epoll_control(descriptor.number, EPOLL_CTL_ADD, number, interest.rawValue, token.raw)
    }

    func change(_ number: Int32, _ interest: Readiness, _ token: EventToken) {
        _ = cl_epoll_control(descriptor.number, EPOLL_CTL_MOD, number, interest.rawValue, token.raw)
    }

    /// Stops watching. Closing the descriptor does the same.
    func remove(_ number: Int32) { _ = cl_epoll_control(descriptor.number, EPOLL_CTL_DEL, number, 0, 0) }

    /// Waits at most `timeout` milliseconds (-1 = without end). Returns the number of events.
    func wait(milliseconds timeout: Int32) -> Int {
        // Safety: the array has `capacity` elements.
        max(0, Int(unsafe cl_epoll_wait(descriptor.number, events, Int32(capacity), timeout)))
    }

    /// Event `index` of the last wait.
    subscript(index: Int) -> (token: EventToken, readiness: Readiness) {
        precondition(index >= 0 && index < capacity)
        // Safety: checked above.
        let event = unsafe events[index]
        return unsafe (EventToken(raw: event.data.u64), Readiness(rawValue: event.events))
    }
}
