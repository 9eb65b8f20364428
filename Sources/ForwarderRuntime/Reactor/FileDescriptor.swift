// One open descriptor, closed exactly once: when its owner ends.
//
// Sockets, the epoll set and event descriptors are held by this. It must never be copied, and the number it lends
// must not be kept beyond the owner's life.

import CLinux

/// An open file descriptor with one owner.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for system calls while the owner lives.
    let number: Int32

    /// Takes over `number`, which must be open and owned by nobody else.
    init(owning number: Int32) { self.number = number }

    /// What a CLinux call gave: a descriptor, or -errno.
    init(checking result: Int32) throws(SystemError) {
        if result < 0 { throw SystemError(code: -result) }
        number = result
    }

    deinit { _ = cl_close(number) }
}
