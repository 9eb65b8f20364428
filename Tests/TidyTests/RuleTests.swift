// Proves that each tidy rule can fail, and that it leaves good code alone.
//
// A table for each rule: a path and a few lines, and the lines (from 1) that must be found.

import Testing

/// A sample and the lines where a rule must find something.
struct Sample {
    let path: String
    let text: String
    let lines: [Int]

    init(_ path: String, _ text: String, finds lines: [Int]) {
        self.path = path
        self.text = text
        self.lines = lines
    }
}

private func expect(_ samples: [Sample], of rule: (SourceText) -> [Finding]) {
    for sample in samples {
        let file = SourceText(path: sample.path, text: sample.text, isCode: !sample.path.hasSuffix(".md"))
        #expect(rule(file).map(\.line) == sample.lines, "\(sample.path): \(sample.text.prefix(200))")
    }
}

private let core = "Sources/ForwarderCore/Sample.swift"

@Suite struct RuleTests {
    @Test func fileLengthIsLimited() {
        expect(
            [
                Sample(core, String(repeating: "let a = 1\n", count: 400), finds: []),
                Sample(core, String(repeating: "let a = 1\n", count: 401), finds: [401]),
                Sample("docs/long.md", String(repeating: "a\n", count: 900), finds: []),
            ], of: fileLength)
    }

    @Test func lineLengthIsLimited() {
        let edge = "//" + String(repeating: "ä", count: 118)
        let inString = "let a = \"\"\"\n\(edge)ä\n\"\"\"\n"
        expect(
            [
                Sample(core, edge, finds: []), Sample(core, "\n" + edge + "ä", finds: [2]),
                Sample(core, inString, finds: []), Sample("Tests/Lab/a.py", edge + "ä", finds: [1]),
            ], of: lineLength)
    }

    @Test func functionLengthIsLimited() {
        let body = { (count: Int) in String(repeating: "    f(\"}\") // }\n", count: count) }
        expect(
            [
                Sample(core, "func a() {\n\(body(68))}\n", finds: []),
                Sample(core, "func a() {\n\(body(69))}\n", finds: [1]),
                Sample(core, "struct A {\n init(a: Int) {\n\(body(69))}\n}\n", finds: [2]),
                Sample(core, "struct A {\n var a: Int {\n\(body(69))}\n}\n", finds: [2]),
                Sample(core, "deinit {\n\(body(69))}\nfunc b() {}\n", finds: [1]),
                // Nested: only the outer one is too long.
                Sample(core, "func a() {\n func b() {\n\(body(40))}\n\(body(40))}\n", finds: [1]),
                // No body, a stored property, a call of an initialiser: the long block is none of theirs.
                Sample(core, "protocol P { func a() }\nenum E {\n\(body(90))}\n", finds: []),
                Sample(core, "var a = 1\nstruct S {\n\(body(90))}\n", finds: []),
                Sample(core, "let a = A.init(1)\nenum E {\n\(body(90))}\n", finds: []),
                // A closure as a default value is not the body.
                Sample(core, "func a(b: () -> Int = { 1 }) {\n\(body(69))}\n", finds: [1]),
            ], of: functionLength)
    }

    @Test func headCommentIsRequired() {
        expect(
            [
                Sample(core, "// What this file is for.\n", finds: []),
                Sample(core, "import DNSWire\n// What this file is for.\n", finds: [1]),
                Sample(core, "//\n", finds: [1]),
                Sample(core, "", finds: [1]),
                Sample("Package.swift", "// swift-tools-version: 6.2\nimport PackageDescription\n", finds: [2]),
                Sample("Sources/CLinux/CLinux.c", "#include <x.h>\n", finds: [1]),
                Sample("Tests/Lab/a.py", "import os\n", finds: [1]),
                Sample("Tests/Lab/a.py", "\"\"\"What this file is for.\"\"\"\n", finds: []),
                Sample("Tests/ScenarioTests/Scenarios/a.rpl", "CONFIG_END\n", finds: []),
            ], of: headComment)
    }

    @Test func unsafeNeedsAPlaceAndAReason() {
        let store = "Sources/DNSWire/ByteStore.swift"
        let toml = "Sources/ForwarderSettings/Walk.swift"
        let far = String(repeating: "    a()\n", count: 9)
        expect(
            [
                Sample(core, "// Safety: no.\nlet a = unsafe b\n", finds: [2]),
                Sample(core, "// unsafe\nlet a = \"unsafe\"\n", finds: []),
                Sample(core, "extension A: @unchecked Sendable {}\n", finds: [1]),
                Sample("Sources/DNSWire/Header.swift", "let a = unsafe b\n", finds: [1]),
                Sample(store, "func f() {\n    // Safety: ours.\n    unsafe a()\n}\n", finds: []),
                Sample(store, "func f() {\n    unsafe a()\n}\n", finds: [2]),
                Sample(store, "// Safety: ours.\nextension A: @unchecked Sendable {}\n", finds: []),
                Sample(store, "func f() {\n    // Safety: ours.\n\(far)    unsafe a()\n}\n", finds: [12]),
                // The reason of the function above does not count.
                Sample(store, "// Safety: f.\nfunc f() {}\nfunc g() {\n    unsafe a()\n}\n", finds: [4]),
                // A run of unsafe lines shares its reason; a function's own comment holds for all of it.
                Sample(
                    store, "func f() {\n    // Safety: ours.\n\(String(repeating: "    unsafe a()\n", count: 20))}\n",
                    finds: []),
                Sample(store, "/// Safety: ours.\nfunc f() {\n\(far)    unsafe a()\n}\n", finds: []),
                Sample(store, "func f() {\n    let a = unsafe b\n    c()\n    // Safety: a is ours.\n}\n", finds: []),
                Sample(store, "func f() { unsafe a() }\n// Safety: g.\nfunc g() {}\n", finds: [1]),
                Sample(
                    "Sources/ForwarderSettings/Files.swift", "import Glibc\n// Safety: lent.\nunsafe a()\n", finds: []),
                Sample("Sources/fleetwing/Launch.swift", "import Glibc\n// Safety: lent.\nunsafe a()\n", finds: []),
                Sample("Sources/fleetwing/Launch.swift", "// Safety: lent.\nunsafe a()\n", finds: [2]),
                Sample(toml, "import CTOML\n// Safety: walked once.\nunsafe a()\n", finds: []),
                Sample(toml, "// Safety: no.\nunsafe a()\n", finds: [2]),
                Sample("Tests/DNSWireTests/A.swift", "unsafe a()\n", finds: []),
            ], of: unsafeUse)
    }

    @Test func importsGoDownward() {
        expect(
            [
                Sample("Sources/DNSWire/A.swift", "import Synchronization\n", finds: [1]),
                Sample(core, "import DNSWire\nimport Synchronization\n", finds: []),
                Sample(core, "import Foundation\nimport Glibc\n", finds: [1, 2]),
                Sample(core, "@testable public import struct Foundation.Date\n", finds: [1]),
                Sample("Sources/ForwarderRuntime/A.swift", "import fleetwingd\nimport Dispatch\n", finds: [1, 2]),
                Sample("Sources/fleetwingd/A.swift", "import FoundationEssentials\n", finds: [1]),
                Sample("Sources/ForwarderSettings/A.swift", "import ForwarderCore\nimport CTOML\n", finds: [1]),
                Sample("Sources/fleetwing/A.swift", "import Foundation\n", finds: []),
            ], of: imports)
    }

    @Test func namesSayWhatThingsAre() {
        expect(
            [
                Sample(
                    core, "struct PoolManager {}\nenum QueryInfo {}\nfinal class TLSContext {}\n", finds: [1, 2, 3]),
                Sample(core, "struct Pool {}\nlet recordData = 1\n// struct PoolManager\n", finds: []),
                Sample(core, "public typealias ReplyHandler = Int\n", finds: [1]),
            ], of: typeNames)
        expect(
            [
                Sample(core, "func handle() {}\nfunc processQuery() {}\n", finds: [1, 2]),
                Sample(core, "func handled() {}\nfunc answer() { handle() }\n", finds: []),
            ], of: functionNames)
    }

    @Test func theDaemonHasNoTasks() {
        expect(
            [
                Sample(core, "func a() async {}\nactor B {}\n// await\n", finds: [1, 2]),
                Sample("Sources/fleetwing/A.swift", "await a()\n", finds: []),
            ], of: noTasks)
    }

    @Test func nothingIsLeftUndone() {
        let marks = unfinishedMarks + unfinishedPhrases
        expect(marks.map { Sample(core, "// Fine.\n// \($0): later\n", finds: [2]) }, of: unfinished)
        expect(marks.map { Sample("README.md", "\($0)\n", finds: [1]) }, of: unfinished)
        let long = unfinishedMarks[2] + unfinishedMarks[2]
        expect(
            [
                Sample(core, "func a() { fatalError(\"H9\") }\n", finds: [1]),
                Sample("Tests/A/B.swift", "func a() { fatalError() }\n", finds: []),
                Sample(core, "// wait for " + "nowhere\nlet name = \"\(long)\"\n", finds: []),
            ], of: unfinished)
    }

    @Test func noTraceOfTheWorkshop() {
        expect(workshopWords.map { Sample("docs/a.md", "see\n\($0)x\n", finds: [2]) }, of: workshopTraces)
        expect([Sample("docs/a.md", "network/workers\n", finds: [])], of: workshopTraces)
    }

    @Test func noPapersFromElsewhere() {
        let names = absentPaperNames + [absentPaperMark + " 10", absentPaperNames[0].uppercased()]
        expect(names.map { Sample(core, "// Why.\n// See \($0).\n", finds: [2]) }, of: absentPapers)
        expect(
            [Sample(core, "// A study of designs; the musts of RFC 1035; docs/design.txt\n", finds: [])],
            of: absentPapers)
    }
}

@Suite struct ReferenceTests {
    @Test func documentsNameWhatExists() {
        let exists: (String) -> Bool = { ["docs/style.md", "docs/adr/1.md", "Sources/DNSWire/A.swift"].contains($0) }
        let samples: [(path: String, text: String, missing: [String])] = [
            ("docs/a.md", "[s](style.md) [1](adr/1.md#x) [w](https://a.example) [h](#here)", []),
            ("README.md", "[s](docs/style.md) [t](docs/gone.md)", ["docs/gone.md"]),
            ("docs/a.md", "[t](gone.md)\n`DNSWire/A.swift` `DNSWire/B.swift`", ["docs/gone.md", "DNSWire/B.swift"]),
            ("docs/adr/1.md", "[s](../style.md)", []),
        ]
        for sample in samples {
            let file = SourceText(path: sample.path, text: sample.text, isCode: false)
            #expect(
                missingReferences(file, exists: exists).map(\.message) == sample.missing.map { "'\($0)' is not there" })
        }
    }
}

@Suite struct SourceTextTests {
    @Test func stringsAndCommentsAreBlanked() {
        let cases: [(text: String, code: [Substring])] = [
            ("a // b", ["a"]),
            ("a /* b /* c */ d */ e", ["a", "e"]),
            ("a \"b\" c", ["a", "c"]),
            ("a \"b\\\"c\" d", ["a", "d"]),
            ("a \"b\\(c(\"d\"))e\" f", ["a", "f"]),
            ("a #\"b\"c\"# d", ["a", "d"]),
            ("a \"\"\"\nb \" c\n\"\"\" d", ["a", "d"]),
            ("a \"\" b", ["a", "b"]),
        ]
        for sample in cases {
            let file = SourceText(path: core, text: sample.text)
            #expect(file.code.flatMap { words($0) } == sample.code, "\(sample.text)")
            #expect(file.code.count == file.lines.count)
        }
    }
}
