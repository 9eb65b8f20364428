// Output: results to stdout, words to stderr, colour only where someone looks. Used by all verbs.

import ArgumentParser
import Foundation

/// Where text goes, and whether in colour.
enum Terminal {
    /// `--color`.
    enum Color: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

    /// Whether to colour what goes to this descriptor (https://no-color.org).
    static func colors(_ choice: Color, descriptor: Int32) -> Bool {
        switch choice {
        case .always: return true
        case .never: return false
        case .auto:
            let environment = ProcessInfo.processInfo.environment
            return isatty(descriptor) == 1 && environment["NO_COLOR", default: ""].isEmpty
                && environment["TERM"] != "dumb"
        }
    }

    static func result(_ text: String) {
        // A reader that has gone (`| head`) is no failure of ours.
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }

    static func words(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
