// The memory that streams are read into: one block a table of streams, since what a read left over is copied to its
// stream's FrameReader. It must never be lent beyond the call.

import CLinux

/// A block for reading streams.
@safe struct StreamBuffer: ~Copyable {
    static let size = 64 << 10
    private let bytes: UnsafeMutableRawPointer

    init() {
        // Safety: freed in deinit, filled only by `read`.
        unsafe bytes = .allocate(byteCount: StreamBuffer.size, alignment: 64)
    }

    deinit {
        // Safety: allocated in init.
        unsafe bytes.deallocate()
    }

    /// Reads once. Returns the count, 0 at the end of the stream, or -errno.
    mutating func read(from number: Int32) -> Int {
        // Safety: the block has `size` octets.
        unsafe cl_receive(number, bytes, StreamBuffer.size)
    }

    /// Has `session` decrypt one record into the block.
    mutating func read(from session: TLSSession) -> TLSSession.Step {
        // Safety: the block has `size` octets; more than a record, so nothing decrypted stays inside OpenSSL.
        unsafe session.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: StreamBuffer.size))
    }

    /// Lends the first `count` octets, as many as the last `read` returned.
    func withBytes<R>(_ count: Int, _ body: (Span<UInt8>) -> R) -> R {
        precondition(count >= 0 && count <= StreamBuffer.size)
        // Safety: checked above; `read` wrote them.
        let buffer = unsafe UnsafeBufferPointer(start: bytes.assumingMemoryBound(to: UInt8.self), count: count)
        return unsafe body(Span(_unsafeElements: buffer))
    }
}
