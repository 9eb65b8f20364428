// Questions to the kernel about addresses, ways and links, over one NETLINK_ROUTE socket.
//
// NetworkWatch asks after events, on the main thread. The kernel answers within the send, so nothing here waits: an
// answer that is not there at once is none. It must never change anything (rtnetlink(7), the GET requests only).

import CLinux
import ForwarderCore

/// A socket to ask with.
final class KernelRoutes {
    /// A dump comes in pieces of at most 32 KiB; a machine with 10,000 addresses needs about 30.
    static let receiveLimit = 1_000

    private let socket: FileDescriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init() throws(SystemError) {
        socket = try FileDescriptor(checking: cl_netlink_open(nil, 0))
    }

    /// All addresses of the machine, or nil when the kernel did not tell.
    func localAddresses() -> Set<NetworkAddress>? {
        var found: Set<NetworkAddress> = []
        let isWhole = ask(NetlinkRequest(type: NetlinkMessage.getAddress, dump: true, fixed: 8)) { message, reader in
            if let address = reader.address(message) { found.insert(address) }
        }
        return isWhole ? found : nil
    }

    /// How packets to `destination` leave; nil = no way.
    func path(to destination: NetworkAddress) -> NetworkPath? {
        var request = NetlinkRequest(type: NetlinkMessage.getRoute, dump: false, fixed: 12)
        request.setDestination(destination)
        var found: NetworkPath?
        _ = ask(request) { message, reader in found = reader.path(message) }
        guard var path = found else { return nil }
        path.isUp = isRunning(path.link)
        return path
    }

    /// Whether a link is up and has its carrier.
    private func isRunning(_ link: UInt32) -> Bool {
        var request = NetlinkRequest(type: NetlinkMessage.getLink, dump: false, fixed: 16)
        request.setLink(link)
        var isRunning = false
        _ = ask(request) { message, reader in isRunning = reader.link(message)?.isRunning ?? false }
        return isRunning
    }

    /// Sends a question and gives each message of the answer to `body`. Returns whether the answer came whole.
    private func ask(_ request: NetlinkRequest, _ body: (NetlinkMessage, NetlinkReader) -> Void) -> Bool {
        sequence &+= 1
        let octets = request.octets(sequence: sequence)
        let sent = unsafe octets.withUnsafeBytes { bytes in
            // Safety: the length is the buffer's own.
            unsafe cl_send(socket.number, bytes.baseAddress, bytes.count)
        }
        guard sent == octets.count else { return false }
        for _ in 0..<KernelRoutes.receiveLimit {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                // Safety: the length is the buffer's own.
                unsafe cl_receive(socket.number, bytes.baseAddress, bytes.count)
            }
            guard count > 0 else { return false }
            var reader = NetlinkReader(Array(buffer[0..<count]))
            while let message = reader.next() {
                // The rest of an answer that was given up earlier.
                guard message.sequence == sequence else { continue }
                if message.type == NetlinkMessage.done { return true }
                if message.type == NetlinkMessage.error { return reader.errorCode(message) == 0 }
                body(message, reader)
                if !request.isDump { return true }
            }
        }
        return false
    }
}
