// Writes notices to the journal or to stderr. Only the main thread calls it.
//
// It must never wait long: a full pipe costs the line, not the daemon; lost lines are counted and told when there is
// room again.

import CLinux
import ForwarderRuntime
import Glibc

/// The log's target and form.
struct Log {
    enum Target { case journal, standardError }
    enum Format { case text, json }

    let level: NoticeLevel
    private let target: Target
    private let format: Format
    /// The journal stamps its lines itself, and reads `<6>` at their beginning as the priority.
    private let behindJournal: Bool
    private var lost: UInt64 = 0

    init(level: NoticeLevel, target: Target?, format: Format) {
        self.level = level
        behindJournal = Journal.isStandardError()
        self.target = target ?? (behindJournal ? .journal : .standardError)
        self.format = format
    }

    mutating func write(_ notice: Notice) {
        guard notice.level <= level else { return }
        if target == .journal && Journal.send(notice) { return }
        writeLine(format == .json ? Log.json(notice) : Log.text(notice, stamped: !behindJournal), notice.level)
    }

    /// One line that is a JSON object in either format. `fields` are written into the open object.
    mutating func writeObject(event: String, _ fields: (inout JSONWriter) -> Void) {
        var json = JSONWriter()
        json.beginObject()
        json.field("time", Log.timestamp())
        json.field("level", "info")
        json.field("event", event)
        fields(&json)
        json.endObject()
        if target == .journal && Journal.send(Notice(.info, event: event, json.text)) { return }
        writeLine(json.text, .info)
    }

    /// What the notice queue had to drop.
    mutating func writeDropped(_ count: UInt64) {
        if count > 0 { write(Notice(.warning, event: "log_dropped", "\(count) log lines were dropped")) }
    }

    private mutating func writeLine(_ line: String, _ level: NoticeLevel) {
        var text = behindJournal ? "<\(level.priority)>\(line)\n" : line + "\n"
        if lost > 0 { text = "(\(lost) log lines were lost)\n" + text }
        if Log.writeAll(text) { lost = 0 } else { lost += 1 }
    }

    /// Writes in pieces that a ready pipe takes at once (PIPE_BUF), waiting at most 50 ms for each.
    private static func writeAll(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var position = 0
        while position < bytes.count {
            if cl_wait_writable(2, 50) == 0 { return false }
            let end = min(position + 4096, bytes.count)
            let start = position
            let written = unsafe bytes.withUnsafeBytes { buffer in
                // Safety: start..<end lies within the buffer.
                unsafe cl_write(2, buffer.baseAddress.map { unsafe $0 + start }, end - start)
            }
            if written <= 0 { return false }
            position += written
        }
        return true
    }

    // MARK: - Forms

    static func text(_ notice: Notice, stamped: Bool) -> String {
        let words = String(notice.text.map { $0.isNewline ? " " : $0 })
        return stamped ? "\(timestamp()) \(notice.level) \(words)" : words
    }

    static func json(_ notice: Notice) -> String {
        var json = JSONWriter()
        json.beginObject()
        json.field("time", timestamp())
        json.field("level", "\(notice.level)")
        json.field("event", notice.event)
        json.field("message", notice.text)
        if let upstream = notice.upstream { json.field("upstream", upstream) }
        if let network = notice.network { json.field("proto", network) }
        if let reason = notice.reason { json.field("reason", reason) }
        if notice.count > 1 { json.field("count", notice.count) }
        json.endObject()
        return json.text
    }

    /// RFC 3339 in UTC with milliseconds.
    static func timestamp() -> String {
        let nanoseconds = cl_realtime()
        var (year, month, day, hour, minute, second): (Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0)
        // Safety: the six numbers outlive the call.
        unsafe cl_utc(nanoseconds / 1_000_000_000, &year, &month, &day, &hour, &minute, &second)
        let date = "\(padded(UInt64(clamping: year), 4))-\(two(month))-\(two(day))"
        let milliseconds = UInt64(clamping: nanoseconds / 1_000_000 % 1000)
        return "\(date)T\(two(hour)):\(two(minute)):\(two(second)).\(padded(milliseconds, 3))Z"
    }

    private static func two(_ number: Int32) -> String { padded(UInt64(clamping: number), 2) }
}
