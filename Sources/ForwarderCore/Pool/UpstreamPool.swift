// The pool of one upstream in one worker: its sockets and streams, its ceiling, who waits, and what was learned.
//
// One ceiling holds for UDP and TCP together, opening, open and draining sockets counted. The pool decides; opening and
// closing themselves are actions of the engine. The numbers: docs/adr/0007-udp-rotation.md.

import DNSWire

/// How a query is to be carried.
enum PoolDecision: Equatable {
    /// On this open connection.
    case use(Int)
    /// On a new one.
    case open(OpenReason)
    /// On a stream that still connects.
    case queueOn(Int)
    /// Not now: the ceiling is reached.
    case wait

    /// Whether it is for a place that another could have.
    var takesPlace: Bool {
        switch self {
        case .open, .wait: true
        case .use, .queueOn: false
        }
    }
}

/// Pool state of one upstream. What every query asks of it is `mutating` although it changes nothing: that is asked in
/// place, where a call on an array's element else copies the whole struct first, with its strings and arrays retained
/// (callgrind: three copies and 17 % of a miss's instructions).
struct UpstreamPool {
    /// Queries that one UDP socket should carry at once before another is opened.
    static let comfortableInFlight = 16
    static let connectingLimit = 2
    /// No byte since the oldest unanswered query for so long: no more queries on the stream.
    static let quarantineAfter = Interval.seconds(1)
    /// ... and so long: closed. "Noticed within 3 s."
    static let silenceLimit = Interval.milliseconds(2_500)
    static let timeoutsToQuarantine = 3

    let index: Int
    let settings: UpstreamSettings
    /// This worker's part of `max_connections`.
    let ceiling: Int
    /// Open connections by slot; draining ones are only counted.
    var datagrams: [Int] = []
    var streams: [Int] = []
    var drainingDatagrams = 0
    var drainingStreams = 0
    /// Attempts that wait for a place, by transport, and how many of them still do.
    var datagramQueue = WaitQueue()
    var streamQueue = WaitQueue()
    var waitingCount = 0

    /// Addresses to connect to; `preferred` is the one that worked last.
    var endpoints: [Endpoint]
    var preferred = 0
    /// Connects that failed in a row, over all addresses.
    var connectFailures = 0
    /// Set where the addresses come from a host name.
    var resolution: HostResolution?
    /// Handshakes begun in the quarter of a second `handshakeWindow`.
    var handshakes = 0
    var handshakeWindow: Int64 = -1

    var udpLatency = LatencyEstimate()
    var tcpLatency = LatencyEstimate()
    var health: UpstreamHealth
    /// Queries beyond one for each of a client: sent again, hedged, refreshed.
    var extras: ExtraBudget
    var inFlight = 0
    /// When the first query was sent since anything was heard.
    var owedSince: Instant?
    /// When it was last probed, and asked whether it sends our queries back.
    var probedAt = Instant(nanoseconds: 0)
    var loopProbeAt: Instant?
    /// Loop probes in a row without a verdict, as far as they lengthen the pause.
    var loopProbes: Int64 = 0
    /// What a loop probe asked for: the answer that only we give proves the loop.
    var loopNonce: UInt64 = 0
    /// Proved where nobody can forge it: it does not take EDNS until then.
    var refusesEDNSUntil = Instant(nanoseconds: 0)
    /// When it last gave an answer to anything.
    var answeredAt = Instant(nanoseconds: .min)
    /// After a local failure to open: not before.
    var blockedUntil = Instant(nanoseconds: 0)
    /// After a refused or failed connect: not before, doubling.
    var connectBlockedUntil = Instant(nanoseconds: 0)
    var connectPause = Interval.zero
    /// Nothing is opened ahead of need before.
    var prewarmBlockedUntil = Instant(nanoseconds: 0)
    /// Pipelining limit learned from a peer that closes after n answers.
    var pipelineLimit: Int
    var answersInRow = 0
    /// Answers after which the peer was seen to end a stream, and what was made of it; nil = not learned.
    var seenAnswers: Int?
    var learnedQueries: Int?
    var ownQueryCloses = 0
    /// Streams that the peer allowed at once on its last connection.
    var knownCapacity: Int?
    /// How long the peer was seen to keep an idle connection.
    var learnedIdle: Interval?
    /// How long the last stream was idle that the peer closed.
    var seenIdle: Interval?
    var ownIdleCloses = 0
    /// Verified: the peer does not keep letter case, 0x20 is off toward it.
    var hasLostCase = false
    /// Octets of the server's cookie; 0 = it has shown none (RFC 7873).
    var serverCookieLength = 0
    /// Whether the settings want streams to stand ready, and whether some are missing.
    let prewarms: Bool
    var wantsPrewarm: Bool
    /// At the start and after the network changed `prewarm` counts; later only `min_connections`.
    var isFresh = true

    var udp: PoolStatistics
    var tcp: PoolStatistics
    var dispatch = UpstreamStatistics()

    init(index: Int, settings: UpstreamSettings, health: HealthSettings, ceiling: Int, workers: Int) {
        extras = ExtraBudget(workers: workers)
        self.index = index
        self.settings = settings
        self.ceiling = max(1, ceiling)
        let endpoint =
            settings.endpoints.first ?? Endpoint(address: NetworkAddress(ipv4: 0), port: settings.port)
        endpoints = settings.endpoints
        self.health = UpstreamHealth(settings: health)
        pipelineLimit = max(1, settings.pool.maxInflight)
        resolution = settings.hostName.isEmpty ? nil : HostResolution()
        prewarms = settings.transport.isStream && (settings.pool.prewarm > 0 || settings.pool.minConnections > 0)
        wantsPrewarm = prewarms
        udp = PoolStatistics(upstream: settings.name, address: endpoint, network: "udp")
        let stream = settings.transport == .udp ? UpstreamTransport.tcp : settings.transport
        tcp = PoolStatistics(upstream: settings.name, address: endpoint, network: stream.word)
    }

    /// Where the next connection goes; nil while the host name is not resolved.
    var endpoint: Endpoint? { endpoints.isEmpty ? nil : endpoints[preferred % endpoints.count] }

    /// What carries its streams: its own transport, or TCP beside UDP.
    var streamTransport: UpstreamTransport { settings.transport == .udp ? .tcp : settings.transport }

    /// What a strategy may look at.
    mutating func memberState(_ now: Instant) -> MemberState {
        if settings.transport == .udp { udpLatency.decay(now) } else { tcpLatency.decay(now) }
        return MemberState(
            roundTrip: settings.transport == .udp ? udpLatency.smoothed : tcpLatency.smoothed,
            // Those that wait for a place are outstanding too: else a member at its ceiling would look idle.
            inFlight: inFlight + waitingCount,
            isEligible: isEligible(now), weight: settings.weight)
    }

    /// Whether a query may be sent there now.
    mutating func isEligible(_ now: Instant) -> Bool { !endpoints.isEmpty && health.isEligible(now) }

    /// What a sending goes over: the upstream's own transport, or the stream that it needs.
    mutating func transport(_ needs: AttemptNeeds) -> UpstreamTransport {
        settings.transport == .udp && needs.contains(.stream) ? .tcp : settings.transport
    }

    /// Whether queries go over UDP first.
    var isDatagram: Bool { settings.transport == .udp }

    /// Whether it speaks UDP, has answered something since then, and no connect has failed lately.
    func isLossy(since: Instant) -> Bool {
        settings.transport == .udp && answeredAt > since && connectPause == .zero
    }

    /// Sockets that count against the ceiling.
    var openCount: Int { datagrams.count + streams.count + drainingDatagrams + drainingStreams }
    var hasRoom: Bool { openCount < ceiling }

    /// Places that datagram sockets leave to TCP, so that a truncated answer never waits for them.
    private var streamReserve: Int { settings.transport == .udp && ceiling >= 4 ? 1 : 0 }

    /// Sockets worth having now: several even at low load (each is a secret port), more as more is in flight.
    func datagramTarget() -> Int {
        let most = max(1, ceiling - streamReserve)
        let least = min(most, max(1, ceiling / 2))
        return min(most, max(least, (inFlight + Self.comfortableInFlight) / Self.comfortableInFlight))
    }

    /// Which UDP socket carries the next query. Picked at random: knowing one port is worth little.
    mutating func decideDatagram(_ now: Instant, random: inout RandomSource) -> PoolDecision {
        let mayOpen = openCount < ceiling - streamReserve && now >= blockedUntil
        if mayOpen && datagrams.count < datagramTarget() {
            if datagrams.isEmpty { return .open(udp.queries == 0 ? .cold : .replace) }
            return .open(datagrams.count < max(1, ceiling / 2) ? .replace : .growth)
        }
        guard !datagrams.isEmpty else { return hasRoom && now >= blockedUntil ? .open(.cold) : .wait }
        return .use(datagrams[random.below(datagrams.count)])
    }

    /// Which stream carries the next query: the least loaded, the most recently used of equals; another is opened when
    /// all are half full. A `fresh` one was opened for the purpose or heard from within the last second.
    mutating func decideStream(
        _ connections: [Connection], fresh: Bool, _ now: Instant
    ) -> PoolDecision {
        var best = -1
        var joinable = -1
        var connecting = 0
        for slot in streams {
            let stream = connections[slot]
            if stream.state == .connecting {
                connecting += 1
                if stream.inFlight < limit(stream), joinable < 0 || stream.inFlight < connections[joinable].inFlight {
                    joinable = slot
                }
                continue
            }
            guard stream.state == .ready, stream.inFlight < limit(stream), isHeardFrom(stream, now) else { continue }
            if fresh && !isFresh(stream, now) { continue }
            if best < 0 || stream.inFlight < connections[best].inFlight
                || (stream.inFlight == connections[best].inFlight && stream.usedAt > connections[best].usedAt)
            {
                best = slot
            }
        }
        let isComfortable = best >= 0 && connections[best].inFlight < max(1, limit(connections[best]) / 2)
        if isComfortable { return .use(best) }
        let mayOpen =
            hasRoom && connecting < Self.connectingLimit && now >= blockedUntil && now >= connectBlockedUntil
            && mayShakeHands(now)
        if mayOpen && (joinable < 0 || connections[joinable].inFlight >= max(1, limit(connections[joinable]) / 2)) {
            return .open(streams.isEmpty ? .cold : .growth)
        }
        if best >= 0 { return .use(best) }
        if joinable >= 0 { return .queueOn(joinable) }
        return .wait
    }

    /// Queries that may be under way on a stream at once: ours, what was learned, what the peer says.
    private func limit(_ stream: Connection) -> Int { min(pipelineLimit, stream.capacity) }

    /// Handshakes cost the peer much and us some: a quarter of a second sees half of the pool's places at most.
    var handshakeLimit: Int { max(2, ceiling / 2) }
    static let handshakeWindowLength = Interval.milliseconds(250)
    static func handshakeWindow(_ now: Instant) -> Int64 { now.nanoseconds / handshakeWindowLength.nanoseconds }

    private func mayShakeHands(_ now: Instant) -> Bool {
        !settings.transport.isEncrypted || handshakeWindow != Self.handshakeWindow(now) || handshakes < handshakeLimit
    }

    /// Not silent for longer than a healthy stream is.
    private func isHeardFrom(_ stream: Connection, _ now: Instant) -> Bool {
        guard let since = stream.silentSince else { return true }
        return now - since <= max(Self.quarantineAfter, tcpLatency.timeout(attempt: 1))
    }

    private func isFresh(_ stream: Connection, _ now: Instant) -> Bool {
        if stream.queries == 0 { return now - stream.openedAt < .seconds(1) }
        guard let received = stream.receivedAt else { return false }
        return now - received < .seconds(1)
    }

    /// How long an idle stream is kept: our limit, shortened to what the peer is known to allow.
    func idleLimit(_ stream: Connection) -> Interval {
        var limit = settings.pool.idleTimeout
        if settings.pool.learnIdle, let learned = learnedIdle {
            limit = min(limit, Interval(nanoseconds: learned.nanoseconds / 5 * 4))
        }
        if let announced = stream.announcedIdle { limit = min(limit, announced) }
        return max(limit, .milliseconds(100))
    }

    /// How many sockets may drain at once: replaced a few at a time, never all.
    var drainingLimit: Int { max(1, ceiling / 5) }
}
