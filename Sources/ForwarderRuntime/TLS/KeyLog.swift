// The file of session secrets (`tls.keylog`) that packet analysers read.
//
// OpenSSL hands over each line; it is appended with one write, so that the workers' lines do not mix. Whoever has the
// file can read the traffic: only its owner may, and it is never opened through a symbolic link.

import CLinux
import Glibc

/// An open key log. Any thread may append.
final class KeyLog: Sendable {
    private let descriptor: FileDescriptor

    init(path: String) throws(SystemError) {
        // Safety: the string is terminated and outlives the call.
        let number = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)
        if number < 0 { throw SystemError(code: errno) }
        descriptor = FileDescriptor(owning: number)
        // The file may be older than this daemon, with a looser mode.
        if fchmod(number, S_IRUSR | S_IWUSR) != 0 { throw SystemError(code: errno) }
    }

    /// Appends a line. A full disk loses lines and nothing else.
    func append(_ line: String) {
        var line = line
        line.append("\n")
        line.withUTF8 { bytes in
            // Safety: the length is the buffer's own.
            _ = unsafe cl_write(descriptor.number, bytes.baseAddress, bytes.count)
        }
    }
}
