// Names as text: how logs and settings write them (RFC 1035 5.1, RFC 4343 2.1).
//
// Logs, settings and tests call it. It must never be on the path of a query: it makes strings.

/// Writes the uncompressed name of `length` octets at `offset` as text with a final dot; octets that are not printable,
/// or mean something in a zone file, are escaped. A name that overruns its length ends in `?`.
public func presentName(_ name: Span<UInt8>, _ offset: Int = 0, length: Int) -> String {
    let end = offset + length
    guard offset >= 0, length > 0, end <= name.count else { return "?" }
    var text: [UInt8] = []
    var position = offset
    while position < end {
        let count = Int(name[position])
        position += 1
        if count == 0 {
            return text.isEmpty ? "." : String(decoding: text, as: UTF8.self)
        }
        guard count <= 63, position + count < end else { break }
        for i in position..<position + count { appendEscaped(name[i], to: &text) }
        text.append(UInt8(ascii: "."))
        position += count
    }
    text.append(UInt8(ascii: "?"))
    return String(decoding: text, as: UTF8.self)
}

/// The same for a name in a store.
public func presentName(_ store: borrowing ByteStore, _ offset: Int, length: Int) -> String {
    guard offset >= 0, length > 0, offset <= store.capacity - length else { return "?" }
    return store.withSpan(offset, length) { presentName($0, 0, length: length) }
}

private func appendEscaped(_ octet: UInt8, to text: inout [UInt8]) {
    switch octet {
    case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: ";"), UInt8(ascii: "("),
        UInt8(ascii: ")"), UInt8(ascii: "@"), UInt8(ascii: "$"):
        text.append(UInt8(ascii: "\\"))
        text.append(octet)
    case 0x21...0x7e:
        text.append(octet)
    default:
        text.append(UInt8(ascii: "\\"))
        text.append(0x30 + octet / 100)
        text.append(0x30 + octet / 10 % 10)
        text.append(0x30 + octet % 10)
    }
}

/// Reads a name as text, with or without its final dot, into wire form with the case kept. nil when it is no name:
/// empty, an empty label, a label above 63 octets, above 255 in all, a bad escape, or an octet that must be escaped
/// (blanks, controls, anything beyond ASCII: IDNs are written as their A-labels).
public func parseName(_ text: String) -> [UInt8]? {
    if text == "." { return [0] }
    var wire: [UInt8] = [0]
    var labelStart = 0
    var octets = text.utf8.makeIterator()
    while let octet = octets.next() {
        if octet == UInt8(ascii: ".") {
            guard wire.count - labelStart > 1 else { return nil }
            labelStart = wire.count
            wire.append(0)
            continue
        }
        guard octet > 0x20, octet < 0x7f else { return nil }
        guard let value = octet == UInt8(ascii: "\\") ? readEscape(&octets) : octet else { return nil }
        wire.append(value)
        wire[labelStart] += 1
        guard wire[labelStart] <= 63, wire.count < 256 else { return nil }
    }
    guard wire.count > 1 else { return nil }
    // Without a final dot the last label is still open.
    if wire.count - labelStart > 1 { wire.append(0) }
    return wire.count <= 255 ? wire : nil
}

/// What follows a backslash: three decimal digits, or the octet itself.
private func readEscape(_ octets: inout String.UTF8View.Iterator) -> UInt8? {
    guard let first = octets.next() else { return nil }
    guard first >= 0x30, first <= 0x39 else { return first > 0x20 && first < 0x7f ? first : nil }
    guard let second = octets.next(), second >= 0x30, second <= 0x39, let third = octets.next(), third >= 0x30,
        third <= 0x39
    else { return nil }
    let value = Int(first - 0x30) * 100 + Int(second - 0x30) * 10 + Int(third - 0x30)
    return UInt8(exactly: value)
}
