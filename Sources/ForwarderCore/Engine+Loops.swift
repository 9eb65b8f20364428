// Forwarding loops: whether a server that we ask sends our queries back to us.
//
// Each upstream of a local network is asked for a random name at the start and when the network or its address changes,
// until there is a verdict, and each minute while it loops. Whoever of our workers gets that name from a client knows
// it by a keyed tag in it and gives an answer that only we can give; the worker that asked finds it and switches the
// upstream off. Silence and SERVFAIL are no verdict: in a ring of daemons that start one after another, or that have
// switched each other off, nothing else can be had. Public resolvers cannot forward to us and are not asked. The
// rejected way, CoreDNS's, ends the process.

import DNSWire

extension Engine {
    /// While it loops, it is asked again so often; without a verdict after a first pause that doubles up to this one.
    static let loopPause = Interval.seconds(60)
    /// Longer than a probe takes with the default times.
    static let firstLoopPause = Interval.seconds(4)
    /// An upstream that loops and gives no verdict so often in a row is used again: the loop may have been mended, and
    /// such names be swallowed there now. If it has not, the next probe will tell.
    private static let silentLoopProbes = 3
    private static let digits = Array("0123456789abcdef".utf8)
    /// One label: sixteen digits of a random number, sixteen of its tag.
    private static let loopNameLength = 34

    /// Asks an upstream whose turn it is.
    mutating func loopProbeDue(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard settings.detectsLoops, !isStopping, let due = pools[upstream].loopProbeAt else { return }
        guard due <= now else { return wakeUpstream(upstream, at: due) }
        guard let endpoint = pools[upstream].endpoint else { return }
        guard endpoint.address.isLocal else { return pools[upstream].loopProbeAt = nil }
        let doubled = Interval(nanoseconds: Engine.firstLoopPause.nanoseconds << min(pools[upstream].loopProbes, 4))
        pools[upstream].loopProbes = min(pools[upstream].loopProbes + 1, 4)
        if pools[upstream].health.isLooping && pools[upstream].loopProbes > Engine.silentLoopProbes {
            pools[upstream].health.isLooping = false
            out.events.append(.loop(upstream: upstream, isFound: false))
        }
        pools[upstream].loopProbeAt = now + min(doubled, Engine.loopPause)
        let nonce = random.next64()
        let tag = cache.tag(nonce, 0)
        pools[upstream].loopNonce = nonce
        let name = [32] + Engine.hexadecimal(nonce) + Engine.hexadecimal(tag) + [0]
        _ = sendProbe(.loop(upstream: upstream), to: upstream, name, .hinfo, now: now, into: &out)
        scheduleProbe(upstream)
    }

    /// A client's question that is a probe of ours: answered so that the one who sent it knows. The name is in
    /// `nameScratch`.
    mutating func answerLoopProbe(
        _ question: Question, _ query: ClientQuery, into out: inout ActionBuffer
    ) -> Bool {
        guard question.nameLength == Engine.loopNameLength, question.type == .hinfo, question.labelCount == 1,
            let nonce = Engine.number(nameScratch, 1), let tag = Engine.number(nameScratch, 17),
            tag == cache.tag(nonce, 0)
        else { return false }
        counters.local += 1
        writer.writeLoopProof(
            Engine.hexadecimal(cache.tag(nonce, 1)), question: question, name: nameScratch, nameOffset: 0, to: query,
            into: &out)
        return true
    }

    /// The upstream's answer to a probe lies packed in `packer.scratch`: is it ours?
    mutating func judgeLoop(_ upstream: Int, _ packed: PackedAnswer, now: Instant, into out: inout ActionBuffer) {
        let proof = Engine.hexadecimal(cache.tag(pools[upstream].loopNonce, 1))
        let loops = packer.holds(proof, within: packed.length)
        if !loops && packed.rcode == .serverFailure { return }
        pools[upstream].loopProbeAt = loops ? now + Engine.loopPause : nil
        pools[upstream].loopProbes = 0
        guard loops != pools[upstream].health.isLooping else { return }
        pools[upstream].health.isLooping = loops
        out.events.append(.loop(upstream: upstream, isFound: loops))
    }

    private static func hexadecimal(_ number: UInt64) -> [UInt8] {
        (0..<16).map { digits[Int(truncatingIfNeeded: number >> UInt64(60 - 4 * $0)) & 15] }
    }

    /// The number that sixteen digits at `offset` of a folded name write; nil when they are no digits.
    private static func number(_ name: borrowing ByteStore, _ offset: Int) -> UInt64? {
        var number: UInt64 = 0
        for index in 0..<16 {
            guard let digit = digits.firstIndex(of: name[offset + index]) else { return nil }
            number = number << 4 | UInt64(digit)
        }
        return number
    }
}
