// Preallocated memory for receiving many datagrams with one recvmmsg.
//
// A worker has one and uses it for its listeners and its upstream sockets in turn: a message is delivered to the engine
// before the next receive. It must never be read beyond `received`, and lends its bytes only for the length of a call.

import CLinux
import ForwarderCore
import Glibc

/// Slots for `capacity` datagrams, their addresses and control messages.
@safe struct DatagramBatch: ~Copyable {
    /// Larger than any datagram that a client or an honest upstream sends, so that an oversized one is seen as
    /// truncated (MSG_TRUNC) and not mistaken for a whole message.
    static let slotSize = 4096

    let capacity: Int
    /// Datagrams of the last receive.
    private(set) var received = 0

    private let headers: UnsafeMutablePointer<cl_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutablePointer<cl_sockaddr>
    private let controls: UnsafeMutableRawPointer
    private let bytes: UnsafeMutableRawPointer
    private static let controlSize = Int(cl_control_space)

    init(capacity: Int) {
        let capacity = min(max(capacity, 1), 1024)
        self.capacity = capacity
        // Safety: five blocks of this owner alone, freed in deinit; header i points at element i of the others for
        // ever.
        unsafe headers = .allocate(capacity: capacity)
        unsafe vectors = .allocate(capacity: capacity)
        unsafe names = .allocate(capacity: capacity)
        unsafe controls = .allocate(byteCount: capacity * DatagramBatch.controlSize, alignment: 16)
        unsafe bytes = .allocate(byteCount: capacity * DatagramBatch.slotSize, alignment: 64)
        for i in 0..<capacity {
            unsafe names.advanced(by: i).initialize(to: cl_sockaddr())
            unsafe vectors.advanced(by: i).initialize(
                to: iovec(iov_base: bytes + i * DatagramBatch.slotSize, iov_len: DatagramBatch.slotSize))
            var header = unsafe cl_mmsghdr()
            unsafe header.hdr.msg_iov = vectors + i
            unsafe header.hdr.msg_iovlen = 1
            unsafe headers.advanced(by: i).initialize(to: header)
        }
    }

    deinit {
        // Safety: allocated in init.
        unsafe headers.deallocate()
        unsafe vectors.deallocate()
        unsafe names.deallocate()
        unsafe controls.deallocate()
        unsafe bytes.deallocate()
    }

    /// Receives at most `limit` datagrams. Returns their number or -errno.
    /// - Parameter named: whether addresses and control messages are wanted; a connected socket has no need of them.
    mutating func receive(from number: Int32, limit: Int, named: Bool) -> Int {
        let count = min(limit, capacity)
        for i in 0..<count {
            // Safety: i < capacity. The kernel overwrote the lengths with those of the last receive.
            unsafe headers[i].hdr.msg_name = named ? UnsafeMutableRawPointer(names + i) : nil
            unsafe headers[i].hdr.msg_namelen = named ? socklen_t(MemoryLayout<cl_sockaddr>.size) : 0
            unsafe headers[i].hdr.msg_control = named ? controls + i * DatagramBatch.controlSize : nil
            unsafe headers[i].hdr.msg_controllen = named ? DatagramBatch.controlSize : 0
        }
        let result = Int(unsafe cl_recvmmsg(number, headers, UInt32(count)))
        received = max(0, result)
        return result
    }

    /// Whether datagram `index` did not fit its slot.
    func isTruncated(_ index: Int) -> Bool {
        precondition(index >= 0 && index < received)
        // Safety: checked above.
        return unsafe headers[index].hdr.msg_flags & Int32(truncatingIfNeeded: MSG_TRUNC) != 0
    }

    /// Whence datagram `index` came; nil when the family is foreign.
    func sender(_ index: Int) -> Endpoint? {
        precondition(index >= 0 && index < received)
        // Safety: checked above; the kernel wrote the address.
        return unsafe cl_sockaddr_read(names + index).endpoint
    }

    /// The address that datagram `index` was sent to, and the socket's drops so far (0 = not told).
    func control(_ index: Int) -> (local: NetworkAddress?, drops: UInt32) {
        precondition(index >= 0 && index < received)
        // Safety: checked above; CLinux walks the control messages within msg_controllen.
        let read = unsafe cl_control_read(&headers[index].hdr)
        return (read.local.networkAddress, read.drops)
    }

    /// Lends datagram `index` to `body`.
    func withMessage(_ index: Int, _ body: (Span<UInt8>) -> Void) {
        precondition(index >= 0 && index < received)
        // Safety: checked above; the kernel wrote `len` octets into the slot, never more than its size.
        let length = unsafe min(Int(headers[index].len), DatagramBatch.slotSize)
        let start = unsafe (bytes + index * DatagramBatch.slotSize).assumingMemoryBound(to: UInt8.self)
        let buffer = unsafe UnsafeBufferPointer(start: start, count: length)
        unsafe body(Span(_unsafeElements: buffer))
    }
}
