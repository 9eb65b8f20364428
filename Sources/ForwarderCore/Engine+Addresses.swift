// An upstream with several addresses, or with a host name: which address is tried when, and where they come from.
//
// Happy eyeballs (RFC 8305): the address that worked last is tried first; one that does not connect within 250 ms gets
// a rival. Host names are resolved through the bootstrap group, off the query path, by the engine as its own client:
// the same pools, the same matching of answers, never through an upstream that has a name itself.

import DNSWire

extension Engine {
    /// RFC 8305 5: "recommended to be 250 milliseconds".
    static let raceDelay = Interval.milliseconds(250)

    /// A host name is to be asked for (again).
    mutating func resolutionDue(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard let resolution = pools[upstream].resolution, resolution.pending == 0 else { return }
        if now >= resolution.dueAt {
            resolve(upstream, now: now, into: &out)
        } else {
            wakeUpstream(upstream, at: resolution.dueAt)
        }
    }

    mutating func noteHandshake(_ upstream: Int, _ now: Instant) {
        let window = UpstreamPool.handshakeWindow(now)
        if pools[upstream].handshakeWindow != window {
            pools[upstream].handshakeWindow = window
            pools[upstream].handshakes = 0
        }
        pools[upstream].handshakes += 1
        if pools[upstream].handshakes >= pools[upstream].handshakeLimit {
            // Whoever waits because of it goes on when the window ends.
            let length = UpstreamPool.handshakeWindowLength.nanoseconds
            wakeUpstream(upstream, at: Instant(nanoseconds: (window + 1) * length))
        }
    }

    /// A connect is slow, and there is another address: tries that beside it.
    mutating func race(_ slot: Int, now: Instant, into out: inout ActionBuffer) {
        let upstream = connections.slots[slot].upstream
        guard !connections.slots[slot].isRaced else { return }
        connections.slots[slot].isRaced = true
        guard pools[upstream].hasRoom, pools[upstream].endpoints.count > 1 else { return }
        pools[upstream].preferred = (connections.slots[slot].address + 1) % pools[upstream].endpoints.count
        if let rival = open(upstream, connections.slots[slot].network, .growth, now: now, into: &out) {
            // One rival each; the rival may get one itself.
            armConnection(rival, now)
        }
    }

    /// The first connection of a race is there: what waits for the others goes over it, and they end.
    mutating func endRace(_ winner: Int, now: Instant, into out: inout ActionBuffer) {
        let upstream = connections.slots[winner].upstream
        guard pools[upstream].endpoints.count > 1 else { return }
        let others = pools[upstream].streams.filter {
            $0 != winner && connections.slots[$0].state == .connecting
                && connections.slots[$0].address != connections.slots[winner].address
        }
        for other in others {
            while connections.slots[other].firstAttempt >= 0 {
                let attempt = connections.slots[other].firstAttempt
                unlink(attempt)
                attempts.slots[Int(attempt)].state = .waiting
                let query = Int(attempts.slots[Int(attempt)].query)
                if !submit(attempt, now: now, into: &out) { enqueue(attempt, now: now, into: &out) }
                if queries.slots[query].isOpen { armQuery(query) }
                // `submit` may put it back on the same one when the winner is full: let that one live then.
                if connections.slots[other].lastAttempt == attempt { break }
            }
            if connections.slots[other].inFlight == 0 && connections.slots[other].state == .connecting {
                close(other, .room, now: now, into: &out)
            }
        }
    }

    /// An address did not work: the next connection goes to the next one. Returns whether one is left to be tried.
    mutating func noteAddressFailure(_ upstream: Int, _ address: Int) -> Bool {
        pools[upstream].connectFailures += 1
        let count = pools[upstream].endpoints.count
        guard count > 1 else { return false }
        if pools[upstream].preferred == address { pools[upstream].preferred = (address + 1) % count }
        return hasUntriedAddress(upstream)
    }

    /// Whether the addresses have not all failed since the last connection.
    func hasUntriedAddress(_ upstream: Int) -> Bool {
        let count = pools[upstream].endpoints.count
        return count > 1 && pools[upstream].connectFailures % count != 0
    }

    // MARK: - Host names

    /// Asks the bootstrap group for an upstream's addresses, both families at once.
    private mutating func resolve(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard let group = settings.bootstrapGroup, pools[upstream].resolution != nil else { return }
        pools[upstream].resolution?.pending = 2
        for type in [RecordType.a, .aaaa] {
            let name = pools[upstream].settings.hostName
            for (offset, octet) in name.prefix(255).enumerated() { nameScratch[offset] = octet }
            let question = Question(
                nameLength: min(name.count, 255), labelCount: 1, type: type, recordClass: RecordClass.internet,
                dnssecOK: false, checkingDisabled: false, group: UInt16(clamping: group),
                nameHash: hashName(nameScratch, 0, min(name.count, 255), seed: cache.seed))
            guard let slot = openQuery(question, for: .addresses(upstream: upstream), now: now, into: &out) else {
                endResolution(upstream, now: now, into: &out)
                continue
            }
            continueQuery(slot, now: now, into: &out)
        }
    }

    /// One of the two questions is answered (the answer lies packed in `packer.scratch`) or failed.
    mutating func takeAddresses(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard upstream < pools.count, pools[upstream].resolution != nil else { return }
        for record in packer.addresses() {
            pools[upstream].resolution?.found.append(record.address)
            let life = pools[upstream].resolution?.life ?? .max
            pools[upstream].resolution?.life = min(life, record.timeToLive)
        }
        endResolution(upstream, now: now, into: &out)
    }

    mutating func endResolution(_ upstream: Int, now: Instant, into out: inout ActionBuffer) {
        guard var resolution = pools[upstream].resolution, resolution.pending > 0 else { return }
        resolution.pending -= 1
        if resolution.pending == 0 {
            let port = pools[upstream].settings.port
            if let addresses = resolution.finish(now) {
                let known = pools[upstream].endpoint
                pools[upstream].endpoints = addresses.map { Endpoint(address: $0, port: port) }
                // What worked goes on to be tried first, if it is still one of them.
                pools[upstream].preferred = pools[upstream].endpoints.firstIndex { $0 == known } ?? 0
            }
            wakeUpstream(upstream, at: resolution.dueAt)
            // Streams that are to stand ready can be opened now.
            if pools[upstream].wantsPrewarm && !pools[upstream].endpoints.isEmpty { wakeUpstream(upstream, at: now) }
        }
        pools[upstream].resolution = resolution
    }
}
