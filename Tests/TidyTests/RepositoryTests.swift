// Runs every tidy rule over every text file of the repository; each breach fails with file:line.
//
// docs/style.md says why the rules are what they are. A breach is mended, not excused: there is no list of exceptions.

import Testing

@Suite struct RepositoryTests {
    @Test func theWalkFindsTheSources() {
        let paths = Set(Repository.texts().map(\.path))
        let expected = ["Package.swift", "Makefile", "Sources/DNSWire/Header.swift", "docs/style.md", "scripts/deps"]
        #expect(expected.filter { !paths.contains($0) } == [])
    }

    @Test func everyFileIsTidy() {
        let files = Repository.texts()
        let findings = files.flatMap { file in allRules.flatMap { $0.check(file) } }
        for finding in findings { Issue.record("\(finding.description)") }
    }

    @Test func documentsNameWhatExists() {
        let findings = Repository.texts().flatMap { missingReferences($0, exists: Repository.exists) }
        for finding in findings { Issue.record("\(finding.description)") }
    }
}
