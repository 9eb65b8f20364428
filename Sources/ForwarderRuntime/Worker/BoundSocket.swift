// A listener's socket between the main thread, which binds it, and the worker, which reads it.
//
// All sockets of all workers are bound before any loop runs, so that a taken port is an error at start and not a worker
// that is silently missing.

import ForwarderCore

/// A bound, not yet polled socket.
final class BoundSocket: Sendable {
    let descriptor: FileDescriptor
    let address: ListenAddress
    let isStream: Bool

    init(_ descriptor: consuming FileDescriptor, address: ListenAddress, isStream: Bool) {
        self.descriptor = descriptor
        self.address = address
        self.isStream = isStream
    }
}

/// One address that could not be bound.
public struct BindFailure: Error, Sendable {
    public var address: ListenAddress
    public var isStream: Bool
    public var error: SystemError
}
