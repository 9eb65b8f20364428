// Where a Linux machine keeps the addresses of its name servers, and which file to believe.
//
// SystemServers reads them through this. The file of systemd-resolved comes first, because /etc/resolv.conf then only
// names its stub; then what resolvconf was told by each interface (resolvconf(8), openresolv), because there too
// /etc/resolv.conf may name a local server, perhaps us; then /etc/resolv.conf. A place without any usable server says
// nothing, and the next one is asked.

import CLinux
import ForwarderCore

/// The files, below a root directory.
struct SystemFiles {
    static let fileLimit = 64 << 10
    /// Interfaces whose records are read.
    static let recordLimit = 64

    static let resolved = "/run/systemd/resolve/resolv.conf"
    static let records = ["/run/resolvconf/interface", "/run/resolvconf/interfaces"]
    static let glibc = "/etc/resolv.conf"

    /// Empty, but in tests.
    var root = ""

    /// Each place with the servers that it names, the most trusted first. Places that do not exist are left out.
    func places() -> [(path: String, servers: [NetworkAddress])] {
        var found: [(path: String, servers: [NetworkAddress])] = []
        if let named = servers(SystemFiles.resolved) { found.append((SystemFiles.resolved, named)) }
        for directory in SystemFiles.records {
            let named = names(in: directory).compactMap { servers("\(directory)/\($0)") }.flatMap { $0 }
            if !named.isEmpty { found.append((directory, named)) }
        }
        if let named = servers(SystemFiles.glibc) { found.append((SystemFiles.glibc, named)) }
        return found
    }

    private func servers(_ path: String) -> [NetworkAddress]? {
        SystemFile.octets(root + path, limit: SystemFiles.fileLimit).map(ResolvConf.servers)
    }

    /// The records of a directory, by name: resolvconf has no other order that it writes down.
    private func names(in directory: String) -> [String] {
        var octets = [UInt8](repeating: 0, count: 16 << 10)
        let used = unsafe (root + directory).withCString { path in
            unsafe octets.withUnsafeMutableBytes { buffer in
                // Safety: the path is terminated, the length is the buffer's own.
                unsafe cl_file_names(path, buffer.baseAddress, Int32(clamping: buffer.count))
            }
        }
        guard used > 0 else { return [] }
        let names = octets.prefix(Int(used)).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return Array(names.sorted().prefix(SystemFiles.recordLimit))
    }

    // MARK: - What to watch

    /// Paths whose change may change the answer: the directories (files are replaced by renaming), or what exists of
    /// them; the files themselves (in a container they are mounted, and their directory hears nothing); and where a
    /// symbolic link leads.
    func watched() -> [(path: String, isDirectory: Bool)] {
        let files = [root + SystemFiles.resolved, root + SystemFiles.glibc]
        let targets = files.compactMap(SystemFiles.target)
        let directories = SystemFiles.records.map { root + $0 } + (files + targets).map(SystemFiles.parent)
        return directories.map { (SystemFiles.existing($0), true) } + files.map { ($0, false) }
    }

    /// The path, or the nearest directory above it that exists.
    private static func existing(_ path: String) -> String {
        var path = path
        while path != "/" {
            // Safety: the path is terminated and outlives the call.
            let number = unsafe path.withCString { unsafe cl_open_read($0) }
            if number >= 0 {
                _ = cl_close(number)
                return path
            }
            path = parent(path)
        }
        return path
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// Where a symbolic link leads, nil when `path` is none.
    private static func target(_ path: String) -> String? {
        var octets = [UInt8](repeating: 0, count: 4096)
        let count = unsafe path.withCString { path in
            unsafe octets.withUnsafeMutableBytes { buffer in
                // Safety: the path is terminated; both chars and octets are one byte, the length is the buffer's own.
                unsafe cl_link_target(path, buffer.baseAddress, buffer.count)
            }
        }
        guard count > 0 else { return nil }
        let text = String(decoding: octets.prefix(count), as: UTF8.self)
        return text.hasPrefix("/") ? text : parent(path) + "/" + text
    }
}
