// The workers of the process: binds their sockets, starts them, asks them for figures, stops them.
//
// fleetwingd's main thread owns it. It makes what all workers share: the cache and the port allocator. It must never
// start a loop before every socket of every worker is bound.

import CLinux
import ForwarderCore

/// All figures of the process at one moment.
public struct GroupReport: Sendable {
    public var counters = WorkerCounters()
    public var engine = EngineStatistics()
    /// One entry an upstream, the workers' added.
    public var upstreams: [UpstreamStatistics] = []
    /// One entry an upstream and network, the workers' added.
    public var pools: [PoolStatistics] = []
    public var inFlight = 0
    public var cache = CacheStatistics()
    /// Workers that did not answer in time.
    public var silent = 0
}

/// The running workers.
public final class WorkerGroup {
    let cache: SharedCache
    private let settings: RuntimeSettings
    private var workers: [(thread: WorkerThread, mailbox: WorkerMailbox)] = []

    /// Why nothing was started.
    public enum StartFailure: Error {
        /// Addresses that could not be bound, all of them.
        case bind([BindFailure])
        case system(SystemError)
        /// A CA file or a key log that cannot be used: a whole sentence.
        case security(String)
    }

    /// Binds everything, then starts the workers and waits until they run.
    public init(engine: EngineSettings, runtime: RuntimeSettings, notices: NoticeQueue) throws(StartFailure) {
        var runtime = runtime
        runtime.workers = min(max(runtime.workers, 1), 256)
        WorkerGroup.limitClients(&runtime, engine, notices)
        settings = runtime
        let tls: TLSPlan
        do throws(TLSPolicy.Mistake) {
            tls = try TLSPlan(engine: engine, runtime: runtime)
        } catch {
            throw .security(error.text)
        }
        let sockets = try WorkerGroup.bind(runtime, notices)
        let seed = SystemRandom.octets(16)
        cache = SharedCache(
            settings: engine.cache, workers: runtime.workers,
            seed: (WorkerGroup.word(seed, at: 0), WorkerGroup.word(seed, at: 8)))
        let ports = PortAllocator(excluded: WorkerGroup.excludedPorts(runtime))
        do throws(SystemError) {
            for index in 0..<runtime.workers {
                let mailbox = try WorkerMailbox()
                let plan = WorkerPlan(
                    index: index, settings: runtime, engine: engine, cache: cache, ports: ports,
                    seed: SystemRandom.octets(32), sockets: sockets[index], tls: tls, mailbox: mailbox, notices: notices
                )
                workers.append((try WorkerGroup.start(plan), mailbox))
            }
        } catch {
            stop()
            throw .system(error)
        }
        waitUntilRunning()
        if workers.contains(where: { $0.mailbox.state == .failed }) {
            stop()
            throw .system(SystemError(code: WorkerGroup.cannotStart))
        }
    }

    /// EAGAIN's sense fits: resources (descriptors, memory) for the epoll set were missing.
    private static let cannotStart: Int32 = 11

    /// Keeps descriptors back for the upstream pools: clients that hold connections open must not be able to take the
    /// last one, or every miss would fail locally.
    private static func limitClients(_ runtime: inout RuntimeSettings, _ engine: EngineSettings, _ notices: NoticeQueue)
    {
        let limit = Int(clamping: cl_raise_descriptor_limit())
        let room = clientRoom(
            descriptors: limit, pools: engine.upstreams.reduce(0) { $0 + $1.pool.maxConnections },
            workers: runtime.workers, listeners: runtime.listen)
        guard limit > 0, room < runtime.tcpMaxClients else { return }
        notices.post(
            Notice(
                .warning, event: "clients_limited",
                "at most \(room) TCP clients instead of \(runtime.tcpMaxClients): the limit of open files is \(limit)"))
        runtime.tcpMaxClients = room
    }

    /// Descriptors that are left for clients, at least one a worker.
    static func clientRoom(descriptors: Int, pools: Int, workers: Int, listeners: [ListenAddress]) -> Int {
        // A TCP listener has its reserve beside it; a worker an epoll set, an eventfd, and one connection being
        // accepted.
        let each = 3 + listeners.reduce(0) { $0 + ($1.udp ? 1 : 0) + ($1.tcp ? 2 : 0) }
        // Standard streams, signals, notices, the journal's and the supervisor's sockets, a file being read; network
        // events and questions, inotify, and a socket of each worker that asks which address the kernel would choose.
        return max(workers, descriptors - pools - workers * (each + 1) - 11)
    }

    /// Nonisolated on purpose: see WorkerThread.
    private nonisolated static func start(_ plan: WorkerPlan) throws(SystemError) -> WorkerThread {
        try WorkerThread(name: "worker-\(plan.index)") {
            do throws(SystemError) {
                var worker = try Worker.make(plan)
                plan.mailbox.state = .running
                worker.run()
                plan.mailbox.state = .ended
            } catch {
                plan.notices.post(Notice(.error, event: "worker_failed", "a worker could not start: \(error.text)"))
                plan.mailbox.state = .failed
            }
        }
    }

    private func waitUntilRunning() {
        // A worker needs microseconds; five seconds mean that the machine is stuck, and then READY must not wait for
        // it.
        for _ in 0..<5_000 {
            if !workers.contains(where: { $0.mailbox.state == .starting }) { return }
            cl_sleep_ms(1)
        }
    }

    // MARK: - Sockets

    private static func bind(_ settings: RuntimeSettings, _ notices: NoticeQueue) throws(StartFailure)
        -> [[BoundSocket]]
    {
        var wanted: [(address: ListenAddress, isStream: Bool)] = []
        for address in settings.listen {
            if address.udp { wanted.append((address, false)) }
            if address.tcp { wanted.append((address, true)) }
        }
        var failures: [BindFailure] = []
        var unsupported: [BindFailure] = []
        // All before the first real bind: a wildcard address in the list must not meet our own socket on another one.
        for (address, isStream) in wanted {
            do throws(SystemError) {
                try probe(address, isStream: isStream)
            } catch {
                let failure = BindFailure(address: address, isStream: isStream, error: error)
                if error.isUnsupportedFamily { unsupported.append(failure) } else { failures.append(failure) }
            }
        }
        // A kernel without IPv6 shall not keep the daemon from its IPv4 addresses, which the default list has too.
        if unsupported.count == wanted.count { failures += unsupported }
        if !failures.isEmpty { throw .bind(failures) }
        for failure in unsupported {
            let text = "\(failure.address.endpoint.text): left out, this kernel has no IPv6"
            notices.post(Notice(.warning, event: "listen_skipped", text))
        }
        wanted.removeAll { address, _ in unsupported.contains { $0.address == address } }
        var sockets: [[BoundSocket]] = []
        for _ in 0..<settings.workers {
            var mine: [BoundSocket] = []
            for (address, isStream) in wanted {
                do throws(SystemError) {
                    mine.append(
                        isStream
                            ? try TCPListener.bind(address, settings: settings)
                            : try UDPListener.bind(address, settings: settings))
                } catch {
                    failures.append(BindFailure(address: address, isStream: isStream, error: error))
                }
            }
            // The other workers would only say the same again.
            if !failures.isEmpty { throw .bind(failures) }
            sockets.append(mine)
        }
        return sockets
    }

    /// Binds once without SO_REUSEPORT: with it a second daemon of the same user would silently share the port, and the
    /// kernel would send half of the queries to each.
    private static func probe(_ address: ListenAddress, isStream: Bool) throws(SystemError) {
        let endpoint = address.endpoint
        let family: Int32 = endpoint.address.isIPv6 ? 6 : 4
        let socket = try FileDescriptor(checking: isStream ? cl_socket_stream(family) : cl_socket_datagram(family))
        try SocketOptions.beforeProbe(socket.number, isIPv6: endpoint.address.isIPv6, isStream: isStream)
        let result = cl_bind(socket.number, cl_address(endpoint))
        if result < 0 && result != -SocketOptions.addressNotAvailable { throw SystemError(code: -result) }
        // A listening socket is told from one in TIME_WAIT only by listening beside it.
        let listening = isStream && result == 0 ? cl_listen(socket.number, 1) : 0
        if listening < 0 { throw SystemError(code: -listening) }
    }

    private static func excludedPorts(_ settings: RuntimeSettings) -> [ClosedRange<UInt16>] {
        let reserved = SystemFile.read("/proc/sys/net/ipv4/ip_local_reserved_ports") ?? ""
        return PortAllocator.ranges(reserved) + settings.listen.map { $0.endpoint.port...$0.endpoint.port }
    }

    private static func word(_ bytes: [UInt8], at offset: Int) -> UInt64 {
        bytes[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: - The network around

    /// Tells every worker of a change of the network.
    public func tell(_ change: NetworkChange) {
        for worker in workers { worker.mailbox.tell(change) }
    }

    /// Gives upstreams (by index in `EngineSettings.upstreams`) other addresses, in every worker.
    public func setServers(_ servers: [Int: [Endpoint]]) {
        for worker in workers { worker.mailbox.setServers(servers) }
    }

    /// Has every worker look at its clocks now.
    public func wake() {
        for worker in workers { worker.mailbox.wakeup.post() }
    }

    // MARK: - Figures and the end

    /// Asks every worker and adds up. Waits at most half a second for those that are busy.
    public func report() -> GroupReport {
        var sum = GroupReport()
        for worker in workers { worker.mailbox.requestReport() }
        var missing = workers.map(\.mailbox)
        for _ in 0..<500 {
            missing.removeAll { mailbox in
                guard let report = mailbox.takeReport() else { return false }
                sum.add(report)
                return true
            }
            if missing.isEmpty { break }
            cl_sleep_ms(1)
        }
        sum.silent = missing.count
        sum.cache = cache.statistics()
        return sum
    }

    /// Stops all workers: what is in flight is answered within the grace. Returns when they have ended.
    public func stop() {
        for worker in workers { worker.mailbox.requestStop() }
        for worker in workers { worker.thread.join() }
        workers = []
    }
}

extension GroupReport {
    mutating func add(_ report: WorkerReport) {
        counters.add(report.counters)
        inFlight += report.inFlight
        engine.add(report.engine)
        for upstream in report.upstreams {
            if let index = upstreams.firstIndex(where: { $0.upstream == upstream.upstream }) {
                upstreams[index].add(upstream)
            } else {
                upstreams.append(upstream)
            }
        }
        for pool in report.pools {
            if let index = pools.firstIndex(where: { $0.upstream == pool.upstream && $0.network == pool.network }) {
                pools[index].add(pool)
            } else {
                pools.append(pool)
            }
        }
    }
}
