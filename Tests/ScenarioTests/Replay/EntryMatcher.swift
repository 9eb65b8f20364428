// Compares a message with an entry of a scenario, item by item, and says the first thing that differs.

@testable import Simulator

/// The items of MATCH.
enum EntryMatcher {
    static let answerDefault = ["opcode", "qname", "qtype", "rcode", "answer"]
    static let queryDefault = ["opcode", "qname", "qtype"]
    static let all = ["opcode", "qname", "qtype", "qclass", "rcode", "flags", "answer", "authority"]

    /// nil = they agree in all items.
    static func difference(_ message: TestMessage, _ entry: Entry, items defaults: [String]) throws -> String? {
        var items = entry.match.isEmpty ? defaults : entry.match
        if items.contains("all") { items += all }
        let isTimed = items.contains("ttl")
        for item in items where item != "all" && item != "ttl" {
            if let text = try difference(message, entry, item: item, isTimed: isTimed) { return "\(item): \(text)" }
        }
        return nil
    }

    private static func difference(
        _ message: TestMessage, _ entry: Entry, item: String, isTimed: Bool
    ) throws -> String? {
        let wanted = entry.message
        let question = message.questions.first
        let wantedQuestion = wanted.questions.first
        switch item {
        case "opcode": return unequal(message.opcode, wanted.opcode)
        case "qname": return unequal(question?.name.folded, wantedQuestion?.name.folded)
        case "case": return unequal(question?.name, wantedQuestion?.name)
        case "qtype": return unequal(question?.type, wantedQuestion?.type)
        case "qclass": return unequal(question?.recordClass, wantedQuestion?.recordClass)
        case "rcode": return unequal(TestType.rcodeName(message.rcode), TestType.rcodeName(wanted.rcode))
        case "flags": return unequal(flagWords(message), flagWords(wanted))
        case "TC", "AD", "CD", "AA", "RA", "RD":
            let bit = TestMessage.flagBits.first { $0.0 == item }?.1 ?? 0
            return unequal(message.flags & bit != 0, wanted.flags & bit != 0)
        case "answer": return unequal(keys(message.answer, isTimed), keys(wanted.answer, isTimed))
        case "authority": return unequal(keys(message.authority, isTimed), keys(wanted.authority, isTimed))
        case "additional": return unequal(keys(message.additional, isTimed), keys(wanted.additional, isTimed))
        case "order":
            return unequal(
                message.answer.map { "\($0.key) \(isTimed ? $0.ttl : 0)" },
                wanted.answer.map { "\($0.key) \(isTimed ? $0.ttl : 0)" })
        case "edns": return unequal(message.opt != nil, wanted.opt != nil)
        case "do": return unequal(message.opt?.dnssecOK ?? false, wanted.opt?.dnssecOK ?? false)
        case "size": return unequal(message.opt?.udpSize, wanted.opt?.udpSize)
        case "version": return unequal(message.opt?.version, wanted.opt?.version)
        case "options": return unequal(optionCodes(message), optionCodes(wanted))
        case "ede":
            let code = message.opt?.option(15).flatMap { $0.count < 2 ? nil : UInt16($0[0]) << 8 | UInt16($0[1]) }
            return unequal(code, entry.extendedError)
        case "text":
            let text = message.opt?.option(15).map { String(decoding: $0.dropFirst(2), as: UTF8.self) }
            return unequal(text, entry.extendedText)
        case "cookie": return try cookieDifference(message.opt?.option(10), entry.cookie)
        default: throw ScenarioError(line: entry.line, text: "MATCH does not know '\(item)'")
        }
    }

    /// `none`, `client` (eight octets), `server=HEX` (eight octets and these), `ours=HEX` (these eight of the client,
    /// and a server cookie of version 1: RFC 9018 4).
    private static func cookieDifference(_ found: [UInt8]?, _ wanted: String?) throws -> String? {
        let text = found.map { TestRecord.hex($0) } ?? "none"
        guard let wanted, wanted != "none" else { return found == nil ? nil : "\(text), expected none" }
        if wanted == "client" { return found?.count == 8 ? nil : "\(text), expected eight octets" }
        if wanted.hasPrefix("ours=") {
            let head = wanted.dropFirst("ours=".count) + "01000000"
            return text.count == 48 && text.hasPrefix(head) ? nil : "\(text), expected \(head) and 12 octets more"
        }
        let server = wanted.dropFirst("server=".count)
        return text.count > 16 && text.dropFirst(16) == server ? nil : "\(text), expected a server part \(server)"
    }

    private static func unequal<T: Equatable>(_ found: T, _ wanted: T) -> String? {
        found == wanted ? nil : "found \(found), expected \(wanted)"
    }

    private static func flagWords(_ message: TestMessage) -> [String] {
        TestMessage.flagBits.filter { message.flags & $0.1 != 0 }.map { $0.0 }
    }

    private static func optionCodes(_ message: TestMessage) -> [UInt16] {
        (message.opt?.options ?? []).map { $0.code }.sorted()
    }

    private static func keys(_ records: [TestRecord], _ isTimed: Bool) -> [String] {
        records.map { "\($0.key) ttl \(isTimed ? "\($0.ttl)" : "any")" }.sorted()
    }
}
