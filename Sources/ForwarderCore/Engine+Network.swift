// The network around the machine: it changed, it came back, the machine slept; and servers that come and go.

import DNSWire

extension Engine {
    /// Routes, addresses or links changed, or the machine has slept: what was learned of failures is forgotten, streams
    /// that owe an answer are replaced, connections are opened anew. Connections whose local address is gone have been
    /// told as lost (`addressGone`) before.
    public mutating func networkChanged(now: Instant, into out: inout ActionBuffer) {}

    /// The addresses of an upstream that is one of the machine's own servers; none = there is no such server now.
    /// Connections to other addresses are drained.
    public mutating func setServers(
        _ endpoints: [Endpoint], of upstream: Int, now: Instant, into out: inout ActionBuffer
    ) {}
}
