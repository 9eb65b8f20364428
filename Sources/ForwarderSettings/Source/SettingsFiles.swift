// What the settings need of the machine: reading a file, listing a folder's files, usable CPUs, the limit of open
// files. Called by the loader; tests give their own. Besides the TOML reader the only file here that calls C. Reads are
// bounded: a device or a huge file as configuration is an error, not a hang.

import Glibc

/// The machine as the loader sees it.
struct SettingsFiles: Sendable {
    /// The content of a file, or why not.
    var read: @Sendable (String) -> Result<String, ReadError>
    /// The names in a folder, unsorted; empty when there is none.
    var list: @Sendable (String) -> [String]
    /// Why a path cannot serve as trust anchors; nil when it can.
    var trustAnchors: @Sendable (String) -> ReadError?
    /// CPUs that this process may run on.
    var usableCPUs: Int
    /// Hard limit of open files; the daemon raises the soft one to it.
    var openFileLimit: Int
    /// FLEETWING_CONFIG; nil when unset or empty.
    var environmentPath: String?

    /// Why a file cannot be read.
    struct ReadError: Error, Equatable {
        let reason: String
        let missing: Bool
    }

    /// Octets that a settings file may have.
    static let largestFile = 4 << 20
    /// Files that a folder is looked through for.
    static let mostNames = 4_096

    /// The machine that this runs on.
    static func real() -> SettingsFiles {
        SettingsFiles(
            read: readFile, list: listFolder, trustAnchors: TrustAnchors.problem, usableCPUs: countCPUs(),
            openFileLimit: hardFileLimit(), environmentPath: settingsVariable())
    }

    private static func readFile(_ path: String) -> Result<String, ReadError> {
        switch readBytes(path) {
        case .failure(let error): return .failure(error)
        case .success(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return .failure(ReadError(reason: "not UTF-8 text", missing: false))
            }
            return .success(text)
        }
    }

    /// At most `largestFile` octets.
    static func readBytes(_ path: String) -> Result<[UInt8], ReadError> {
        // Safety: the path is lent for the call. O_NONBLOCK, so that a FIFO in the place of a file does not hang us.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            let missing = errno == ENOENT
            return .failure(ReadError(reason: missing ? "no such file" : reason(errno), missing: missing))
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= largestFile {
            // Safety: the kernel writes at most `count` octets into the chunk that it is lent.
            let got = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
            if got < 0 && errno == EINTR { continue }
            if got < 0 { return .failure(ReadError(reason: reason(errno), missing: false)) }
            if got == 0 { return .success(bytes) }
            bytes += chunk[..<got]
        }
        return .failure(ReadError(reason: "larger than 4 MiB", missing: false))
    }

    private static func listFolder(_ path: String) -> [String] {
        // Safety: the stream is used between opendir and closedir only, by this thread only.
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while names.count < mostNames, let entry = unsafe readdir(folder) {
            // Safety: d_name is terminated within the entry, which is valid until the next readdir.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    /// sched_getaffinity is not visible to Swift; the kernel says the same in /proc/self/status, and systemd's
    /// ProcSubset=pid leaves that readable. sysconf alone would ignore taskset and CPUAffinity=.
    private static func countCPUs() -> Int {
        let fallback = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        guard case .success(let bytes) = readBytes("/proc/self/status") else { return fallback }
        let key = "Cpus_allowed_list:"
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix(key) {
            return min(fallback, countRange(line.dropFirst(key.count)) ?? fallback)
        }
        return fallback
    }

    /// `0-3,8` is five.
    static func countRange(_ list: Substring) -> Int? {
        var count = 0
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0.filter { !$0.isWhitespace }) }
            guard let first = ends.first, let low = first, let last = ends.last, let high = last, low <= high,
                high < 65_536
            else { return nil }
            count += high - low + 1
        }
        return count > 0 ? count : nil
    }

    private static func hardFileLimit() -> Int {
        var limit = rlimit()
        // Safety: the kernel fills the struct that it is lent.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        return Int(clamping: limit.rlim_max)
    }

    private static func settingsVariable() -> String? {
        // Safety: the text is copied at once, and no thread of ours changes the environment.
        guard let value = unsafe getenv("FLEETWING_CONFIG").map({ unsafe String(cString: $0) }) else { return nil }
        return value.isEmpty ? nil : value
    }

    private static func reason(_ code: Int32) -> String {
        switch code {
        case EACCES: return "permission denied"
        case EISDIR: return "is a directory"
        case ENOTDIR: return "a part of the path is not a directory"
        default: return "error \(code)"
        }
    }
}
