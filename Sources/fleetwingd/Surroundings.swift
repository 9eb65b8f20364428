// The machine around the daemon, as the main thread follows it: changes of the network, the machine's own name servers,
// sleep. What it hears goes to the workers; what an operator should know becomes a line for the log.
//
// Daemon waits for the descriptors and calls `take` after each wakeup. Where the system gives no such sockets (a
// sandbox), the daemon runs without, and says so once.

import ForwarderCore
import ForwarderRuntime

/// What goes on outside of the process.
final class Surroundings {
    private let watch: NetworkWatch?
    private let servers: SystemServers?
    private var suspends = SuspendWatch.starting()
    /// Indexes of the upstreams that are the machine's own servers, in their order.
    private let systemUpstreams: [Int]
    /// What the settings say.
    private let settled: [NetworkAddress]
    private var nextReading: Instant
    /// For the log, from before there was one to write to.
    private var first: [Notice] = []

    /// Files that were mounted over others tell nobody.
    static let readingInterval = Interval.seconds(10)

    /// Looks around for the first time, before any worker runs.
    init(_ engine: EngineSettings, listen: [ListenAddress], now: Instant) {
        systemUpstreams = engine.upstreams.indices.filter { engine.upstreams[$0].isSystem }
        let named = engine.upstreams.contains { !$0.hostName.isEmpty }
        settled = engine.upstreams.flatMap { $0.endpoints.map(\.address) } + (named ? NetworkWatch.anywhere : [])
        nextReading = now + Surroundings.readingInterval
        servers = systemUpstreams.isEmpty ? nil : SystemServers(listen: listen.map(\.endpoint))
        do throws(SystemError) {
            watch = try NetworkWatch(destinations: settled)
        } catch {
            watch = nil
            first.append(
                Notice(.warning, event: "network_unwatched", "changes of the network are not seen: \(error.text)"))
        }
        _ = read()
        first.append(contentsOf: serverNotices())
    }

    /// The settings with the servers that were found: the first query must meet them.
    func settings(_ engine: EngineSettings) -> EngineSettings {
        var engine = engine
        for (upstream, endpoints) in assignment() { engine.upstreams[upstream].endpoints = endpoints }
        return engine
    }

    /// For poll; -1 = nothing to wait for.
    var descriptors: [Int32] { [watch?.number ?? -1, servers?.number ?? -1] }

    /// When `take` has something to do without any event.
    var dueAt: Instant? { [watch?.dueAt, servers?.dueAt, servers.map { _ in nextReading }].compactMap { $0 }.min() }

    /// Follows what has happened. Returns lines for the log.
    func take(events: (network: Bool, files: Bool), now: Instant, group: WorkerGroup) -> [Notice] {
        var notices = first
        first = []
        if let slept = suspends.sleep() {
            // Workers see it themselves as soon as they are awake.
            group.wake()
            let seconds = slept.inMilliseconds / 1000
            notices.append(Notice(.info, event: "resumed", "the machine slept for \(seconds) s"))
        }
        if events.network { watch?.take(now: now) }
        if events.files { servers?.take(now: now) }
        let change = watch?.look(now: now)
        if let change {
            group.tell(change)
            if let notice = Surroundings.words(change) { notices.append(notice) }
        }
        let isDue = servers?.isDue(now: now) ?? false
        if isDue || change != nil || nextReading <= now {
            nextReading = now + Surroundings.readingInterval
            if read() {
                group.setServers(assignment())
                notices += serverNotices()
            }
        }
        return notices
    }

    // MARK: - The machine's servers

    private func read() -> Bool {
        guard let servers, servers.read(own: watch?.addresses ?? []) else { return false }
        watch?.watch(settled + servers.found.endpoints.map(\.address))
        return true
    }

    /// The k-th upstream gets the k-th server.
    private func assignment() -> [Int: [Endpoint]] {
        let endpoints = servers?.found.endpoints ?? []
        var assignment: [Int: [Endpoint]] = [:]
        for (order, upstream) in systemUpstreams.enumerated() {
            assignment[upstream] = order < endpoints.count ? [endpoints[order]] : []
        }
        return assignment
    }

    private func serverNotices() -> [Notice] {
        guard let found = servers?.found else { return [] }
        if found.endpoints.isEmpty {
            let place = found.source.isEmpty ? "no file" : found.source
            return [
                Notice(.warning, event: "no_servers", "the machine has no name server that can be asked (\(place))")
            ]
        }
        let list = found.endpoints.map(\.address.text).joined(separator: ", ")
        return [Notice(.info, event: "servers_changed", "upstreams are now \(list) (\(found.source))")]
    }

    private static func words(_ change: NetworkChange) -> Notice? {
        if change.rerouted > 0 {
            return Notice(
                .info, event: "network_changed",
                "the network changed: \(change.rerouted) of \(change.watched) upstream addresses have another way")
        }
        guard change.cut > 0 else { return nil }
        return Notice(
            .warning, event: "network_lost",
            "the network changed: no way to \(change.cut) of \(change.watched) upstream addresses")
    }
}
