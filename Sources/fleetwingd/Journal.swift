// The journal as a target of log lines: structured fields, so that `journalctl FLEETWING_UPSTREAM=quad9` works.

import CLinux
import CSystemd
import ForwarderRuntime
import Glibc

enum Journal {
    /// Whether stderr is a stream of the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)).
    static func isStandardError() -> Bool {
        // Safety: getenv's text is copied at once, and no thread of ours changes the environment.
        guard let value = unsafe getenv("JOURNAL_STREAM").map({ unsafe String(cString: $0) }) else { return false }
        var device: UInt64 = 0
        var inode: UInt64 = 0
        // Safety: both numbers outlive the call.
        guard unsafe cl_file_identity(2, &device, &inode) == 0 else { return false }
        return value == "\(device):\(inode)"
    }

    /// Sends one line with its fields. Returns whether the journal took it.
    static func send(_ notice: Notice) -> Bool {
        var fields = [
            "MESSAGE=\(notice.text)", "PRIORITY=\(notice.level.priority)", "SYSLOG_IDENTIFIER=fleetwingd",
            "FLEETWING_EVENT=\(notice.event)",
        ]
        if let upstream = notice.upstream { fields.append("FLEETWING_UPSTREAM=\(upstream)") }
        if let network = notice.network { fields.append("FLEETWING_PROTO=\(network)") }
        if let reason = notice.reason { fields.append("FLEETWING_REASON=\(reason)") }
        if notice.count > 1 { fields.append("FLEETWING_COUNT=\(notice.count)") }
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for field in fields {
            let start = bytes.count
            bytes.append(contentsOf: field.utf8)
            ranges.append(start..<bytes.count)
        }
        return unsafe bytes.withUnsafeMutableBytes { buffer in
            // Safety: every vector lies within `buffer`, which outlives the call.
            let vectors = unsafe ranges.map { range in
                unsafe iovec(iov_base: buffer.baseAddress.map { unsafe $0 + range.lowerBound }, iov_len: range.count)
            }
            return unsafe sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }
}

extension NoticeLevel {
    /// Of syslog (RFC 5424); the journal has no trace.
    var priority: Int {
        switch self {
        case .error: 3
        case .warning: 4
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
