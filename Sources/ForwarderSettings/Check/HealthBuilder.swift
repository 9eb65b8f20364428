// Builds `[health]`: the probe's question is parsed here, the rest is copied. Called by SettingsCheck.

/// Builds the health section.
struct HealthBuilder {
    private(set) var problems: [SettingsProblem] = []
    private let checked: CheckedDocument

    init(_ checked: CheckedDocument) { self.checked = checked }

    mutating func build() -> Settings.Health {
        var health = Settings.Health()
        health.mode = checked.word("health.mode", .lazy)
        health.interval = checked.duration("health.interval")
        if let (name, type) = question() {
            health.queryName = name
            health.queryType = type
        }
        health.timeout = checked.duration("health.timeout")
        health.failAfter = checked.integer("health.fail_after")
        health.recoverAfter = checked.integer("health.recover_after")
        health.backoffMin = checked.duration("health.backoff_min")
        health.backoffMax = checked.duration("health.backoff_max")
        if health.backoffMin > health.backoffMax {
            problems.append(
                SettingsProblem(
                    "'health.backoff_min' is more than 'health.backoff_max'",
                    from: checked.origin(
                        checked.isWritten("health.backoff_min") ? "health.backoff_min" : "health.backoff_max")))
        }
        return health
    }

    /// `NAME TYPE`.
    private mutating func question() -> (name: [UInt8], type: UInt16)? {
        let text = checked.text("health.query")
        func refuse(_ words: String, note: String? = nil, help: String? = nil) {
            problems.append(
                SettingsProblem(
                    "'health.query' \(words)", from: checked.origin("health.query"), note: note, help: help))
        }
        let parts = text.split(separator: " ")
        guard parts.count == 2 else {
            refuse("must be NAME TYPE, got \(quoted(text))", help: "as in \". NS\"")
            return nil
        }
        switch (DomainName.parse(String(parts[0])), RecordType.parse(parts[1])) {
        case (.success(let name), .success(let type)): return (name, type)
        case (.failure(let refusal), _):
            refuse("has a name that \(refusal.words): \(quoted(String(parts[0])))", help: refusal.help)
        case (_, .failure(let refusal)):
            refuse(
                "has a type that \(refusal.words): \(quoted(String(parts[1])))",
                note: refusal.near.map { "did you mean '\($0)'?" })
        }
        return nil
    }
}
