// Where the daemon may keep things from one run to the next: what the supervisor names, else the usual place.
//
// It must never make a directory: without one that is there and writable nothing is kept, and the daemon says so.

import Glibc

enum StateDirectory {
    /// Set by systemd (StateDirectory=), absolute paths with colons between them.
    static let variable = "STATE_DIRECTORY"
    static let usual = "/var/lib/fleetwing"

    static func find() -> String? {
        // Safety: getenv's string is copied at once, and nothing in the daemon changes the environment.
        if let named = unsafe getenv(variable).map({ unsafe String(cString: $0) }),
            let first = named.split(separator: ":").first
        {
            // Named on purpose: when it cannot be used, the attempt to write says why.
            return String(first)
        }
        // Safety: the string is terminated and outlives the call.
        let result = unsafe usual.withCString { unsafe access($0, W_OK | X_OK) }
        return result == 0 ? usual : nil
    }
}
