// Reads the `.rpl` grammar: CONFIG up to CONFIG_END, then SCENARIO_BEGIN .. SCENARIO_END with ranges and steps.
//
// The words are those of the replay files that resolvers are tested with; what Fleetwing adds is in README.md.

@testable import Simulator

/// Reads one file line by line; every error names its line.
struct ScenarioParser {
    private var lines: [(number: Int, words: [String], text: String)] = []
    private var position = 0

    static func parse(_ text: String) throws -> Scenario {
        var parser = ScenarioParser()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            do {
                let words = try TestRecord.words(String(line))
                if !words.isEmpty { parser.lines.append((index + 1, words, String(line))) }
            } catch {
                throw ScenarioError(line: index + 1, text: "\(error)")
            }
        }
        return try parser.scenario()
    }

    private mutating func next() throws -> (number: Int, words: [String], text: String) {
        guard position < lines.count else {
            throw ScenarioError(line: lines.last?.number ?? 1, text: "the file ends too early")
        }
        position += 1
        return lines[position - 1]
    }

    private mutating func scenario() throws -> Scenario {
        var scenario = Scenario()
        var line = try next()
        while line.words[0] != "CONFIG_END" {
            try located(line.number) { try scenario.settings.set(line.words[0], Array(line.words.dropFirst())) }
            line = try next()
        }
        line = try next()
        guard line.words[0] == "SCENARIO_BEGIN" else {
            throw ScenarioError(line: line.number, text: "expected SCENARIO_BEGIN")
        }
        scenario.title = line.words.dropFirst().joined(separator: " ")
        while true {
            line = try next()
            switch line.words[0] {
            case "SCENARIO_END": return scenario
            case "RANGE_BEGIN": scenario.ranges.append(try range(line.number, line.words))
            case "STEP":
                let step = try step(line.number, line.words)
                if let last = scenario.steps.last, last.number >= step.number {
                    throw ScenarioError(line: line.number, text: "STEP \(step.number) does not rise")
                }
                scenario.steps.append(step)
            default: throw ScenarioError(line: line.number, text: "unknown word \(line.words[0])")
            }
        }
    }

    private mutating func range(_ number: Int, _ words: [String]) throws -> AnswerRange {
        guard words.count == 3, let first = Int(words[1]), let last = Int(words[2]), first <= last else {
            throw ScenarioError(line: number, text: "RANGE_BEGIN needs two step numbers")
        }
        var range = AnswerRange(steps: first...last)
        while true {
            let line = try next()
            switch line.words[0] {
            case "RANGE_END": return range
            case "ADDRESS" where line.words.count == 2: range.address = line.words[1]
            case "ENTRY_BEGIN": range.entries.append(try entry(line.number))
            default: throw ScenarioError(line: line.number, text: "unknown word \(line.words[0]) in a range")
            }
        }
    }

    private mutating func step(_ number: Int, _ words: [String]) throws -> Step {
        guard words.count >= 3, let id = Int(words[1]) else {
            throw ScenarioError(line: number, text: "STEP needs a number and a verb")
        }
        var step = Step(line: number, number: id, verb: words[2], words: Array(words.dropFirst(3)), entry: nil)
        if position < lines.count, lines[position].words[0] == "ENTRY_BEGIN" {
            let line = try next()
            step.entry = try entry(line.number)
        }
        return step
    }

    private mutating func entry(_ number: Int) throws -> Entry {
        var entry = Entry()
        entry.line = number
        var section = ""
        while true {
            let line = try next()
            let rest = Array(line.words.dropFirst())
            switch line.words[0] {
            case "ENTRY_END": return entry
            case "MATCH": entry.match += rest
            case "ADJUST":
                // Id and question are always copied from the query that is answered.
                guard rest.allSatisfy({ $0 == "copy_id" || $0 == "copy_query" }) else {
                    throw ScenarioError(line: line.number, text: "ADJUST knows copy_id and copy_query")
                }
            case "REPLY": for word in rest { try located(line.number) { try entry.take(word) } }
            case "SECTION" where rest.count == 1: section = rest[0]
            default: try located(line.number) { try entry.add(line.text, to: section) }
            }
        }
    }

    private func located(_ line: Int, _ body: () throws -> Void) throws {
        do { try body() } catch let error as ScenarioError { throw error } catch {
            throw ScenarioError(line: line, text: "\(error)")
        }
    }
}

extension Entry {
    /// One word of a REPLY line: a flag, an opcode, an RCODE, or something of the OPT record.
    mutating func take(_ word: String) throws {
        if word == "DROP" {
            isDropped = true
        } else if let bit = TestMessage.flagBits.first(where: { $0.0 == word }) {
            message.flags |= bit.1
        } else if let opcode = TestType.opcodes[word] {
            message.flags |= opcode << 11
        } else if let rcode = TestType.rcodes[word] {
            message.rcode = rcode
            if rcode > 15, message.opt == nil { message.opt = TestOPT() }
        } else if word == "EDNS" || word == "DO" {
            var opt = message.opt ?? TestOPT()
            if word == "DO" { opt.dnssecOK = true }
            message.opt = opt
        } else {
            try takeOption(word)
        }
    }

    private mutating func takeOption(_ word: String) throws {
        let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw TestFormatError("unknown word \(word) in REPLY") }
        var opt = message.opt ?? TestOPT()
        switch parts[0] {
        case "OPCODE": message.flags |= (UInt16(parts[1]) ?? 0) << 11
        case "SIZE": opt.udpSize = UInt16(parts[1]) ?? 512
        case "VERSION": opt.version = UInt8(parts[1]) ?? 0
        case "COOKIE": cookie = parts[1]
        case "TEXT":
            extendedText = parts[1]
            if let last = opt.options.indices.last, opt.options[last].code == 15 {
                opt.options[last].value += Array(parts[1].utf8)
            }
        case "EDE":
            extendedError = UInt16(parts[1])
            let code = extendedError ?? 0
            opt.options.append((15, [UInt8(code >> 8), UInt8(code & 255)]))
        case "KEEPALIVE":
            // Empty from a client, in units of 100 ms from a server (RFC 7828).
            let value = UInt16(parts[1])
            opt.options.append((11, value.map { [UInt8($0 >> 8), UInt8($0 & 255)] } ?? []))
        case "OPTION":
            let half = parts[1].split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard half.count == 2, let code = UInt16(half[0]) else { throw TestFormatError("OPTION:CODE=HEX") }
            opt.options.append((code, try TestRecord.octets(hex: half[1])))
        default: throw TestFormatError("unknown word \(word) in REPLY")
        }
        if parts[0] != "OPCODE" { message.opt = opt }
    }

    /// One line of a section.
    mutating func add(_ text: String, to section: String) throws {
        switch section {
        case "QUESTION":
            let words = try TestRecord.words(text)
            var question = TestQuestion(name: try TestName(words[0]), type: 1)
            for word in words.dropFirst() {
                if let type = TestType.type(word) {
                    question.type = type
                } else if let known = TestType.recordClass(word) {
                    question.recordClass = known
                } else {
                    throw TestFormatError("what is \(word)?")
                }
            }
            message.questions.append(question)
        case "ANSWER": message.answer.append(try TestRecord(text))
        case "AUTHORITY": message.authority.append(try TestRecord(text))
        case "ADDITIONAL": message.additional.append(try TestRecord(text))
        default: throw TestFormatError("a record outside of a section")
        }
    }
}
