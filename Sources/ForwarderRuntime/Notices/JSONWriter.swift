// Writes one JSON value (RFC 8259) into a string: for log lines and statistics. The daemon has no Foundation.
//
// It must never write anything that a parser refuses: strings are escaped, commas placed by the writer.

/// A growing JSON text. The caller balances `begin` and `end`.
public struct JSONWriter {
    public private(set) var text = ""
    private var needsComma = false

    public init() {}

    public mutating func beginObject(_ key: String? = nil) { open("{", key) }
    public mutating func endObject() { shut("}") }
    public mutating func beginArray(_ key: String? = nil) { open("[", key) }
    public mutating func endArray() { shut("]") }

    public mutating func field(_ key: String, _ value: String) {
        begin(key)
        quote(value)
    }
    public mutating func field(_ key: String, _ value: some FixedWidthInteger) {
        begin(key)
        text += String(value)
    }
    public mutating func field(_ key: String, _ value: Bool) {
        begin(key)
        text += value ? "true" : "false"
    }
    /// Seconds with three digits after the point.
    public mutating func field(_ key: String, milliseconds: Int64) {
        begin(key)
        let (whole, part) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        text += "\(milliseconds < 0 ? "-" : "")\(whole).\(padded(UInt64(part), 3))"
    }

    private mutating func open(_ bracket: String, _ key: String?) {
        if let key { begin(key) } else if needsComma { text += "," }
        text += bracket
        needsComma = false
    }

    private mutating func shut(_ bracket: String) {
        text += bracket
        needsComma = true
    }

    private mutating func begin(_ key: String) {
        if needsComma { text += "," }
        quote(key)
        text += ":"
        needsComma = true
    }

    private mutating func quote(_ value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f {
                    let hex = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}

/// `value` in decimal with at least `width` digits.
public func padded(_ value: UInt64, _ width: Int) -> String {
    let digits = String(value)
    return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
}
