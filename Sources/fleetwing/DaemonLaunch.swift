// execv, the one call of this command that takes pointers. Called by Serve.

import Glibc

/// Replacing this process by the daemon.
enum DaemonLaunch {
    /// Does not return when it works; else gives errno.
    static func replaceProcess(path: String, arguments: [String]) -> Int32 {
        // Safety: every copy is freed below when execv comes back, and is gone with the process when it does not. The
        // list ends with NULL, as execv wants it.
        var list = unsafe arguments.map { unsafe strdup($0) }
        unsafe list.append(nil)
        unsafe execv(path, list)
        let code = errno
        unsafe list.forEach { unsafe free($0) }
        return code
    }

    /// In words.
    static func reason(_ code: Int32) -> String {
        code == ENOENT ? "no such file" : code == EACCES ? "permission denied" : "error \(code)"
    }
}
