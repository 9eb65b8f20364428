// Lists of networks as written: CIDR blocks, and words for some of them. Called for server.allow, server.deny and the
// clients of routes. A block with host bits is refused, since it hides a slip.

/// Reads lists of networks.
struct NetworkList {
    private(set) var problems: [SettingsProblem] = []

    /// RFC 1918, RFC 6598 is not among them (it is the carrier's), ULA (RFC 4193), link-local (RFC 3927, RFC 4291).
    static let words: [(word: String, blocks: [String])] = [
        ("any", ["0.0.0.0/0", "::/0"]),
        ("loopback", ["127.0.0.0/8", "::1/128"]),
        ("private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"]),
    ]

    /// Each block once. `path`: as people write the key; `words`: whether words may stand for blocks.
    mutating func read(_ texts: [CheckedValue.ListedText], path: String, words: Bool) -> [AddressBlock] {
        var blocks: [AddressBlock] = []
        var seen: Set<AddressBlock> = []
        for listed in texts {
            for block in self.blocks(listed, path, words) where seen.insert(block).inserted { blocks.append(block) }
        }
        return blocks
    }

    private mutating func blocks(_ listed: CheckedValue.ListedText, _ path: String, _ words: Bool) -> [AddressBlock] {
        if words, let known = NetworkList.words.first(where: { $0.word == listed.text }) {
            return known.blocks.compactMap { try? AddressText.parseBlock($0).get() }
        }
        switch AddressText.parseBlock(listed.text) {
        case .success(let block): return [block]
        case .failure(let refusal):
            let near = words ? EditDistance.nearest(to: listed.text, among: NetworkList.words.map(\.word)) : nil
            problems.append(
                SettingsProblem(
                    "'\(path)': \(quoted(listed.text)) \(refusal.words)", from: listed.origin,
                    note: near.map { "did you mean '\($0)'?" }, help: refusal.help))
            return []
        }
    }
}
