// The pure heart of a worker: the story of a query, from a client's message to its response.
//
//   clientSent      intake     parse, access list, what is malformed or not ours      Engine+Clients
//                   route      which group, or none
//                   local      special names, identity, ANY
//                   cache      hit: the reply is written, the end of most queries
//                   forward    same question in flight? join it; else open a slot     Engine+Forward
//                              a stale answer, where no fresh one can be had          Engine+Stale
//                   select     the group's strategy picks a member                    Engine+Selection
//                   pool       which connection: use, open, queue, wait               Engine+Attempts
//   upstreamSent    pool       whose answer is it: attempt, tombstone, near miss       Engine+Responses
//                   select     note the round trip                                    Engine+Health
//                   forward    done, or elsewhere, or over TCP
//                   cache      store; reply to every client that joined                Engine+Endings
//   connectionOpened, connectionLost, sendFailed                                      Engine+Connections, Engine+Losses
//   advance         timeouts, hedges, idle limits, ages, waiting, probes              Engine+Timers, Engine+Health
//   networkChanged, setServers                                                        Engine+Network
//
// Timeouts and failures enter at the same place as answers. The engine makes no system call, reads no clock and draws
// no randomness but from its seeded source; effects go out through the ActionBuffer. Stages do not call each other:
// they take values and return values, and only this struct sequences them. Bytes from the network never trap here.

import DNSWire

/// One worker's engine. Owned by one thread, never shared.
public struct Engine: ~Copyable {
    let settings: EngineSettings
    let cache: SharedCache
    // Intake.
    let access: AccessList
    let intake: QueryIntake
    let specialNames: SpecialNames
    let serverCookies: ServerCookie
    var limiter: RateLimiter
    let writer: ReplyWriter
    var packer: AnswerPacker
    var ttlOffsets = TTLOffsets()
    /// The folded name of the query at hand.
    var nameScratch = ByteStore(capacity: 256)
    // Forwarding.
    var queries: QueryTable
    var waiters: WaiterTable
    var attempts = AttemptTable()
    var joins = WordTable(capacity: 1024)
    var clientLoad = ClientLoad()
    var patience: PatienceQueue
    var pacer = ReplyPacer()
    var heldReplies = HeldReplies()
    /// Queries that refresh an answer while nobody waits.
    var refreshes = 0
    /// By group: what `Question.epoch` is now.
    var groupEpochs: [UInt8]
    /// By group: after a failure of our own machine nothing is refreshed before.
    var refreshBlockedUntil: [Instant]
    // Selection.
    let routes: RouteTable
    var strategies: [Strategy]
    /// Groups from here on have one member each: the upstream of the same index, for probes.
    let firstProbeGroup: Int
    /// Upstreams that clients' questions may go to.
    let clientUpstreams: [Int]
    /// Every one of them is down.
    var isOutage = false
    var outageBeganAt = Instant(nanoseconds: 0)
    /// When the return of one upstream may make cached failures forgotten again.
    var pardonableAt = Instant(nanoseconds: 0)
    /// Any upstream has answered anything.
    var hasHeard = false
    var candidates: [Int] = []
    var memberStates: [MemberState] = []
    // Pools.
    var pools: [UpstreamPool]
    var connections = ConnectionTable()
    var inFlight = InFlightTable()
    /// 40 octets an upstream, at index * 64: our client cookie (8), then the server's (8 to 32).
    var cookies: ByteStore
    let clientSubnet: ClientSubnet?
    /// Attempts taken off a lost connection, while their fate is decided. By id: settling one may end the query of
    /// another.
    var orphans: [Orphan] = []
    // Support.
    var random: RandomSource
    var wheel: TimerWheel
    var dueTimers: [Int] = []
    /// Rotates RRsets between replies.
    var turn: UInt32 = 0
    var hasStarted = false
    var isStopping = false
    var counters = EngineStatistics()

    /// - Parameters:
    ///   - cache: shared by all workers.
    ///   - seed: 32 octets from the kernel's generator, another for each worker.
    ///   - worker: index of this worker, below `workers`; decides its part of what is shared out.
    public init(
        settings: EngineSettings, cache: SharedCache, seed: [UInt8], worker: Int, workers: Int, now: Instant
    ) {
        firstProbeGroup = settings.groups.count
        clientUpstreams = Engine.clientUpstreams(settings)
        var settings = settings
        settings.groups += settings.upstreams.indices.map { Engine.probeGroup($0, settings.health) }
        self.settings = settings
        self.cache = cache
        routes = RouteTable(settings.routes)
        access = AccessList(allow: settings.allow, deny: settings.deny)
        intake = QueryIntake(settings: settings)
        specialNames = SpecialNames(enabled: settings.specialNames)
        serverCookies = ServerCookie(derivedFrom: cache.seed)
        // Each worker counts for itself: the kernel keeps a client's port with one worker, and a part of the rate for
        // each would cut that of a client with one port.
        limiter = RateLimiter(rate: settings.rateLimit, secret: cache.seed)
        writer = ReplyWriter(settings: settings)
        packer = AnswerPacker(settings: settings.cache)
        let inflightPart = Engine.part(of: settings.maxInflight, worker, workers)
        queries = QueryTable(limit: inflightPart)
        waiters = WaiterTable(limit: inflightPart)
        patience = PatienceQueue(limit: inflightPart)
        strategies = settings.groups.map { Strategy($0) }
        groupEpochs = settings.groups.map { group in
            let servers = group.members.map { settings.upstreams[$0] }.filter(\.isSystem)
            return Engine.epoch(servers.flatMap(\.endpoints), seed: cache.seed)
        }
        refreshBlockedUntil = settings.groups.map { _ in Instant(nanoseconds: 0) }
        pools = settings.upstreams.enumerated().map { index, upstream in
            UpstreamPool(
                index: index, settings: upstream, health: settings.health,
                ceiling: Engine.part(of: upstream.pool.maxConnections, worker, workers), workers: workers)
        }
        cookies = ByteStore(capacity: max(1, settings.upstreams.count) * 64)
        clientSubnet = settings.clientSubnet.map { block in
            ClientSubnet(
                isIPv6: block.address.isIPv6, prefixLength: UInt8(clamping: block.prefixLength),
                high: block.address.isIPv6 ? block.address.high : block.address.low << 32,
                low: block.address.isIPv6 ? block.address.low : 0)
        }
        random = RandomSource(seed: seed)
        wheel = TimerWheel(now: now)
        for index in settings.upstreams.indices {
            for octet in 0..<8 { cookies[index * 64 + octet] = UInt8(truncatingIfNeeded: random.next32()) }
        }
    }

    /// Members of the groups that clients' questions are forwarded to; not those that only resolve host names.
    private static func clientUpstreams(_ settings: EngineSettings) -> [Int] {
        let hidden = settings.bootstrapGroup
        let members = settings.groups.indices.filter { $0 != hidden }.flatMap { settings.groups[$0].members }
        return Set(members).sorted()
    }

    /// A group of the machine's own servers gives other answers in another network (split DNS, captive portals): five
    /// bits of a hash over its servers, the same in all workers. Back in the first network, its answers count again.
    static func epoch(_ servers: [Endpoint], seed: (UInt64, UInt64)) -> UInt8 {
        if servers.isEmpty { return 0 }
        var state = SipHash(key: seed)
        for endpoint in servers {
            state.append(endpoint.address.high)
            state.append(endpoint.address.low)
        }
        return UInt8(truncatingIfNeeded: state.finish() & 31)
    }

    /// A group of one upstream: its probes take the same way as every query, to it alone.
    private static func probeGroup(_ upstream: Int, _ health: HealthSettings) -> GroupSettings {
        var group = GroupSettings(name: "probe", members: [upstream])
        group.strategy = .ordered
        group.attempts = 1
        group.attemptTimeout = health.timeout
        group.failoverOn = []
        group.whenDown = .serverFailure
        return group
    }

    /// This worker's part of a process-wide limit: the parts add up to it, and none is below 1.
    static func part(of whole: Int, _ worker: Int, _ workers: Int) -> Int {
        let workers = max(workers, 1)
        return max(1, whole / workers + (worker < whole % workers ? 1 : 0))
    }

    /// When `advance` next has something to do; nil = nothing is pending. The epoll timeout.
    public func nextDeadline(after now: Instant) -> Instant? { hasStarted ? wheel.earliest(after: now) : now }

    /// Begins the end: what is in flight is finished, what is new and not in the cache is refused.
    public mutating func stop(now: Instant, into out: inout ActionBuffer) { isStopping = true }

    /// Client queries that still wait for an answer.
    public var inFlightCount: Int { waiters.count }
}
