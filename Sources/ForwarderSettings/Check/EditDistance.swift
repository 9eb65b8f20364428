// "Did you mean": the nearest of a few known words. Called when a key, a word or a name is unknown. At most one
// suggestion, and none for garbage: a wrong guess costs more than silence.

/// Distance between words, transpositions counted as one.
enum EditDistance {
    /// The nearest word within 2 edits, or a third of the length; nil when none is, or when two are as near.
    static func nearest(to word: String, among known: [String]) -> String? {
        let typed = Array(word.lowercased().unicodeScalars)
        guard typed.count >= 2, typed.count <= 64 else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in known {
            let letters = Array(candidate.unicodeScalars)
            let limit = min(max(2, typed.count / 3), max(1, min(typed.count, letters.count) / 2))
            let distance = distance(typed, letters)
            if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.word
    }

    /// Optimal string alignment distance; three rows suffice.
    static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var before = [Int](repeating: 0, count: b.count + 1)
        var previous = Array(0...b.count)
        for i in 1...a.count {
            var row = [Int](repeating: i, count: b.count + 1)
            for j in 1...b.count {
                let cost = a[i - 1] == b[j - 1] ? 0 : 1
                row[j] = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + cost)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { row[j] = min(row[j], before[j - 2] + 1) }
            }
            before = previous
            previous = row
        }
        return previous[b.count]
    }
}
