// From the text of a file to TOMLNode, by way of toml++ (CTOML). The one Swift file that touches the C interface:
// everything is copied out before the document is freed, so no pointer leaves. A syntax error becomes one problem;
// toml++ stops at the first.

import CTOML

/// Parses one file.
struct TOMLReader {
    /// The file's name, for places.
    let path: String
    /// The file's lines, without their ends.
    let lines: [String]

    private let text: String

    init(path: String, text: String) {
        self.path = path
        self.text = text
        // By scalars: Swift takes CR LF for one character, and columns count scalars.
        lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0.last == "\r" ? $0.dropLast() : $0)
        }
    }

    /// The top-level entries in the file's order, or the syntax error.
    mutating func read() -> Result<[TOMLEntry], SyntaxError> {
        var copy = text
        return copy.withUTF8 { bytes in
            // Safety: `bytes` outlives the call, and toml++ copies what it keeps.
            let document = unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe ctoml_parse(characters.baseAddress, characters.count)
            }
            // Safety: freed once, after the last read below; nothing read from it is kept but copies.
            defer { unsafe ctoml_free(document) }
            let failure = unsafe ctoml_failure_of(document)
            if let message = unsafe string(failure.message, failure.message_length) {
                return .failure(SyntaxError(message: message, place: place(unsafe failure.region)))
            }
            // Safety: the index stays below the count, and the document is alive.
            var index = 0
            let count = unsafe ctoml_count(document)
            func next() -> ctoml_node? {
                guard index < count else { return nil }
                defer { index += 1 }
                return unsafe ctoml_at(document, index)
            }
            // Safety: nodes point into the document, which lives until the `defer` above has run.
            guard let root = unsafe next(), case .table(let entries) = unsafe value(of: root, next: next) else {
                return .success([])
            }
            return .success(entries)
        }
    }

    /// A syntax error.
    struct SyntaxError: Error, Equatable {
        let message: String
        let place: SourcePlace
    }

    private func value(of node: ctoml_node, next: () -> ctoml_node?) -> TOMLValue {
        switch unsafe node.kind {
        case CTOML_TABLE:
            var entries: [TOMLEntry] = []
            while let child = unsafe next(), unsafe child.kind != CTOML_END {
                // Safety: a key's pointer lives as long as the document, which `read` holds open.
                let key = unsafe string(child.key, child.key_length) ?? ""
                let keyPlace = place(unsafe child.key_region)
                let place = place(unsafe child.region)
                let value = unsafe value(of: child, next: next)
                entries.append(
                    TOMLEntry(
                        key: key, keyOrigin: .file(keyPlace), node: TOMLNode(value: value, origin: .file(place))))
            }
            // toml++ sorts by name; people read from top to bottom.
            return .table(entries.sorted { before($0.keyOrigin, $1.keyOrigin) })
        case CTOML_ARRAY:
            var elements: [TOMLNode] = []
            while let child = unsafe next(), unsafe child.kind != CTOML_END {
                let place = place(unsafe child.region)
                elements.append(TOMLNode(value: unsafe value(of: child, next: next), origin: .file(place)))
            }
            return .array(elements)
        case CTOML_STRING:
            // Safety: as for the key.
            return .string(unsafe string(node.text, node.text_length) ?? "")
        case CTOML_INTEGER: return .integer(Int(unsafe node.integer))
        case CTOML_BOOLEAN: return .boolean(unsafe node.integer != 0)
        case CTOML_FLOAT: return .float(written(at: place(unsafe node.region)))
        default: return .time(written(at: place(unsafe node.region)))
        }
    }

    private func before(_ a: Origin, _ b: Origin) -> Bool {
        guard let a = a.place, let b = b.place else { return false }
        return (a.line, a.column) < (b.line, b.column)
    }

    private func string(_ start: UnsafePointer<CChar>?, _ count: Int) -> String? {
        guard let start = unsafe start else { return nil }
        // Safety: the C side gives pointer and length of one string, alive while the document is.
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }

    private func place(_ region: ctoml_region) -> SourcePlace {
        let oneLine = region.end_line == region.line && region.end_column > region.column
        return SourcePlace(
            path: path, line: max(1, Int(region.line)), column: max(1, Int(region.column)),
            length: oneLine ? Int(region.end_column - region.column) : 1)
    }

    private func written(at place: SourcePlace) -> String {
        guard lines.indices.contains(place.line - 1) else { return "" }
        let scalars = lines[place.line - 1].unicodeScalars.dropFirst(place.column - 1).prefix(place.length)
        return String(scalars)
    }
}
