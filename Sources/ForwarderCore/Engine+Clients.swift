// From a client's message to a reply at once, or to the table of questions in flight: intake, route, local, cache.
//
// The route comes first, since the group that a question goes to is part of the cache's key.

import DNSWire

extension Engine {
    /// A client's message: one UDP datagram, or one TCP message without its length octets.
    public mutating func clientSent(
        _ message: Span<UInt8>, from client: Client, now: Instant, into out: inout ActionBuffer
    ) {
        counters.queries += 1
        let parsed = parseQuery(message)
        if parsed.problem == .short { return drop(.malformed) }
        if parsed.problem == .isResponse { return drop(.notQuery) }
        var caseMask = CaseMask()
        if parsed.nameLength > 0 {
            caseMask = foldName(message, start: Header.size, length: parsed.nameLength, into: &nameScratch, at: 0)
        }
        var query = remember(parsed, caseMask, client)
        if parsed.cookieLength > 0 {
            query.cookie = serverCookies.read(message, parsed, from: client.endpoint.address, now: now)
        }
        let question = parsed.nameLength > 0 ? self.question(parsed) : nil
        if limiter.isOn && !isWithinRate(question, query, now: now, into: &out) { return }
        guard access.allows(client.endpoint.address) else {
            return refuse(.refused, .prohibited, question, query, into: &out)
        }
        switch intake.judge(parsed, name: nameScratch) {
        case .drop(let reason): drop(reason)
        case .refuse(let rcode, let extended): refuse(rcode, extended, question, query, into: &out)
        case .minimalAny:
            guard let question else { return drop(.malformed) }
            counters.local += 1
            writer.writeMinimalAny(question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .identity:
            guard let question else { return drop(.malformed) }
            counters.local += 1
            writer.writeIdentity(question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .cookieRequest:
            counters.local += 1
            let rcode: ResponseCode = query.cookie?.isWrong == true ? .badCookie : .noError
            writer.writeError(
                rcode, nil, text: "", question: nil, name: nameScratch, nameOffset: 0, to: query, into: &out)
        case .ask:
            guard let question else { return drop(.malformed) }
            answer(question, query, now: now, into: &out)
        }
    }

    /// `rate_limit`, for clients whose address may be forged. Every second query over it is told to come back over TCP,
    /// so that an honest client behind the same address is not shut out.
    private mutating func isWithinRate(
        _ question: Question?, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        if query.client.isStream || query.cookie?.isValid == true { return true }
        switch limiter.admit(ClientLoad.key(query.client.endpoint.address), now: now) {
        case .pass: return true
        case .drop: drop(.rate)
        case .slip:
            guard let question else {
                drop(.rate)
                return false
            }
            counters.slipped += 1
            writer.writeWithoutRecords(
                .noError, nil, EchoedQuestion(question, nameOffset: 0), names: nameScratch, to: query, into: &out)
        }
        return false
    }

    mutating func drop(_ reason: DropReason) { counters.dropped[reason.rawValue] += 1 }

    mutating func refuse(
        _ rcode: ResponseCode, _ extended: ExtendedErrorCode?, _ question: Question?, _ query: ClientQuery,
        into out: inout ActionBuffer
    ) {
        counters.refused += 1
        writer.writeError(
            rcode, extended, text: "", question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
    }

    private func remember(_ parsed: ParsedQuery, _ caseMask: CaseMask, _ client: Client) -> ClientQuery {
        let asked = parsed.hasEDNS ? max(512, parsed.udpSize) : 512
        return ClientQuery(
            client: client, id: parsed.id, caseMask: caseMask, opcode: parsed.opcode,
            recursionDesired: parsed.recursionDesired, checkingDisabled: parsed.checkingDisabled,
            authenticData: parsed.authenticData,
            dnssecOK: parsed.dnssecOK, hasEDNS: parsed.hasEDNS,
            wantsKeepalive: parsed.hasKeepalive && client.isStream,
            sizeLimit: client.isStream ? 65_535 : Int(min(asked, max(512, settings.udpPayload))))
    }

    private func question(_ parsed: ParsedQuery) -> Question {
        Question(
            nameLength: parsed.nameLength, labelCount: parsed.labelCount, type: parsed.type,
            recordClass: parsed.recordClass, dnssecOK: parsed.dnssecOK, checkingDisabled: parsed.checkingDisabled,
            group: 0, nameHash: hashName(nameScratch, 0, parsed.nameLength, seed: cache.seed), epoch: groupEpochs[0])
    }

    /// route, then local, then cache, then forward.
    private mutating func answer(
        _ asked: Question, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) {
        var question = asked
        var caches = true
        var isRouted = false
        if !routes.isEmpty, let match = route(question, query) {
            guard case .forward(let group) = match.action else {
                return turnAway(match.action, question, query, into: &out)
            }
            question.setGroup(group, epoch: groupEpochs[group])
            caches = match.caches
            isRouted = match.labels > 0
        }
        if answerHere(question, query, isRouted: isRouted, into: &out) { return }
        guard caches else { return forward(question, query, hasStale: false, caches: false, now: now, into: &out) }
        turn &+= 1
        switch cache.answer(
            question, name: nameScratch, nameOffset: 0, now: now, turn: turn, writer: writer, to: query, into: &out)
        {
        case .answered(_, let isDue):
            counters.fromCache += 1
            if isDue { refresh(question, .prefetch, now: now, into: &out) }
        case .stale:
            counters.stale += 1
        case .miss(let hasStale):
            if answerFromFallback(question, query, now: now, into: &out) { return }
            forward(question, query, hasStale: hasStale, caches: true, now: now, into: &out)
        }
    }

    /// While the group is down its fallback would be asked: what that said before is as good.
    private mutating func answerFromFallback(
        _ question: Question, _ query: ClientQuery, now: Instant, into out: inout ActionBuffer
    ) -> Bool {
        let group = Int(question.group)
        guard let fallback = settings.groups[group].fallback, isDown(group, now) else { return false }
        var question = question
        question.setGroup(fallback, epoch: groupEpochs[fallback])
        let found = cache.answer(
            question, name: nameScratch, nameOffset: 0, now: now, turn: turn, writer: writer, to: query, into: &out)
        switch found {
        case .answered: counters.fromCache += 1
        case .stale: counters.stale += 1
        case .miss: return false
        }
        return true
    }

    private mutating func route(_ question: Question, _ query: ClientQuery) -> RouteMatch? {
        routes.find(
            nameScratch, nameOffset: 0, nameLength: question.nameLength, labelCount: question.labelCount,
            type: question.type.rawValue, client: query.client.endpoint.address)
    }

    /// A route that leads nowhere.
    private mutating func turnAway(
        _ action: RouteAction, _ question: Question, _ query: ClientQuery, into out: inout ActionBuffer
    ) {
        counters.routed += 1
        switch action {
        case .refuse: refuse(.refused, .blocked, question, query, into: &out)
        case .nameError:
            counters.local += 1
            writer.writeError(
                .nameError, .blocked, text: "by a route", question: question, name: nameScratch, nameOffset: 0,
                to: query, into: &out)
        case .drop, .forward: drop(.routed)
        }
    }

    /// What is answered without asking anybody: special names, and the probe that tells whether a server sends our
    /// queries back to us.
    private mutating func answerHere(
        _ question: Question, _ query: ClientQuery, isRouted: Bool, into out: inout ActionBuffer
    ) -> Bool {
        // A route for a private zone is a wish to have it resolved there (RFC 6303 4).
        if let local = specialNames.answer(question, name: nameScratch, isRouted: isRouted) {
            counters.local += 1
            writer.writeLocal(local, question: question, name: nameScratch, nameOffset: 0, to: query, into: &out)
            return true
        }
        return settings.detectsLoops && answerLoopProbe(question, query, into: &out)
    }
}
