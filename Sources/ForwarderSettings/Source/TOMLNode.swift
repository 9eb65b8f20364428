// A configuration file as it was written: values, and the place of each. Made by TOMLReader and by the command line's
// options; read by SettingsDocument. Knows nothing of which keys exist.

/// Where a value comes from.
enum Origin: Sendable, Equatable {
    case builtIn
    case file(SourcePlace)
    /// As written on the command line: `--listen`.
    case option(String)

    /// The place in a file, if it comes from one.
    var place: SourcePlace? {
        if case .file(let place) = self { return place }
        return nil
    }

    /// `default`, `fleetwing.toml:3`, `--listen`.
    var text: String {
        switch self {
        case .builtIn: "default"
        case .file(let place): "\(place.path):\(place.line)"
        case .option(let option): "command line, \(option)"
        }
    }
}

/// A value with its origin.
struct TOMLNode: Sendable, Equatable {
    var value: TOMLValue
    var origin: Origin
}

/// A key of a table with its value.
struct TOMLEntry: Sendable, Equatable {
    var key: String
    var keyOrigin: Origin
    var node: TOMLNode
}

/// A TOML value.
enum TOMLValue: Sendable, Equatable {
    case table([TOMLEntry])
    case array([TOMLNode])
    case string(String)
    case integer(Int)
    case boolean(Bool)
    /// A float, as written: no key takes one.
    case float(String)
    /// A date or time, as written: no key takes one.
    case time(String)

    /// "a string", for messages.
    var kindName: String {
        switch self {
        case .table: "a table"
        case .array: "an array"
        case .string: "a string"
        case .integer: "an integer"
        case .boolean: "a boolean"
        case .float: "a float"
        case .time: "a date"
        }
    }

    /// The value as TOML on one line.
    var written: String {
        switch self {
        case .table(let entries):
            "{ " + entries.map { "\($0.key) = \($0.node.value.written)" }.joined(separator: ", ") + " }"
        case .array(let nodes): "[" + nodes.map(\.value.written).joined(separator: ", ") + "]"
        case .string(let text): quoted(text)
        case .integer(let number): String(number)
        case .boolean(let flag): String(flag)
        case .float(let text), .time(let text): text
        }
    }
}

/// The text in double quotes; the escapes are those that TOML and JSON share.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\r": result += "\\r"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
