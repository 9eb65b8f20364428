// The TLS policies of all upstreams, made at start.
//
// WorkerGroup makes it before any thread runs, so that a bad CA file ends the start with a sentence; each worker makes
// its own TLSUpstream values from it. An encrypted upstream without facts of its own is verified by its address; it
// must never be reached in clear text because something was left out.

import ForwarderCore

/// By upstream: its policy and facts, nil where nothing is encrypted.
struct TLSPlan: Sendable {
    struct Entry: Sendable {
        var policy: TLSPolicy
        var security: UpstreamSecurity
    }

    private(set) var entries: [Entry?] = []

    init(engine: EngineSettings, runtime: RuntimeSettings) throws(TLSPolicy.Mistake) {
        var keyLog: KeyLog?
        if !runtime.keylog.isEmpty && engine.upstreams.contains(where: { $0.transport.isEncrypted }) {
            do throws(SystemError) {
                keyLog = try KeyLog(path: runtime.keylog)
            } catch {
                throw TLSPolicy.Mistake(text: "the key log \(runtime.keylog) cannot be written: \(error.text)")
            }
        }
        var made: [TLSPolicy.Key: TLSPolicy] = [:]
        for (index, upstream) in engine.upstreams.enumerated() {
            guard upstream.transport.isEncrypted else {
                entries.append(nil)
                continue
            }
            let told = index < runtime.security.count ? runtime.security[index] : nil
            let security = told ?? UpstreamSecurity(serverName: "")
            let key = TLSPolicy.Key(security, upstream.transport == .https ? .http2 : .dot)
            let policy: TLSPolicy
            if let known = made[key] {
                policy = known
            } else {
                do throws(TLSPolicy.Mistake) {
                    policy = try TLSPolicy(key, resumes: runtime.resumption, keyLog: keyLog)
                } catch {
                    throw TLSPolicy.Mistake(text: "upstream \(upstream.name): \(error.text)")
                }
                made[key] = policy
            }
            entries.append(Entry(policy: policy, security: security))
        }
    }

    /// One worker's share, with tickets of its own.
    func upstreams() -> [TLSUpstream?] {
        entries.map { entry in entry.map { TLSUpstream(policy: $0.policy, security: $0.security) } }
    }
}
