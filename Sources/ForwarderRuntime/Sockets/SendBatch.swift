// Preallocated headers for sending many datagrams with one sendmmsg, straight from the action buffer's bytes.
//
// A worker has one, for replies and for queries. Messages are added as ranges; the addresses of the bytes are taken
// only inside `send`, because the buffer may move when it grows. It must never keep such an address.

import CLinux
import DNSWire
import ForwarderCore
import Glibc

/// Up to `capacity` datagrams for one socket.
@safe struct SendBatch: ~Copyable {
    static let capacity = 64

    private(set) var count = 0
    private let headers: UnsafeMutablePointer<cl_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutablePointer<cl_sockaddr>
    private let controls: UnsafeMutableRawPointer
    private let offsets: UnsafeMutablePointer<Int>
    private static let controlSize = Int(cl_control_space)

    init() {
        let capacity = SendBatch.capacity
        // Safety: five blocks of this owner alone, freed in deinit.
        unsafe headers = .allocate(capacity: capacity)
        unsafe vectors = .allocate(capacity: capacity)
        unsafe names = .allocate(capacity: capacity)
        unsafe offsets = .allocate(capacity: capacity)
        unsafe controls = .allocate(byteCount: capacity * SendBatch.controlSize, alignment: 16)
        unsafe controls.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * SendBatch.controlSize)
        unsafe offsets.initialize(repeating: 0, count: capacity)
        for i in 0..<capacity {
            unsafe names.advanced(by: i).initialize(to: cl_sockaddr())
            unsafe vectors.advanced(by: i).initialize(to: iovec())
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
        unsafe offsets.deallocate()
        unsafe controls.deallocate()
    }

    var isFull: Bool { count == SendBatch.capacity }

    /// Forgets the messages.
    mutating func removeAll() { count = 0 }

    /// Adds a message for the peer of a connected socket. The batch must not be full.
    mutating func add(offset: Int, count length: Int) {
        precondition(count < SendBatch.capacity)
        // Safety: checked above.
        unsafe headers[count].hdr.msg_name = nil
        unsafe headers[count].hdr.msg_namelen = 0
        unsafe headers[count].hdr.msg_control = nil
        unsafe headers[count].hdr.msg_controllen = 0
        unsafe offsets[count] = offset
        unsafe vectors[count].iov_len = length
        count += 1
    }

    /// Adds a message to `destination`, from `source` when given.
    mutating func add(offset: Int, count length: Int, to destination: Endpoint, from source: NetworkAddress?) {
        let index = count
        add(offset: offset, count: length)
        // Safety: `add` checked the index.
        unsafe headers[index].hdr.msg_namelen = cl_sockaddr_make(names + index, cl_address(destination))
        unsafe headers[index].hdr.msg_name = UnsafeMutableRawPointer(names + index)
        guard let source else { return }
        let control = unsafe controls + index * SendBatch.controlSize
        unsafe headers[index].hdr.msg_control = control
        unsafe headers[index].hdr.msg_controllen = cl_control_write_source(control, cl_address(source))
    }

    /// Sends from message `first` on, with one system call. Returns how many were taken, or -errno for message `first`.
    mutating func send(on number: Int32, from first: Int, bytes: borrowing ByteWriter) -> Int {
        let count = self.count
        precondition(first >= 0 && first < count)
        let headers = unsafe self.headers
        let vectors = unsafe self.vectors
        let offsets = unsafe self.offsets
        let total = bytes.count
        return bytes.withSpan(0, total) { span in
            unsafe span.withUnsafeBufferPointer { buffer in
                for i in first..<count {
                    // Safety: every range is checked against the bytes written; a wrong one is sent as nothing.
                    let fits =
                        unsafe offsets[i] >= 0 && offsets[i] <= total && vectors[i].iov_len <= total - offsets[i]
                    let start = unsafe buffer.baseAddress.map { unsafe $0 + (fits ? offsets[i] : 0) }
                    unsafe vectors[i].iov_base = UnsafeMutableRawPointer(mutating: start)
                    if !fits { unsafe vectors[i].iov_len = 0 }
                }
                // Safety: headers first..<count are initialised and point into `buffer`, which outlives the call.
                return Int(unsafe cl_sendmmsg(number, headers + first, UInt32(count - first)))
            }
        }
    }
}
