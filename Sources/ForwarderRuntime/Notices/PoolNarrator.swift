// Turns the engine's pool events into log lines: at most one a second for each kind, upstream and network.
//
// Each worker has one. Events that come faster are folded into the next line of their kind with a count, so that a dead
// upstream costs a line a second and not a line a query.

import ForwarderCore

/// The wording and folding of pool events.
struct PoolNarrator {
    private struct Key: Hashable {
        var kind: String
        var upstream: Int
        var network: UpstreamTransport?
    }
    private struct Folded {
        var lastSecond: UInt32
        /// Events since that line, told in the next one.
        var held = 0
        var latest: Notice
    }

    private let names: [String]
    private let queue: NoticeQueue
    private var folded: [Key: Folded] = [:]
    private var heldTotal = 0

    init(names: [String], queue: NoticeQueue) {
        self.names = names
        self.queue = queue
    }

    /// Whether events are held back whose line comes with `flush`.
    var holdsAny: Bool { heldTotal > 0 }

    mutating func tell(_ event: PoolEvent, now: Instant) {
        guard queue.keeps(PoolNarrator.level(event)) else { return }
        let (upstream, network) = PoolNarrator.subject(event)
        let name = upstream >= 0 && upstream < names.count ? names[upstream] : "upstream \(upstream)"
        let notice = PoolNarrator.words(event, name: name)
        let key = Key(kind: notice.event, upstream: upstream, network: network)
        guard var entry = folded[key] else {
            // Kinds times upstreams: bounded by the configuration.
            folded[key] = Folded(lastSecond: now.seconds, latest: notice)
            queue.post(notice)
            return
        }
        entry.latest = notice
        entry.held += 1
        heldTotal += 1
        folded[key] = entry
        if entry.lastSecond != now.seconds { post(key, now: now) }
    }

    /// Tells what was held back for more than a second. Called about once a second while `holdsAny`.
    mutating func flush(now: Instant) {
        for (key, entry) in folded where entry.held > 0 && entry.lastSecond != now.seconds { post(key, now: now) }
    }

    private mutating func post(_ key: Key, now: Instant) {
        guard var entry = folded[key], entry.held > 0 else { return }
        var notice = entry.latest
        notice.count = entry.held
        if entry.held > 1 { notice.text += " (\(entry.held) times)" }
        queue.post(notice)
        heldTotal -= entry.held
        entry.held = 0
        entry.lastSecond = now.seconds
        folded[key] = entry
    }

    private static func level(_ event: PoolEvent) -> NoticeLevel {
        switch event {
        // Of a change of the network the main thread tells once, with the reason; this is each worker's.
        case .opened, .closed, .networkChanged: .debug
        case .atCeiling, .failed, .requestFailed, .nearMiss, .down: .warning
        case .outage(let hasBegun): hasBegun ? .warning : .info
        case .loop(_, let isFound): isFound ? .error : .info
        case .caseLost, .up, .learnedIdle: .info
        }
    }

    private static func subject(_ event: PoolEvent) -> (Int, UpstreamTransport?) {
        switch event {
        case .opened(let upstream, let network, _, _, _): (upstream, network)
        case .closed(let upstream, let network, _, _, _): (upstream, network)
        case .failed(let upstream, let network, _): (upstream, network)
        case .atCeiling(let upstream, _, _): (upstream, nil)
        case .requestFailed(let upstream, _): (upstream, .https)
        case .nearMiss(let upstream), .caseLost(let upstream), .down(let upstream), .up(let upstream): (upstream, nil)
        case .learnedIdle(let upstream, _): (upstream, nil)
        case .loop(let upstream, _): (upstream, nil)
        case .outage, .networkChanged: (-1, nil)
        }
    }

    static func words(_ event: PoolEvent, name: String) -> Notice {
        let level = level(event)
        switch event {
        case .opened(_, let network, let reason, let open, let ceiling):
            return Notice(
                level, event: "pool_opened", "\(name) \(network.word): opened \(open)/\(ceiling) (\(reason.word))",
                upstream: name, network: network.word, reason: reason.word)
        case .closed(_, let network, let reason, let open, let ceiling):
            return Notice(
                level, event: "pool_closed",
                "\(name) \(network.word): closed, \(open)/\(ceiling) left (\(reason.sentence))", upstream: name,
                network: network.word, reason: reason.word)
        case .atCeiling(_, let ceiling, let waiting):
            let queries = waiting == 1 ? "1 query waits" : "\(waiting) queries wait"
            return Notice(
                level, event: "pool_ceiling", "\(name): at its ceiling of \(ceiling) connections, \(queries)",
                upstream: name)
        case .failed(_, let network, let failure):
            let whose = failure.fault == .local ? ", a failure of this machine" : ""
            return Notice(
                level, event: "upstream_failed", "\(name) \(network.word): \(failure.word)\(whose)", upstream: name,
                network: network.word, reason: failure.word)
        case .requestFailed(_, let failure):
            return Notice(
                level, event: "request_failed", "\(name) https: \(failure.words)", upstream: name, network: "https",
                reason: failure.words)
        case .nearMiss:
            return Notice(
                level, event: "near_miss",
                "\(name): a response with the right addresses but a wrong id or question; asked again over TCP",
                upstream: name)
        case .caseLost:
            return Notice(
                level, event: "case_lost",
                "\(name): does not keep the letter case of questions, case randomisation is off for it", upstream: name)
        case .outage(let hasBegun):
            let text =
                hasBegun
                ? "no upstream answers: this machine's network is the likely cause, nobody is blamed"
                : "upstreams answer again"
            return Notice(level, event: hasBegun ? "outage_begun" : "outage_ended", text)
        case .loop(_, let isFound):
            let text =
                isFound
                ? "\(name): sends our queries back to us (a forwarding loop); switched off until it does not"
                : "\(name): does not send our queries back any more"
            return Notice(level, event: isFound ? "loop_found" : "loop_ended", text, upstream: name)
        case .networkChanged:
            return Notice(
                level, event: "network_changed", "the network changed: connections and what was learned are renewed")
        case .down: return Notice(level, event: "upstream_down", "\(name): does not answer", upstream: name)
        case .up: return Notice(level, event: "upstream_up", "\(name): answers again", upstream: name)
        case .learnedIdle(_, let limit):
            let seconds = limit.inMilliseconds / 1000
            return Notice(
                level, event: "idle_learned", "\(name): closes idle connections after \(seconds) s", upstream: name)
        }
    }
}

extension OpenReason {
    public var word: String {
        switch self {
        case .cold: "cold"
        case .growth: "growth"
        case .prewarm: "prewarm"
        case .replace: "replace"
        }
    }
}

extension CloseReason {
    public var word: String {
        switch self {
        case .idle: "idle"
        case .peer: "peer"
        case .error: "error"
        case .age: "age"
        case .queries: "queries"
        case .suspect: "suspect"
        case .room: "room"
        case .network: "network"
        case .shutdown: "shutdown"
        }
    }

    var sentence: String {
        switch self {
        case .idle: "idle"
        case .peer: "the peer closed it"
        case .error: "an error"
        case .age: "its age"
        case .queries: "its number of queries"
        case .suspect: "a suspected forgery"
        case .room: "room for the other transport"
        case .network: "the network changed"
        case .shutdown: "shutdown"
        }
    }
}
