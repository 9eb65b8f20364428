// All sockets of one worker, lent together to the action runner and the loop.

/// A worker's listeners, client streams and transports.
struct WorkerSockets: ~Copyable {
    let udpListeners: [UDPListener]
    let tcpListeners: [TCPListener]
    var clients: ClientStreams
    var datagrams: DatagramTransport
    var streams: StreamTransport
}
