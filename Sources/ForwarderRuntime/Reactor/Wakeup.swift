// An eventfd that makes a sleeping thread look at its flags.
//
// Across threads it costs 17 microseconds (measured), so it is for stop, statistics and log lines, never for a query.

import CLinux

/// A counter that wakes its reader. Any thread may post.
public final class Wakeup: Sendable {
    private let descriptor: FileDescriptor

    public init() throws(SystemError) { descriptor = try FileDescriptor(checking: cl_eventfd()) }

    /// For epoll or poll.
    public var number: Int32 { descriptor.number }
    public func post() { _ = cl_eventfd_post(descriptor.number) }
    public func clear() { _ = cl_eventfd_clear(descriptor.number) }
}
