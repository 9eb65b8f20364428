// The machine's own name servers: forms of resolv.conf, which file counts, what is never asked, and that changes are
// heard.

import CLinux
import ForwarderCore
import Foundation
import Testing

@testable import ForwarderRuntime

@Suite struct SystemServersTests {
    /// A directory that stands for the root of the file system; removed at the end.
    private final class Root {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("servers-\(UUID().uuidString)").path
        deinit { try? FileManager.default.removeItem(atPath: path) }

        init() throws {
            try FileManager.default.createDirectory(atPath: path + "/etc", withIntermediateDirectories: true)
        }

        /// Replaces a file as programs do: a new one is renamed over it.
        func write(_ file: String, _ text: String) throws {
            let directory = URL(fileURLWithPath: path + file).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + file), options: .atomic)
        }
        func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: path + file) }
    }

    private func servers(_ text: String) -> [String] { ResolvConf.servers(Array(text.utf8)).map(\.text) }

    @Test func forms() {
        let cases: [(String, [String])] = [
            ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", ["192.0.2.1", "192.0.2.2"]),
            ("nameserver\t192.0.2.1", ["192.0.2.1"]),
            ("nameserver   192.0.2.1   # the router\r\nnameserver 192.0.2.2;x\n", ["192.0.2.1", "192.0.2.2"]),
            ("# nameserver 192.0.2.1\n;nameserver 192.0.2.1\n nameserver 192.0.2.1\nnameservers 192.0.2.1\n", []),
            ("nameserver192.0.2.1\nnameserver\nnameserver \nnameserver example.net\nNAMESERVER 192.0.2.1", []),
            ("search example.net\noptions edns0\nnameserver 2001:db8::1\n", ["2001:db8::1"]),
            (
                "nameserver fe80::1%lo\nnameserver fe80::1%no-such-link0\nnameserver fe80::2\n",
                ["fe80::1%1", "fe80::2"]
            ),
            ("nameserver ::ffff:192.0.2.9\n", ["192.0.2.9"]),
            ("nameserver 192.0.2.256\nnameserver 192.0.2.01\nnameserver 192.0.2\nnameserver 1.2.3.4.5\n", []),
            ("nameserver \u{0}192.0.2.1\nnameserver 192.0.2.1\u{0}2\n", ["192.0.2.1"]),
            ("nameserver " + String(repeating: "1", count: 100_000), []), ("", []), ("\n\n\n", []),
        ]
        for (text, expected) in cases { #expect(servers(text) == expected, "\(text.prefix(60))") }
    }

    @Test func hostileBytes() {
        let whole = Array("nameserver fe80::1%lo\nnameserver 192.0.2.1 # x\n".utf8)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255) }
            #expect(ResolvConf.servers(bytes).count <= 50)
        }
    }

    @Test func whatIsNeverAsked() throws {
        let root = try Root()
        let lines = [
            "127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.251", "255.255.255.255",
            "ff02::fb", "fe80::1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.3", "192.0.2.4", "192.0.2.5",
            "192.0.2.6",
        ]
        try root.write("/etc/resolv.conf", lines.map { "nameserver \($0)\n" }.joined())
        let address = { NetworkAddress(ipv4: 0xc000_0200 + $0) }
        let endpoint = { (address: NetworkAddress, port: UInt16) in Endpoint(address: address, port: port) }
        let cases: [([Endpoint], [UInt32])] = [
            ([], [1, 2, 3]),
            ([endpoint(address(1), 53)], [2, 3, 4]),
            ([endpoint(address(1), 5353)], [1, 2, 3]),
            ([endpoint(NetworkAddress(ipv4: 0), 53)], [1, 3, 4]),
            ([endpoint(NetworkAddress(ipv4: 0), 5353)], [1, 2, 3]),
            ([endpoint(NetworkAddress(high: 0, low: 0), 53)], [1, 2, 3]),
        ]
        for (listen, expected) in cases {
            let servers = SystemServers(root: root.path, listen: listen)
            #expect(servers.read(own: [address(2)]))
            #expect(servers.found.endpoints == expected.map { endpoint(address($0), 53) }, "\(listen)")
            #expect(!servers.read(own: [address(2)]), "nothing is different")
        }
    }

    @Test func theBestPlaceCounts() throws {
        let root = try Root()
        let servers = SystemServers(root: root.path, listen: [])
        let expect = { (addresses: [String], source: String) in
            _ = servers.read(own: [])
            #expect(servers.found.endpoints.map(\.address.text) == addresses)
            #expect(servers.found.source == source)
        }
        expect([], "")
        try root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")
        expect(["192.0.2.1"], SystemFiles.glibc)
        try root.write("/run/resolvconf/interface/eth1.dhclient", "nameserver 192.0.2.3\n")
        try root.write("/run/resolvconf/interface/eth0.dhclient", "nameserver 192.0.2.2\n")
        try root.write("/run/resolvconf/interface/.hidden", "nameserver 192.0.2.9\n")
        try root.write("/run/resolvconf/interface/lo.fleetwing", "nameserver 127.0.0.1\n")
        expect(["192.0.2.2", "192.0.2.3"], SystemFiles.records[0])
        try root.write(SystemFiles.resolved, "nameserver 127.0.0.53\n")
        expect(["192.0.2.2", "192.0.2.3"], SystemFiles.records[0])
        try root.write(SystemFiles.resolved, "nameserver 192.0.2.4\n")
        expect(["192.0.2.4"], SystemFiles.resolved)
        try root.remove(SystemFiles.resolved)
        try root.write(
            "/run/resolvconf/interface/eth0.dhclient",
            String(repeating: "#", count: 70_000) + "\nnameserver 192.0.2.2\n")
        expect(["192.0.2.3"], SystemFiles.records[0])
        try root.remove("/run/resolvconf")
        try root.write("/run/resolvconf/interfaces/wlan0", "nameserver 2001:db8::1\n")
        expect(["2001:db8::1"], SystemFiles.records[1])
        try root.remove("/run/resolvconf")
        // A directory where a file should be, and nothing at all.
        try root.remove("/etc/resolv.conf")
        try FileManager.default.createDirectory(
            atPath: root.path + "/etc/resolv.conf", withIntermediateDirectories: true)
        expect([], "")
    }

    /// Waits for an event and takes it in. Returns whether one came.
    private func hears(_ servers: SystemServers) -> Bool {
        let number = servers.number
        // Safety: one descriptor, which outlives the call.
        guard unsafe withUnsafePointer(to: number, { unsafe cl_wait_readable($0, 1, 2_000) }) == 1 else { return false }
        servers.take(now: Instant(nanoseconds: 0))
        return servers.isDue(now: Instant(nanoseconds: 1_000_000_000))
    }

    @Test func changesAreHeard() throws {
        let root = try Root()
        let servers = SystemServers(root: root.path, listen: [])
        let changes: [(String, () throws -> Void)] = [
            ("the first file", { try root.write("/etc/resolv.conf", "nameserver 192.0.2.1\n") }),
            ("renamed over it", { try root.write("/etc/resolv.conf", "nameserver 192.0.2.2\n") }),
            ("a directory that was not there", { try root.write(SystemFiles.resolved, "nameserver 192.0.2.3\n") }),
            (
                "written in place",
                {
                    let file = try #require(FileHandle(forWritingAtPath: root.path + SystemFiles.resolved))
                    try file.truncate(atOffset: 0)
                    try file.write(contentsOf: Data("nameserver 192.0.2.4\n".utf8))
                    try file.close()
                }
            ),
            ("taken away", { try root.remove(SystemFiles.resolved) }),
            ("a record", { try root.write("/run/resolvconf/interface/eth0", "nameserver 192.0.2.5\n") }),
            ("records taken away", { try root.remove("/run/resolvconf") }),
            (
                "a link to elsewhere",
                {
                    try root.write("/run/NetworkManager/resolv.conf", "nameserver 192.0.2.6\n")
                    try root.remove("/etc/resolv.conf")
                    try FileManager.default.createSymbolicLink(
                        atPath: root.path + "/etc/resolv.conf", withDestinationPath: "../run/NetworkManager/resolv.conf"
                    )
                }
            ),
            (
                "its target renamed over",
                { try root.write("/run/NetworkManager/resolv.conf", "nameserver 192.0.2.7\n") }
            ),
        ]
        _ = servers.read(own: [])
        for (name, change) in changes {
            try change()
            var isNew = false
            // Events of one change may be told one by one.
            for _ in 0..<5 where !isNew && hears(servers) { isNew = servers.read(own: []) }
            #expect(isNew, "\(name)")
        }
    }
}
