// Bytes that a stream still has to write.
//
// All frames of a batch are appended, then written with one send; what the kernel does not take stays. The owner
// checks `count` against its bound before it appends. It must never be written from a second place: frames of two
// messages would mix.

import CLinux
import DNSWire
import Glibc

/// Outgoing bytes of one stream.
struct OutputQueue {
    enum Outcome: Equatable {
        case drained
        /// The kernel's buffer is full: wait for EPOLLOUT. `progress` tells whether any octet went.
        case blocked(progress: Bool)
        case failed(errno: Int32)
    }

    /// Sent octets that may still lie at the front.
    private static let compactAt = 64 << 10

    private var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }
    /// Octets of memory held, sent ones included.
    var memory: Int { bytes.capacity }

    /// Appends `length` octets of the action buffer.
    mutating func append(_ source: borrowing ByteWriter, offset: Int, count length: Int) {
        guard offset >= 0, length >= 0, offset <= source.count - length else { return }
        source.withSpan(offset, length) { append($0) }
    }

    /// Appends octets.
    mutating func append(_ octets: Span<UInt8>) {
        if start == bytes.count {
            removeAll()
        } else if start > OutputQueue.compactAt {
            // A peer that reads slowly but steadily never lets the queue run empty: what was sent must still go.
            bytes.removeFirst(start)
            start = 0
        }
        // Safety: the buffer is read within the call.
        unsafe octets.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    /// Lends what is not written yet.
    func withUnwritten<R>(_ body: (Span<UInt8>) -> R) -> R { body(bytes.span.extracting(start..<bytes.count)) }

    /// Gives the memory back when nothing waits and it is more than a few messages need.
    mutating func shrink() {
        if isEmpty && bytes.capacity > 2_048 { self = OutputQueue() }
    }

    /// Writes as much as the kernel takes; one send unless a part was taken.
    mutating func write(to number: Int32) -> Outcome {
        var progress = false
        while start < bytes.count {
            let from = start
            let result = unsafe bytes.withUnsafeBytes { buffer in
                // Safety: from < count, so the address and the length are within the buffer.
                unsafe cl_send(number, buffer.baseAddress.map { unsafe $0 + from }, buffer.count - from)
            }
            if result > 0 {
                start += result
                progress = true
            } else if result == -Int(EAGAIN) {
                return .blocked(progress: progress)
            } else {
                return .failed(errno: Int32(clamping: -result))
            }
        }
        removeAll()
        return .drained
    }

    /// Lends what is unsent to `take` until nothing is left or it takes nothing. `take` returns how many octets it took
    /// from the front.
    mutating func drain(_ take: (UnsafeRawBufferPointer) -> Int) {
        while start < bytes.count {
            let from = start
            let count = unsafe bytes.withUnsafeBytes { buffer in
                // Safety: from < count; lent for the call.
                unsafe take(UnsafeRawBufferPointer(rebasing: buffer[from...]))
            }
            if count <= 0 { return }
            start = min(start + count, bytes.count)
        }
        removeAll()
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 16_384)
        start = 0
    }
}
