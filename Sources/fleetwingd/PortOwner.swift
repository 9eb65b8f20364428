// Who holds a port that we wanted: for the one error message at start that everybody meets.
//
// Reads /proc/net/{udp,tcp}{,6} for the socket's inode and /proc/*/fd for the process that has it open. Needs rights
// for processes of other users; without them the message does without a name. Bounded, and only called before exit.

import CLinux
import ForwarderCore
import ForwarderRuntime
import Glibc

enum PortOwner {
    /// "dnsmasq, pid 812", or nil when it cannot be seen.
    static func find(_ endpoint: Endpoint, isStream: Bool) -> String? {
        let base = isStream ? "tcp" : "udp"
        for family in ["", "6"] {
            guard let table = SystemFile.read("/proc/net/\(base)\(family)") else { continue }
            for line in table.split(separator: "\n").dropFirst() {
                guard let inode = inode(in: line, of: endpoint, isStream: isStream) else { continue }
                if let owner = owner(of: inode) { return owner }
            }
        }
        return nil
    }

    /// The inode of a table line whose local address stands in the way of `endpoint`.
    static func inode(in line: Substring, of endpoint: Endpoint, isStream: Bool) -> String? {
        let fields = line.split(separator: " ")
        guard fields.count > 9 else { return nil }
        let local = fields[1].split(separator: ":")
        guard local.count == 2, UInt16(local[1], radix: 16) == endpoint.port else { return nil }
        // 0A = LISTEN; connections from that port are not in the way.
        if isStream && fields[3] != "0A" { return nil }
        let isAny = !local[0].contains { $0 != "0" }
        guard isAny || endpoint.address.high == 0 && endpoint.address.low == 0 || local[0] == hex(endpoint.address)
        else {
            return nil
        }
        return String(fields[9])
    }

    /// An address as /proc/net writes it: words of 32 bits in the machine's (little-endian) order.
    private static func hex(_ address: NetworkAddress) -> String {
        func word(_ value: UInt64) -> String {
            let swapped = String(UInt32(truncatingIfNeeded: value).byteSwapped, radix: 16, uppercase: true)
            return String(repeating: "0", count: 8 - swapped.count) + swapped
        }
        guard address.isIPv6 else { return word(address.low) }
        return word(address.high >> 32) + word(address.high) + word(address.low >> 32) + word(address.low)
    }

    private static func owner(of inode: String) -> String? {
        let wanted = "socket:[\(inode)]"
        for process in numbers(in: "/proc", limit: 65_536) {
            let folder = "/proc/\(process)/fd"
            guard numbers(in: folder, limit: 4096).contains(where: { target("\(folder)/\($0)") == wanted }) else {
                continue
            }
            let name = SystemFile.read("/proc/\(process)/comm")?.split(separator: "\n").first ?? "a process"
            return "\(name), pid \(process)"
        }
        return nil
    }

    private static func numbers(in folder: String, limit: Int) -> [Int32] {
        var numbers = [Int32](repeating: 0, count: limit)
        // Safety: the array has `limit` elements, the string is terminated; both outlive the call.
        let count = unsafe folder.withCString { unsafe cl_numbered_entries($0, &numbers, Int32(limit)) }
        return Array(numbers.prefix(max(0, Int(count))))
    }

    private static func target(_ link: String) -> String? {
        var text = [UInt8](repeating: 0, count: 64)
        let size = text.count
        let count = unsafe text.withUnsafeMutableBytes { buffer in
            // Safety: the length is the buffer's own.
            unsafe link.withCString {
                unsafe cl_link_target($0, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), size)
            }
        }
        return count > 0 ? String(decoding: text.prefix(count), as: UTF8.self) : nil
    }
}

extension BindFailure {
    /// What is wrong and what cures it.
    func sentence() -> String {
        let what = "\(address.endpoint.text)/\(isStream ? "tcp" : "udp")"
        switch error.code {
        case EADDRINUSE:
            let owner = PortOwner.find(address.endpoint, isStream: isStream).map { " (by \($0))" } ?? ""
            return "\(what) is taken\(owner). Stop it, or set server.listen; resolved holds only 127.0.0.53."
        case EACCES:
            return "\(what): not permitted. Ports below 1024 need CAP_NET_BIND_SERVICE or root; or set server.listen."
        case EADDRNOTAVAIL:
            return
                "\(what): no such address on this machine. Set server.freebind = true to wait for it, or server.listen."
        default: return "\(what): \(error.text)"
        }
    }
}
