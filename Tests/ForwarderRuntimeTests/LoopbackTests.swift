// Batches and partial writes over real loopback sockets, on ports that the kernel chooses.

import CLinux
import DNSWire
import ForwarderCore
import Glibc
import Testing

@testable import ForwarderRuntime

@Suite struct LoopbackTests {
    static let loopback = NetworkAddress(ipv4: 0x7f00_0001)

    private struct Bound: ~Copyable {
        let socket: FileDescriptor
        let endpoint: Endpoint
    }

    private func bound() throws -> Bound {
        let socket = try FileDescriptor(checking: cl_socket_datagram(4))
        #expect(cl_bind(socket.number, cl_address(LoopbackTests.loopback)) == 0)
        var address = cl_address()
        // Safety: `address` outlives the call.
        #expect(unsafe cl_local_address(socket.number, &address) == 0)
        let endpoint = try #require(address.endpoint)
        return Bound(socket: socket, endpoint: endpoint)
    }

    @Test func datagramBatch() throws {
        let receiver = try bound()
        let sender = try bound()
        try SocketOptions.packetInformation(receiver.socket.number, isIPv6: false)
        var writer = ByteWriter(capacity: 64 << 10, limit: 64 << 10)
        var batch = SendBatch()
        let sizes = [12, 13, 512, 4096, 5000]
        for size in sizes {
            batch.add(offset: writer.count, count: size, to: receiver.endpoint, from: nil)
            writer.appendZeros(size)
        }
        let source = NetworkAddress(ipv4: 0x7f00_0005)
        batch.add(offset: 0, count: 20, to: receiver.endpoint, from: source)
        #expect(batch.send(on: sender.socket.number, from: 0, bytes: writer) == 6)

        var received = DatagramBatch(capacity: 32)
        #expect(received.receive(from: receiver.socket.number, limit: 32, named: true) == 6)
        var counts: [Int] = []
        for i in 0..<received.received { received.withMessage(i) { counts.append($0.count) } }
        #expect(counts == [12, 13, 512, 4096, 4096, 20])
        #expect((0..<6).map { received.isTruncated($0) } == [false, false, false, false, true, false])
        #expect(received.sender(0) == sender.endpoint)
        #expect(received.sender(5)?.address == source)
        #expect(received.control(0).local == LoopbackTests.loopback)
        #expect(received.receive(from: receiver.socket.number, limit: 32, named: true) == -Int(EAGAIN))
        #expect(received.received == 0)
    }

    @Test func oneBadDestinationDoesNotStopTheOthers() throws {
        let receiver = try bound()
        let sender = try bound()
        var writer = ByteWriter(capacity: 1024, limit: 1024)
        writer.appendZeros(12)
        var batch = SendBatch()
        batch.add(offset: 0, count: 12, to: Endpoint(address: LoopbackTests.loopback, port: 0), from: nil)
        batch.add(offset: 0, count: 12, to: receiver.endpoint, from: nil)
        #expect(batch.send(on: sender.socket.number, from: 0, bytes: writer) == -Int(EINVAL))
        #expect(batch.send(on: sender.socket.number, from: 1, bytes: writer) == 1)
    }

    @Test func partialWritesKeepTheOrder() throws {
        var ends: [Int32] = [0, 0]
        // Safety: the array has two elements.
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let near = FileDescriptor(owning: ends[0])
        let far = FileDescriptor(owning: ends[1])
        #expect(cl_set_nonblocking(near.number) == 0)
        #expect(cl_set_nonblocking(far.number) == 0)
        let frames = (0..<2_000).map { FrameReaderTests.frame(FrameReaderTests.message($0, 500)) }
        var writer = ByteWriter(capacity: 2 << 20, limit: 2 << 20)
        for frame in frames { writer.append(frame.span, 0..<frame.count) }
        var queue = OutputQueue()
        queue.append(writer, offset: 0, count: writer.count)
        #expect(queue.write(to: near.number) == .blocked(progress: true))
        #expect(queue.write(to: near.number) == .blocked(progress: false))
        var reader = FrameReader()
        var buffer = StreamBuffer()
        var index = 0
        var inOrder = true
        for _ in 0..<10_000 where index < frames.count {
            let count = buffer.read(from: far.number)
            if count > 0 {
                _ = buffer.withBytes(count) { chunk in
                    reader.consume(chunk) { message in
                        inOrder = inOrder && message.count == 500 && message[0] == UInt8(truncatingIfNeeded: index)
                        index += 1
                        return true
                    }
                }
            }
            if !queue.isEmpty { _ = queue.write(to: near.number) }
        }
        #expect(index == frames.count)
        #expect(inOrder)
        #expect(queue.isEmpty)
    }

    @Test func aSlowReaderCannotGrowTheQueue() throws {
        var ends: [Int32] = [0, 0]
        // Safety: the array has two elements.
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let near = FileDescriptor(owning: ends[0])
        let far = FileDescriptor(owning: ends[1])
        #expect(cl_set_nonblocking(near.number) == 0)
        #expect(cl_set_nonblocking(far.number) == 0)
        var writer = ByteWriter(capacity: 64 << 10, limit: 64 << 10)
        writer.appendZeros(64 << 10)
        var queue = OutputQueue()
        var buffer = StreamBuffer()
        for _ in 0..<8 { queue.append(writer, offset: 0, count: writer.count) }
        for _ in 0..<500 {
            _ = queue.write(to: near.number)
            _ = buffer.read(from: far.number)
            if queue.count < 512 << 10 { queue.append(writer, offset: 0, count: writer.count) }
            #expect(!queue.isEmpty)
        }
        #expect(queue.memory < 2 << 20)
    }

    @Test func writeToAClosedPeerFails() throws {
        var ends: [Int32] = [0, 0]
        // Safety: the array has two elements.
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let near = FileDescriptor(owning: ends[0])
        #expect(cl_close(ends[1]) == 0)
        var writer = ByteWriter(capacity: 64, limit: 64)
        writer.appendZeros(12)
        var queue = OutputQueue()
        queue.append(writer, offset: 0, count: 12)
        #expect(queue.write(to: near.number) == .failed(errno: EPIPE))
    }
}
