// Finds the repository's text files for the tidy rules.
//
// The root comes from `#filePath`, so the tests need no working directory. Build products and hidden folders (other
// than .ci) are left out. It only reads.

import Foundation

enum Repository {
    /// The folder with Package.swift.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let folders = ["Sources", "Tests", "scripts", "config", "packaging", "docs", ".ci"]
    private static let files = ["Makefile", "Package.swift", "README.md", "CHANGELOG.md"]
    private static let codeExtensions: Set<String> = ["swift", "c", "cpp", "h"]
    private static let otherExtensions: Set<String> = [
        "", "md", "py", "sh", "toml", "service", "sysusers", "rpl", "modulemap", "conf", "txt",
    ]

    /// Every text file.
    static func texts() -> [SourceText] {
        let inside = folders.flatMap { folder in
            let paths = try? FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            return (paths ?? []).sorted().map { "\(folder)/\($0)" }
        }
        return (files + inside).compactMap { path in
            let url = root.appendingPathComponent(path)
            guard let text = text(of: url) else { return nil }
            return SourceText(path: path, text: text, isCode: codeExtensions.contains(url.pathExtension))
        }
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    /// nil for folders, caches and what is not text.
    private static func text(of file: URL) -> String? {
        guard codeExtensions.contains(file.pathExtension) || otherExtensions.contains(file.pathExtension),
            !file.path.contains("/__pycache__/"), !file.path.contains("/.pytest_cache/")
        else { return nil }
        return try? String(contentsOf: file, encoding: .utf8)
    }
}
