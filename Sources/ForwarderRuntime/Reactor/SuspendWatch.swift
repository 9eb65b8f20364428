// Whether the machine has slept since the last look: CLOCK_BOOTTIME went on, CLOCK_MONOTONIC did not.
//
// Every worker has one and feeds it at each wakeup; the main thread has one to tell of it. After a sleep NAT states,
// leases and the peers' patience are gone, although no socket knows of it yet. It reads no clock itself.

import CLinux
import ForwarderCore

/// Compares the two clocks.
public struct SuspendWatch: Sendable {
    /// Shorter stops are no sleep that a peer would notice.
    static let threshold = Interval.seconds(1)

    /// How far BOOTTIME was ahead at most. It only grows: a thread that was held up between its two readings sees too
    /// little, and the next reading would look like a sleep.
    private var ahead: Int64

    /// - Parameters: nanoseconds of both clocks, `boottime` read first.
    public init(boottime: Int64, awake: Int64) { ahead = boottime &- awake }

    /// A watch that begins at this moment.
    public static func starting() -> SuspendWatch {
        let boottime = cl_boottime()
        return SuspendWatch(boottime: boottime, awake: cl_monotonic())
    }

    /// How long the machine slept since the last call, nil = it did not.
    public mutating func sleep(boottime: Int64, awake: Int64) -> Interval? {
        let slept = Interval(nanoseconds: (boottime &- awake) &- ahead)
        if slept > .zero { ahead = boottime &- awake }
        return slept > SuspendWatch.threshold ? slept : nil
    }

    /// The same with the clocks' present readings.
    public mutating func sleep() -> Interval? {
        let boottime = cl_boottime()
        return sleep(boottime: boottime, awake: cl_monotonic())
    }
}
