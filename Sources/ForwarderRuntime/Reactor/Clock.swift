// The clock of the loop: CLOCK_BOOTTIME, read once a wakeup.
//
// Workers read it and hand the value to the engine; nothing in ForwarderCore ever does. BOOTTIME, not MONOTONIC: after
// a suspend, TTLs and idle limits must have run on.

import CLinux
import ForwarderCore

enum Clock {
    static func now() -> Instant { Instant(nanoseconds: cl_boottime()) }
}
