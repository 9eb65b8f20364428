// Messages to the service supervisor (sd_notify): READY, STATUS, STOPPING.
//
// Without a supervisor (NOTIFY_SOCKET not set) libsystemd does nothing. It must never hold the start up: failures are
// ignored on purpose, the supervisor has its own time-outs.

import CSystemd

enum ServiceNotification {
    static func ready(_ status: String) { send("READY=1\nSTATUS=\(line(status))") }
    static func status(_ text: String) { send("STATUS=\(line(text))") }
    static func stopping() { send("STOPPING=1\nSTATUS=answering what is in flight") }
    /// Asks for this much time from now on.
    static func extendTimeout(seconds: Int) { send("EXTEND_TIMEOUT_USEC=\(seconds * 1_000_000)") }
    static func failed(_ text: String, code: Int32) { send("STATUS=\(line(text))\nERRNO=\(code)") }

    private static func line(_ text: String) -> String {
        String(text.map { $0 == "\n" ? " " : $0 })
    }

    private static func send(_ message: String) {
        // Safety: the string is terminated and outlives the call.
        _ = unsafe message.withCString { unsafe sd_notify(0, $0) }
    }
}
