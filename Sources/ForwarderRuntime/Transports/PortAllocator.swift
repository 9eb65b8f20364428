// Random source ports for the UDP sockets of all workers.
//
// The kernel's own choice walks a range that an attacker can learn, and fails while the range has holes left. Here a
// port is drawn from all of 1024-65535 (RFC 5452 section 9.2, RFC 6056 algorithm 1), except what the administrator
// reserved and our own listeners use. A closed port rests: a late answer to the old socket must not meet the new one.
// It must never hand out a port twice at once.

import CLinux
import ForwarderCore
import Synchronization

/// The process's allocator of local ports.
public final class PortAllocator: Sendable {
    /// Attempts of a caller whose bind met a port that somebody else holds; then the kernel chooses.
    static let attempts = 16
    static let quarantine = Interval.seconds(10)
    static let lowest: UInt16 = 1024

    private struct State {
        var random = SystemRandom()
        /// A bit a port: taken, resting or excluded.
        var busy = [UInt64](repeating: 0, count: 1024)
        /// Released ports, oldest first, as a ring over `restingStart`.
        var resting: [(port: UInt16, until: Instant)] = []
        var restingStart = 0

        func isBusy(_ port: UInt16) -> Bool { busy[Int(port >> 6)] & (1 << UInt64(port & 63)) != 0 }
        mutating func mark(_ port: UInt16, busy isBusy: Bool) {
            let bit: UInt64 = 1 << UInt64(port & 63)
            if isBusy { busy[Int(port >> 6)] |= bit } else { busy[Int(port >> 6)] &= ~bit }
        }
    }

    private let state: Mutex<State>

    /// - Parameter excluded: ports never to be used: reserved by the administrator, or our own listeners'.
    public init(excluded: [ClosedRange<UInt16>]) {
        var first = State()
        for range in excluded { for port in range { first.mark(port, busy: true) } }
        state = Mutex(first)
    }

    /// A random free port, or nil when 64 draws met only busy ones: then the kernel shall choose.
    public func take(now: Instant) -> UInt16? {
        state.withLock { state in
            expire(&state, now)
            for _ in 0..<64 {
                let port = state.random.next16()
                if port < PortAllocator.lowest || state.isBusy(port) { continue }
                state.mark(port, busy: true)
                return port
            }
            return nil
        }
    }

    /// Gives back a port whose socket was closed: it rests first.
    public func release(_ port: UInt16, now: Instant) {
        state.withLock { state in
            expire(&state, now)
            state.resting.append((port, now + PortAllocator.quarantine))
        }
    }

    /// Gives back a port that could not be bound.
    public func giveBack(_ port: UInt16) { state.withLock { $0.mark(port, busy: false) } }

    private func expire(_ state: inout State, _ now: Instant) {
        while state.restingStart < state.resting.count, state.resting[state.restingStart].until <= now {
            state.mark(state.resting[state.restingStart].port, busy: false)
            state.restingStart += 1
        }
        // At most 64,512 ports can rest at once, and half of the array at most is spent.
        if state.restingStart > 1024 || state.restingStart == state.resting.count {
            state.resting.removeFirst(state.restingStart)
            state.restingStart = 0
        }
    }
}

extension PortAllocator {
    /// Reads ranges as the kernel writes them in ip_local_reserved_ports: `8080,9148-9150`. What is not a range is left
    /// out.
    static func ranges(_ text: some StringProtocol) -> [ClosedRange<UInt16>] {
        text.split(whereSeparator: { $0 == "," || $0 == "\n" || $0 == " " }).compactMap { word in
            let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2, low <= high else {
                return nil
            }
            return low...high
        }
    }
}
