// Runs every scenario file; a failure points at the file's line.

import Foundation
import Testing

@testable import Simulator

struct ReplayTests {
    /// Name and path of a scenario file.
    struct File: Sendable, CustomTestStringConvertible {
        var name: String
        var path: String
        var testDescription: String { name }
    }

    static let files: [File] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")
        let found = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return found.filter { $0.pathExtension == "rpl" }.map { File(name: $0.lastPathComponent, path: $0.path) }
            .sorted { $0.name < $1.name }
    }()

    @Test(arguments: files) func replay(_ file: File) throws {
        let text = try String(contentsOfFile: file.path, encoding: .utf8)
        do { try ScenarioRunner.run(try ScenarioParser.parse(text)) } catch let error as ScenarioError {
            let place = SourceLocation(
                fileID: "ScenarioTests/\(file.name)", filePath: file.path, line: error.line, column: 1)
            Issue.record(Comment(rawValue: error.text), sourceLocation: place)
        }
    }

    /// A renamed folder must not pass for a green run.
    @Test func scenariosAreFound() { #expect(ReplayTests.files.count >= 40) }
}
