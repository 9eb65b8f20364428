// The daemon's life: options, settings, workers, then signals until the end.
//
// Everything here runs on the main thread, nonisolated. It stays in the foreground and never forks. Exit codes are
// those of sysexits: 0 done, 1 could not start, 64 usage, 78 configuration; the unit does not restart after the last
// two.

import CLinux
import ForwarderCore
import ForwarderRuntime
import ForwarderSettings
import Glibc

/// The running daemon.
struct Daemon {
    static let usageExitCode: Int32 = 64
    static let statusInterval = Interval.seconds(10)
    /// Milliseconds that READY may wait for the cache's snapshot.
    static let patienceAtStart: Int32 = 1_000
    /// Seconds that the last snapshot may take.
    static let extensionLimit = 60

    private var log: Log
    private let group: WorkerGroup
    private let notices: NoticeQueue
    private let signals: Int32
    private let upstreams: Int
    private var snapshot: SnapshotThread?
    private let surroundings: Surroundings
    private var lastCount: UInt64 = 0
    private var lastStatus: Instant

    /// Runs to the end. Returns the exit code.
    nonisolated static func run(_ arguments: [String]) -> Int32 {
        let options: Options
        do throws(Options.Mistake) {
            options = try Options(arguments)
        } catch {
            say("fleetwingd: \(error.text)\n\(Options.usage)")
            return usageExitCode
        }
        if options.help || options.version {
            print(options.help ? Options.usage : "fleetwingd \(fleetwingVersion)")
            return 0
        }
        let outcome = loadSettings(path: options.file, overrides: overrides(options))
        if !outcome.problems.isEmpty {
            say(ProblemRenderer(color: isatty(2) == 1).text(outcome.problems))
        }
        guard let settings = outcome.settings else {
            ServiceNotification.failed("the configuration has errors", code: EINVAL)
            return configurationExitCode
        }
        if options.check {
            print("the configuration is good: \(outcome.files.first ?? "the embedded default")")
            return 0
        }
        return serve(settings, file: outcome.files.first)
    }

    private static func overrides(_ options: Options) -> [SettingsOverride] {
        var overrides: [SettingsOverride] = []
        if !options.listen.isEmpty { overrides.append(.listen(options.listen)) }
        if !options.upstreams.isEmpty { overrides.append(.upstreams(options.upstreams)) }
        if let format = options.foregroundLog { overrides += SettingsOverride.foregroundLog(format) }
        return overrides
    }

    private static func say(_ text: String) {
        let line = text.hasSuffix("\n") ? text : text + "\n"
        _ = unsafe line.withCString { text in
            // Safety: the text is terminated, its length is its own.
            unsafe cl_write(2, text, strlen(text))
        }
    }

    private static func serve(_ settings: Settings, file: String?) -> Int32 {
        var log = Log(settings.log)
        // Before any thread exists: threads inherit the mask, so signals reach the main loop alone.
        _ = cl_signals_block()
        let signals = cl_signalfd()
        let mapping = SettingsMapping(settings)
        do throws(WorkerGroup.StartFailure) {
            let notices: NoticeQueue
            do throws(SystemError) { notices = try NoticeQueue(level: log.level) } catch { throw .system(error) }
            if signals < 0 { throw .system(SystemError(code: -signals)) }
            let surroundings = Surroundings(
                mapping.engine, listen: mapping.runtime.listen, now: Instant(nanoseconds: cl_boottime()))
            let group = try WorkerGroup(
                engine: surroundings.settings(mapping.engine), runtime: mapping.runtime, notices: notices)
            var daemon = Daemon(
                log, group, notices, surroundings, signals: signals, upstreams: settings.upstreams.count)
            daemon.run(mapping, file: file)
            return 0
        } catch {
            let sentences = sentences(error)
            for sentence in sentences { log.write(Notice(.error, event: "start_failed", sentence)) }
            ServiceNotification.failed(sentences.first ?? "could not start", code: code(error))
            return 1
        }
    }

    private static func sentences(_ failure: WorkerGroup.StartFailure) -> [String] {
        switch failure {
        case .bind(let failures): failures.map { $0.sentence() }
        case .system(let error): ["could not start: \(error.text)"]
        case .security(let sentence): ["could not start: \(sentence)"]
        }
    }

    private static func code(_ failure: WorkerGroup.StartFailure) -> Int32 {
        switch failure {
        case .bind(let failures): failures.first?.error.code ?? 0
        case .system(let error): error.code
        case .security: EINVAL
        }
    }

    private init(
        _ log: Log, _ group: WorkerGroup, _ notices: NoticeQueue, _ surroundings: Surroundings, signals: Int32,
        upstreams: Int
    ) {
        self.surroundings = surroundings
        self.log = log
        self.group = group
        self.notices = notices
        self.signals = signals
        self.upstreams = upstreams
        lastStatus = Instant(nanoseconds: cl_boottime())
    }

    // MARK: - The main loop

    private var upstreamCount: String { upstreams == 1 ? "1 upstream" : "\(upstreams) upstreams" }

    private mutating func run(_ mapping: SettingsMapping, file: String?) {
        let addresses = mapping.runtime.listen.map(\.text).joined(separator: ", ")
        let workers = mapping.runtime.workers == 1 ? "1 worker" : "\(mapping.runtime.workers) workers"
        log.write(
            Notice(
                .info, event: "started",
                "fleetwingd \(fleetwingVersion) listens on \(addresses), \(upstreamCount), \(workers), settings from "
                    + (file ?? "the embedded default")))
        startSnapshot(mapping)
        ServiceNotification.ready("\(upstreamCount), listening on \(addresses)")
        follow(0)
        while true {
            let ready = wait()
            if ready & 2 != 0 { writeNotices() }
            if ready & 1 != 0 && takeSignals() { break }
            follow(ready)
            if lastStatus + Daemon.statusInterval <= Instant(nanoseconds: cl_boottime()) { tellStatus() }
        }
        ServiceNotification.stopping()
        group.stop()
        endSnapshot()
        writeNotices()
        log.write(Notice(.info, event: "stopped", "stopped"))
    }

    private mutating func follow(_ ready: UInt32) {
        let events = (network: ready & 4 != 0, files: ready & 8 != 0)
        let now = Instant(nanoseconds: cl_boottime())
        for notice in surroundings.take(events: events, now: now, group: group) { log.write(notice) }
    }

    // MARK: - The cache's snapshot

    private mutating func startSnapshot(_ mapping: SettingsMapping) {
        guard mapping.runtime.persist else { return }
        guard let directory = StateDirectory.find() else {
            let places = "$\(StateDirectory.variable) or \(StateDirectory.usual)"
            let text = "no state directory (\(places)): the cache begins empty at each start"
            return log.write(Notice(.info, event: "no_state_directory", text))
        }
        do throws(SystemError) {
            snapshot = try group.keepSnapshot(
                in: directory, engine: mapping.engine, interval: mapping.runtime.persistInterval, notices: notices)
        } catch {
            log.write(Notice(.warning, event: "no_snapshot", "the cache is not kept: \(error.text)"))
        }
        // A cache of usual size is there when READY is said; a large one must not hold up the boot.
        snapshot?.waitUntilLoaded(milliseconds: Daemon.patienceAtStart)
    }

    /// Lets the last snapshot be written. The supervisor is asked for more time as long as it takes, within a bound: a
    /// disk that hangs must not keep the daemon from ending.
    private mutating func endSnapshot() {
        guard let snapshot else { return }
        snapshot.requestEnd()
        for _ in 0..<Daemon.extensionLimit {
            if snapshot.waitForEnd(milliseconds: 1_000) { return }
            ServiceNotification.extendTimeout(seconds: 5)
        }
        log.write(Notice(.warning, event: "snapshot_unwritten", "the last snapshot of the cache was given up"))
    }

    // MARK: - Signals and figures

    /// Returns whether the end was asked for.
    private mutating func takeSignals() -> Bool {
        while true {
            switch cl_signalfd_next(signals) {
            case SIGTERM, SIGINT: return true
            case SIGUSR1:
                let report = group.report()
                log.writeObject(event: "statistics") { report.write(into: &$0) }
            case SIGHUP:
                log.write(
                    Notice(.warning, event: "reload_refused", "SIGHUP: this build cannot reload, restart instead"))
            case 0: return false
            default: continue
            }
        }
    }

    private mutating func writeNotices() {
        let (waiting, dropped) = notices.drain()
        for notice in waiting { log.write(notice) }
        log.writeDropped(dropped)
    }

    /// Waits for whatever comes next. Returns a bit for each descriptor, in their order.
    private func wait() -> UInt32 {
        let next = min(lastStatus + Daemon.statusInterval, surroundings.dueAt ?? lastStatus + Daemon.statusInterval)
        let left = (next - Instant(nanoseconds: cl_boottime())).nanoseconds
        // Rounded up: what is due is due then.
        let milliseconds = Int32(clamping: max(0, (left &+ 999_999) / 1_000_000))
        let descriptors = [signals, notices.wakeup.number] + surroundings.descriptors
        return unsafe descriptors.withUnsafeBufferPointer { descriptors in
            // Safety: the count is the buffer's own.
            unsafe cl_wait_readable(descriptors.baseAddress, Int32(descriptors.count), milliseconds)
        }
    }

    private mutating func tellStatus() {
        let report = group.report()
        let now = Instant(nanoseconds: cl_boottime())
        let queries = report.counters.clientDatagrams &+ report.counters.clientMessages
        let milliseconds = UInt64(clamping: max(1, (now - lastStatus).inMilliseconds))
        let rate = (queries &- lastCount) &* 1000 / milliseconds
        lastCount = queries
        lastStatus = now
        let connections = report.pools.reduce(0) { $0 + $1.total }
        let lookups = report.cache.hits &+ report.cache.misses
        let share = lookups == 0 ? 0 : report.cache.hits &* 100 / lookups
        ServiceNotification.status(
            "\(upstreamCount), \(rate) q/s, \(share) % cache, \(connections) connections")
    }
}

extension Log {
    init(_ settings: Settings.Log) {
        let level: NoticeLevel =
            switch settings.level {
            case .error: .error
            case .warning: .warning
            case .info: .info
            case .debug: .debug
            case .trace: .trace
            }
        let target: Target? =
            switch settings.target {
            case .auto: nil
            case .journal: .journal
            case .stderr: .standardError
            }
        self.init(level: level, target: target, format: settings.format == .json ? .json : .text)
    }
}
