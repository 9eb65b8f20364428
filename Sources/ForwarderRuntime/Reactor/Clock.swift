// The clock of the loop: CLOCK_BOOTTIME, read once a wakeup, and beside it CLOCK_MONOTONIC, which stands still while
// the machine sleeps.
//
// Workers read them and hand the values to the engine and to SuspendWatch; nothing in ForwarderCore ever does.
// BOOTTIME, not MONOTONIC: after a suspend, TTLs and idle limits must have run on.

import CLinux
import ForwarderCore

enum Clock {
    static func now() -> Instant { Instant(nanoseconds: cl_boottime()) }
    /// Nanoseconds that the machine was awake.
    static func awake() -> Int64 { cl_monotonic() }
}
