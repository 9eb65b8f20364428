// The snapshot's file: put in place whole or not at all, damaged ones aside, directories that cannot be used.

import CLinux
import DNSWire
import Glibc
import Testing

@testable import ForwarderCore
@testable import ForwarderRuntime

@Suite struct SnapshotFileTests {
    private static let settings = {
        var settings = EngineSettings(upstreams: [], groups: [GroupSettings(name: "default", members: [])])
        settings.cache.size = 1 << 20
        return settings
    }()

    /// A directory of its own for one test, removed with all that is in it.
    private final class Scratch {
        let path: String

        init() {
            path =
                "/tmp/fleetwing-snapshot-\(cl_process_id())-\(SystemRandom.octets(4).reduce(0) { $0 << 8 | Int($1) })"
            unsafe path.withCString { _ = unsafe mkdir($0, 0o700) }
        }

        deinit {
            for name in names { unsafe "\(path)/\(name)".withCString { _ = unsafe unlink($0) } }
            unsafe path.withCString { _ = unsafe rmdir($0) }
        }

        var names: [String] {
            var names: [String] = []
            guard let directory = unsafe opendir(path) else { return [] }
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafePointer(to: entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                if name != "." && name != ".." { names.append(name) }
            }
            unsafe closedir(directory)
            return names.sorted()
        }

        func put(_ octets: [UInt8], _ name: String) {
            guard let file = unsafe fopen("\(path)/\(name)", "w") else { return }
            _ = unsafe fwrite(octets, 1, octets.count, file)
            unsafe fclose(file)
        }

        func octets(_ name: String) -> [UInt8] {
            guard let file = unsafe fopen("\(path)/\(name)", "r") else { return [] }
            var octets = [UInt8](repeating: 0, count: 1 << 20)
            let count = unsafe fread(&octets, 1, octets.count, file)
            unsafe fclose(file)
            return Array(octets[0..<count])
        }
    }

    private static func cache(answers: Int = 0) -> SharedCache {
        let cache = SharedCache(settings: settings.cache, workers: 1, seed: (3, 4))
        var packer = AnswerPacker(settings: settings.cache)
        var offsets = TTLOffsets()
        var names = ByteStore(capacity: 256)
        for index in 0..<answers {
            let label = Array("n\(index)".utf8)
            let name: [UInt8] = [UInt8(label.count)] + label + [4] + Array("test".utf8) + [0]
            var message: [UInt8] = [0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + name + [0, 1, 0, 1]
            message += [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 2, 0, 0, 4, 192, 0, 2, 1]
            _ = foldName(name.span, start: 0, length: name.count, into: &names, at: 0)
            let question = Question(
                nameLength: name.count, labelCount: 2, type: .a, recordClass: RecordClass.internet, dnssecOK: false,
                checkingDisabled: false, group: 0, nameHash: hashName(names, 0, name.count, seed: cache.seed))
            guard let survey = try? surveyResponse(message.span, dnssecOK: false, ttlOffsets: &offsets),
                let packed = packer.pack(
                    message.span, survey, ttlOffsets: &offsets, question: question, name: names, nameOffset: 0,
                    now: Clock.now())
            else { continue }
            cache.store(packed, packer.scratch, question: question, name: names, nameOffset: 0, now: Clock.now())
        }
        return cache
    }

    private static func write(_ cache: SharedCache, _ directory: String) throws(SystemError) -> Int {
        var writer = SnapshotWriter(cache: cache, settings: settings, now: Clock.now(), wallClock: 1_000)
        return try SnapshotFile(directory: directory).write(&writer)
    }

    private static func load(_ directory: String, into cache: SharedCache, isWanted: () -> Bool = { true })
        -> SnapshotFile.Outcome
    {
        var reader = SnapshotReader(cache: cache, settings: settings, wallClock: 1_000)
        return SnapshotFile(directory: directory).load(&reader, isWanted: isWanted)
    }

    @Test func writtenAndLoaded() throws {
        let scratch = Scratch()
        let empty = Self.cache()
        #expect(Self.load(scratch.path, into: empty) == .absent)
        // What a killed daemon left behind does not stay, nor get in the way.
        scratch.put([1, 2, 3], "cache.snapshot.new")
        let length = try Self.write(Self.cache(answers: 2_000), scratch.path)
        #expect(scratch.names == ["cache.snapshot"])
        #expect(scratch.octets("cache.snapshot").count == length)
        var status = stat()
        #expect(unsafe stat("\(scratch.path)/cache.snapshot", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(Self.load(scratch.path, into: empty) == .loaded)
        #expect(empty.statistics().entries == 2_000)
        // The next one takes its place.
        _ = try Self.write(Self.cache(answers: 5), scratch.path)
        let few = Self.cache()
        #expect(Self.load(scratch.path, into: few) == .loaded)
        #expect(few.statistics().entries == 5)
        #expect(scratch.names == ["cache.snapshot"])
    }

    @Test func whatFollowsTheEndIsDamage() throws {
        let scratch = Scratch()
        _ = try Self.write(Self.cache(answers: 3), scratch.path)
        let good = scratch.octets("cache.snapshot")
        for octets in [good + [0], Array(good.dropLast()), []] {
            scratch.put(octets, "cache.snapshot")
            guard case .unusable(.damaged) = Self.load(scratch.path, into: Self.cache()) else {
                Issue.record("\(octets.count) octets of \(good.count) were taken")
                continue
            }
        }
    }

    @Test func loadingCanBeStopped() throws {
        let scratch = Scratch()
        _ = try Self.write(Self.cache(answers: 3), scratch.path)
        let cache = Self.cache()
        var asked = 0
        let outcome = Self.load(scratch.path, into: cache) {
            asked += 1
            return asked < 3
        }
        #expect(outcome == .abandoned && cache.statistics().entries == 0)
    }

    @Test func oneDamagedFileIsKept() throws {
        let scratch = Scratch()
        for octet: UInt8 in 1...3 {
            scratch.put([octet], "cache.snapshot")
            try SnapshotFile(directory: scratch.path).setAside()
            #expect(scratch.names == ["cache.snapshot.damaged"])
            #expect(scratch.octets("cache.snapshot.damaged") == [octet])
        }
    }

    @Test func directoriesThatCannotBeUsed() throws {
        let scratch = Scratch()
        scratch.put([], "file")
        for (directory, code) in [("\(scratch.path)/none", ENOENT), ("\(scratch.path)/file", ENOTDIR)] {
            #expect(throws: SystemError(code: code)) { _ = try Self.write(Self.cache(answers: 1), directory) }
        }
        #expect(scratch.names == ["file"])
    }

    /// A write that fails on its way (here: the name is a directory, so that the last step fails) leaves no temporary.
    @Test func failedWriteLeavesNothing() throws {
        let scratch = Scratch()
        let taken = "\(scratch.path)/cache.snapshot"
        _ = unsafe taken.withCString { unsafe mkdir($0, 0o700) }
        #expect(throws: SystemError(code: EISDIR)) { _ = try Self.write(Self.cache(answers: 1), scratch.path) }
        #expect(scratch.names == ["cache.snapshot"])
        _ = unsafe taken.withCString { unsafe rmdir($0) }
    }

    /// The thread: loads, writes by interval, sets aside what is damaged, writes at the end, tells each.
    @Test func threadKeepsTheFile() throws {
        let scratch = Scratch()
        scratch.put([9], "cache.snapshot")
        let notices = try NoticeQueue(level: .debug)
        let thread = try SnapshotThread(
            SnapshotPlan(
                file: SnapshotFile(directory: scratch.path), cache: Self.cache(answers: 4), engine: Self.settings,
                interval: .milliseconds(50), notices: notices, mailbox: try SnapshotMailbox()))
        thread.waitUntilLoaded(milliseconds: 5_000)
        #expect(thread.hasLoaded)
        for _ in 0..<5_000 where !scratch.names.contains("cache.snapshot") { cl_sleep_ms(1) }
        thread.requestEnd()
        #expect(thread.waitForEnd(milliseconds: 5_000))
        #expect(scratch.names == ["cache.snapshot", "cache.snapshot.damaged"])
        let told = notices.drain().notices
        #expect(told.first?.event == "snapshot_damaged" && told.first?.level == .warning)
        #expect(told.filter { $0.event == "snapshot_written" && $0.level == .debug }.count >= 1)
        #expect(told.last?.event == "snapshot_written" && told.last?.level == .info)
    }

    @Test func failureIsToldOnce() throws {
        let scratch = Scratch()
        let notices = try NoticeQueue(level: .debug)
        let thread = try SnapshotThread(
            SnapshotPlan(
                file: SnapshotFile(directory: "\(scratch.path)/none"), cache: Self.cache(answers: 1),
                engine: Self.settings, interval: .milliseconds(10), notices: notices, mailbox: try SnapshotMailbox()))
        cl_sleep_ms(200)
        thread.requestEnd()
        #expect(thread.waitForEnd(milliseconds: 5_000))
        #expect(notices.drain().notices.map(\.event) == ["snapshot_unwritten"])
    }
}
