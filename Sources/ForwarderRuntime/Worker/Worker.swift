// One worker: one thread, one epoll set, its own sockets, its own engine.
//
// A wakeup: read the clock once, give what arrived to the engine, perform its actions, let it advance, sleep until its
// next deadline. Workers share the cache, the port allocator and a mailbox, nothing else. The loop must never block but
// in epoll_wait, and never read one socket without a bound.

import CLinux
import DNSWire
import ForwarderCore

/// What a worker's thread is given.
struct WorkerPlan: Sendable {
    var index: Int
    var settings: RuntimeSettings
    var engine: EngineSettings
    var cache: SharedCache
    var ports: PortAllocator
    var seed: [UInt8]
    var sockets: [BoundSocket]
    var tls: TLSPlan
    var mailbox: WorkerMailbox
    var notices: NoticeQueue
}

/// The loop and what it owns.
struct Worker: ~Copyable {
    /// Batches that one wakeup reads from one listener: the others must have their turn.
    static let receiveRounds = 8
    static let sweepInterval = Interval.seconds(1)

    private var engine: Engine
    private var out = ActionBuffer()
    private var runner: ActionRunner
    private var sockets: WorkerSockets
    private var batch: DatagramBatch
    private let epoll: EpollSet
    private let tally: WorkerTally
    private let mailbox: WorkerMailbox
    private let settings: RuntimeSettings
    private var now: Instant
    private var nextSweep: Instant
    private var suspends = SuspendWatch.starting()
    /// When the loop ends whatever is in flight; nil = no stop was asked for.
    private var stopBy: Instant?
    private var anyListenerRests = false

    /// Makes a worker in its own thread. Throws when the epoll set cannot be made or filled.
    static func make(_ plan: WorkerPlan) throws(SystemError) -> Worker {
        let epoll = try EpollSet()
        let tally = WorkerTally()
        var udp: [UDPListener] = []
        var tcp: [TCPListener] = []
        var code = epoll.add(plan.mailbox.wakeup.number, .read, EventToken(.wakeup))
        for socket in plan.sockets where code == 0 {
            if socket.isStream {
                let listener = TCPListener(socket, index: UInt16(truncatingIfNeeded: tcp.count))
                tcp.append(listener)
                code = epoll.add(listener.number, .read, listener.token)
            } else {
                let listener = UDPListener(socket, index: UInt16(truncatingIfNeeded: udp.count), tally: tally)
                udp.append(listener)
                code = epoll.add(listener.number, .read, listener.token)
            }
        }
        if code != 0 { throw SystemError(code: code) }
        return Worker(plan, epoll: epoll, tally: tally, udp: udp, tcp: tcp)
    }

    private init(_ plan: WorkerPlan, epoll: EpollSet, tally: WorkerTally, udp: [UDPListener], tcp: [TCPListener]) {
        let start = Clock.now()
        now = start
        nextSweep = start + Worker.sweepInterval
        self.epoll = epoll
        self.tally = tally
        mailbox = plan.mailbox
        settings = plan.settings
        engine = Engine(
            settings: plan.engine, cache: plan.cache, seed: plan.seed, worker: plan.index,
            workers: plan.settings.workers, now: start)
        runner = ActionRunner(
            narrator: PoolNarrator(names: plan.engine.upstreams.map(\.name), queue: plan.notices), tally: tally)
        batch = DatagramBatch(capacity: max(plan.settings.udpBatch, DatagramTransport.receiveLimit))
        sockets = WorkerSockets(
            udpListeners: udp, tcpListeners: tcp,
            clients: ClientStreams(
                settings: plan.settings, queryLife: plan.engine.queryDeadline + .seconds(1), epoll: epoll,
                tally: tally),
            datagrams: DatagramTransport(ports: plan.ports, epoll: epoll, tally: tally),
            streams: StreamTransport(epoll: epoll, tally: tally, encrypted: plan.tls.upstreams()))
    }

    /// Runs until a stop was asked for and everything in flight is answered, or the grace is over.
    mutating func run() {
        engine.advance(to: now, into: &out)
        perform()
        while !isFinished() {
            tally.counters.epollWaitCalls &+= 1
            let count = epoll.wait(milliseconds: timeout())
            now = Clock.now()
            if suspends.sleep(boottime: now.nanoseconds, awake: Clock.awake()) != nil {
                engine.networkChanged(now: now, into: &out)
            }
            for i in 0..<count { take(epoll[i].token, epoll[i].readiness) }
            perform()
            engine.advance(to: now, into: &out)
            perform()
            sweep()
        }
        sockets.datagrams.closeAll(now: now)
        sockets.streams.closeAll()
    }

    private mutating func perform() {
        runner.perform(&out, engine: &engine, sockets: &sockets, now: now)
    }

    private mutating func take(_ token: EventToken, _ readiness: Readiness) {
        switch token.kind {
        case .wakeup: takeRequests()
        case .udpListener: receive(from: Int(token.slot))
        case .tcpListener: accept(on: Int(token.slot))
        case .clientStream: sockets.clients.ready(token, readiness, engine: &engine, now: now, into: &out)
        case .datagram:
            let id = Worker.connection(token)
            if let failure = sockets.datagrams.ready(id, batch: &batch, engine: &engine, now: now, into: &out) {
                engine.connectionLost(id, failure, now: now, into: &out)
            }
        case .stream:
            sockets.streams.ready(Worker.connection(token), readiness, engine: &engine, now: now, into: &out)
        case nil: break
        }
    }

    private static func connection(_ token: EventToken) -> ConnectionID {
        ConnectionID(
            slot: UInt16(truncatingIfNeeded: token.slot), generation: UInt16(truncatingIfNeeded: token.generation))
    }

    /// Reads a listener until a short batch: that saves the call that would only say "nothing left".
    private mutating func receive(from index: Int) {
        guard index < sockets.udpListeners.count else { return }
        for _ in 0..<Worker.receiveRounds {
            let count = sockets.udpListeners[index].receive(
                &batch, limit: settings.udpBatch, engine: &engine, now: now, into: &out)
            if count > 0 { perform() }
            if count < settings.udpBatch { return }
        }
    }

    private mutating func accept(on index: Int) {
        guard index < sockets.tcpListeners.count, stopBy == nil else { return }
        let listener = sockets.tcpListeners[index]
        for _ in 0..<TCPListener.acceptLimit {
            switch listener.accept() {
            case .connection(let descriptor, let endpoint): sockets.clients.admit(descriptor, from: endpoint, now: now)
            case .skipped: continue
            case .turnedAway: tally.counters.streamsRefused &+= 1
            case .nothing: return
            case .exhausted:
                tally.counters.acceptNoDescriptors &+= 1
                epoll.remove(listener.number)
                listener.restingUntil = now + TCPListener.rest
                anyListenerRests = true
                return
            }
        }
    }

    // MARK: - Time

    /// Milliseconds for epoll_wait, rounded up so that a deadline has passed when it ends.
    private func timeout() -> Int32 {
        if !out.isEmpty || sockets.clients.mayResume { return 0 }
        var next = engine.nextDeadline(after: now)
        let consider = { (other: Instant) in next = next.map { min($0, other) } ?? other }
        if sockets.clients.count > 0 || runner.holdsNotices { consider(nextSweep) }
        if anyListenerRests { consider(now + TCPListener.rest) }
        if let stopBy { consider(min(stopBy, now + .milliseconds(20))) }
        guard let next else { return -1 }
        let wait = (next - now).nanoseconds
        return wait <= 0 ? 0 : Int32(clamping: (wait + 999_999) / 1_000_000)
    }

    private mutating func sweep() {
        if anyListenerRests { wakeListeners() }
        guard nextSweep <= now else { return }
        nextSweep = now + Worker.sweepInterval
        sockets.clients.sweep(now: now)
        if runner.holdsNotices { runner.flushNotices(now: now) }
    }

    private mutating func wakeListeners() {
        anyListenerRests = false
        guard stopBy == nil else { return }
        for listener in sockets.tcpListeners {
            guard let until = listener.restingUntil else { continue }
            if until <= now {
                listener.restingUntil = nil
                _ = epoll.add(listener.number, .read, listener.token)
            } else {
                anyListenerRests = true
            }
        }
    }

    // MARK: - Requests of the main thread

    private mutating func takeRequests() {
        mailbox.wakeup.clear()
        if mailbox.takeReportRequest() {
            mailbox.deliver(
                WorkerReport(
                    counters: tally.counters, engine: engine.statistics(), upstreams: engine.upstreamStatistics(),
                    pools: engine.poolStatistics(), inFlight: engine.inFlightCount))
        }
        follow(mailbox.takeOrders())
        if mailbox.stopRequested && stopBy == nil { beginStop() }
    }

    /// The network is another one: what hangs on a vanished address is closed before the engine decides about the rest.
    private mutating func follow(_ orders: NetworkOrders) {
        for (upstream, endpoints) in orders.servers {
            engine.setServers(endpoints, of: upstream, now: now, into: &out)
        }
        guard let change = orders.change else { return }
        var check = BindingCheck(change)
        let stale = sockets.datagrams.closeStale(&check, now: now) + sockets.streams.closeStale(&check)
        for id in stale { engine.connectionLost(id, .addressGone, now: now, into: &out) }
        if change.reopens || !stale.isEmpty { engine.networkChanged(now: now, into: &out) }
    }

    private mutating func beginStop() {
        // What clients had sent before the signal is still theirs to be answered.
        for index in sockets.udpListeners.indices { receive(from: index) }
        stopBy = now + settings.shutdownGrace
        for listener in sockets.udpListeners { epoll.remove(listener.number) }
        for listener in sockets.tcpListeners { epoll.remove(listener.number) }
        sockets.clients.stopReading()
        engine.stop(now: now, into: &out)
    }

    private mutating func isFinished() -> Bool {
        guard let stopBy else { return false }
        if stopBy <= now { return true }
        return engine.inFlightCount == 0 && out.isEmpty && !sockets.clients.hasUnwritten
    }
}
