// The health of one upstream as a value: what takes it down, how its pauses grow and fade, what brings it back.
//
// What it does to queries is shown by the scenarios health_*.rpl and outage_*.rpl; here are the lengths of time.

import Testing

@testable import ForwarderCore

struct UpstreamHealthTests {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)

    /// Some milliseconds after the start.
    private func at(_ milliseconds: Int64) -> Instant { Self.start + .milliseconds(milliseconds) }

    /// A class, for `#expect` cannot call what changes a value.
    private final class Patient {
        var value: UpstreamHealth
        init(_ value: UpstreamHealth) { self.value = value }
        var state: HealthState { value.state }
        func isEligible(_ now: Instant) -> Bool { value.isEligible(now) }
        func answer() -> Bool { value.noteAnswer() }
        func fail(_ name: UInt64, _ now: Instant) -> Bool { value.noteFailure(nameHash: name, now) }
        func forgive() -> Bool { value.forgive(isNewNetwork: false) }
        /// When it is to be probed.
        var due: Instant? { value.probeDue(heardAt: Instant(nanoseconds: .min), probedAt: UpstreamHealthTests.start) }

        /// Sends a probe at `sent` that gets no answer within a second; returns the pause after it.
        func failProbe(_ sent: Instant) -> Interval? {
            let end = sent + .seconds(1)
            value.isProbing = true
            value.noteSent(sent)
            _ = fail(UInt64(bitPattern: sent.nanoseconds), end)
            value.probeFailed(end)
            value.endProbe(end)
            return due.map { $0 - end }
        }
    }

    private func patient(_ mode: HealthMode, failAfter: Int = 1, recoverAfter: Int = 1, most: Int64 = 60) -> Patient {
        var settings = HealthSettings()
        settings.mode = mode
        settings.failAfter = failAfter
        settings.recoverAfter = recoverAfter
        settings.backoffMin = .seconds(1)
        settings.backoffMax = .seconds(most)
        return Patient(UpstreamHealth(settings: settings))
    }

    // MARK: - Going down

    @Test func differentNamesTakeItDown() {
        let health = patient(.lazy, failAfter: 3)
        #expect(health.state == .up)
        for name in 1...2 as ClosedRange<UInt64> {
            #expect(!health.fail(name, at(0)))
            #expect(health.state == .shaky)
            #expect(health.isEligible(at(0)))
        }
        #expect(health.fail(3, at(0)))
        #expect(health.state == .down)
        #expect(!health.isEligible(at(3_600_000)))
        #expect(!health.fail(4, at(0)), "it goes down once")
    }

    @Test func oneNameDoesNot() {
        let health = patient(.lazy, failAfter: 3)
        for _ in 0..<100 { #expect(!health.fail(7, at(0))) }
        #expect(health.state == .shaky)
    }

    @Test func anAnswerBeginsTheCountAnew() {
        let health = patient(.lazy, failAfter: 2)
        for name in 0..<50 as Range<UInt64> {
            #expect(!health.fail(name, at(0)))
            #expect(!health.answer(), "it was not down")
            #expect(health.state == .up)
        }
        // The same name counts again after an answer.
        #expect(!health.fail(49, at(0)))
        #expect(health.state == .shaky)
    }

    @Test func ofOneFailureOneNameIsEnough() {
        let health = patient(.lazy, failAfter: 1)
        #expect(health.fail(0, at(0)), "0 is the name that nothing was noted of")
    }

    // MARK: - Pauses

    @Test func probesBeginAtOnceAndPausesDouble() {
        let health = patient(.lazy, most: 10)
        _ = health.fail(1, at(0))
        #expect(health.due == at(0))
        var now = at(0)
        for seconds in [1, 2, 4, 8, 10, 10, 10] as [Int64] {
            #expect(health.failProbe(now) == .seconds(seconds))
            now = now + .seconds(1 + seconds)
        }
    }

    @Test func pausesFadeWithTime() {
        let health = patient(.lazy)
        _ = health.fail(1, at(0))
        for _ in 0..<4 { _ = health.failProbe(at(0)) }
        #expect(health.failProbe(at(0)) == .seconds(16))
        // Three steps in a minute and a half; what the last probe added is one of them.
        var later = Patient(health.value)
        #expect(later.failProbe(at(90_000)) == .seconds(4))
        later = Patient(health.value)
        #expect(later.failProbe(at(3_600_000)) == .seconds(1))
    }

    @Test func pausesFadeNotWithTraffic() {
        let health = patient(.lazy)
        _ = health.fail(1, at(0))
        for _ in 0..<4 { _ = health.failProbe(at(0)) }
        let due = health.due
        // Queries that are sent in despair, and fail: neither sooner nor later for them, and no deeper.
        for name in 10..<1_000 as Range<UInt64> {
            health.value.noteSent(at(1_500))
            _ = health.fail(name, at(1_500))
        }
        #expect(health.due == due)
        // One answer in between does not make it forget how often it failed.
        #expect(health.answer())
        _ = health.fail(1, at(2_000))
        #expect(health.failProbe(at(2_000)) == .seconds(16))
    }

    @Test func withoutProbesOneQueryAPauseTries() {
        let health = patient(.off)
        _ = health.fail(1, at(0))
        #expect(health.due == nil)
        #expect(!health.isEligible(at(999)))
        #expect(health.isEligible(at(1_000)))
        health.value.noteSent(at(1_000))
        #expect(!health.isEligible(at(1_001)), "half-open is one query")
        _ = health.fail(2, at(1_400))
        #expect(!health.isEligible(at(3_300)))
        #expect(health.isEligible(at(3_400)), "two seconds after the failure of the try")
        #expect(health.answer())
        #expect(health.isEligible(at(3_400)))
    }

    // MARK: - Coming back

    @Test func severalAnswersInARowBringItBack() {
        let health = patient(.lazy, recoverAfter: 3)
        _ = health.fail(1, at(0))
        var now = at(0)
        for answer in 1...3 {
            health.value.isProbing = true
            #expect(health.state == .probing)
            health.value.noteSent(now)
            #expect(health.answer() == (answer == 3))
            health.value.endProbe(now)
            if answer < 3 {
                // The next one follows without a pause.
                #expect(health.due.map { $0 <= now } == true)
            } else {
                #expect(health.due == nil)
            }
            now = now + .milliseconds(10)
        }
        #expect(health.state == .up)
    }

    @Test func aFailureBetweenAnswersBeginsAnew() {
        let health = patient(.lazy, recoverAfter: 2)
        _ = health.fail(1, at(0))
        for _ in 0..<5 {
            #expect(!health.answer())
            _ = health.fail(2, at(0))
        }
        #expect(!health.answer())
        #expect(health.answer())
    }

    @Test func aProbeThatCouldNotBeSentIsNotRepeatedAtOnce() {
        let health = patient(.lazy)
        _ = health.fail(1, at(0))
        health.value.isProbing = true
        health.value.endProbe(at(0))
        #expect(!health.value.isProbing)
        #expect(health.due == at(1_000))
    }

    // MARK: - Outages, forgiving

    @Test func inAnOutageItIsAskedEachOneToTwoSeconds() {
        let health = patient(.lazy)
        _ = health.fail(1, at(0))
        for _ in 0..<8 { _ = health.failProbe(at(0)) }
        health.value.beginOutage(at(1_000))
        var sent = at(0)
        for _ in 0..<20 {
            guard let due = health.due else { break }
            let period = due - sent
            if sent != at(0) { #expect(period >= .seconds(1) && period <= .seconds(2)) }
            _ = health.failProbe(due)
            sent = due
        }
        #expect(sent > at(20_000))
    }

    @Test func forgivingForgetsEverything() {
        let health = patient(.lazy)
        _ = health.fail(1, at(0))
        for _ in 0..<8 { _ = health.failProbe(at(0)) }
        health.value.noteUnreachable(at(0))
        health.value.beginOutage(at(0))
        #expect(health.forgive(), "it was down")
        #expect(!health.forgive())
        #expect(health.state == .up)
        #expect(health.isEligible(at(0)))
        #expect(health.due == nil)
        _ = health.fail(1, at(0))
        #expect(health.failProbe(at(0)) == .seconds(1))
    }

    @Test func whatIsNotItsFaultIsNotHeldAgainstIt() {
        let health = patient(.lazy)
        health.value.noteUnreachable(at(0))
        #expect(health.state == .up)
        #expect(!health.isEligible(at(999)))
        #expect(health.isEligible(at(1_000)))
        health.value.noteAway(until: at(5_000))
        health.value.noteAway(until: at(3_000))
        _ = health.answer()
        #expect(!health.isEligible(at(4_999)), "an answer to an older query does not end what it asked for")
        #expect(health.isEligible(at(5_000)))
    }

    @Test func aLoopIsNeverAsked() {
        let health = patient(.off)
        health.value.isLooping = true
        #expect(health.state == .looping)
        #expect(!health.isEligible(at(0)))
        _ = health.answer()
        _ = health.forgive()
        #expect(!health.isEligible(at(0)), "only the next loop probe ends it")
    }

    @Test func activeProbesFollowWhatWasHeardLast() {
        let health = patient(.active)
        let interval = HealthSettings().interval
        #expect(health.value.probeDue(heardAt: Instant(nanoseconds: .min), probedAt: at(0)) == at(0) + interval)
        #expect(health.value.probeDue(heardAt: at(7_000), probedAt: at(0)) == at(7_000) + interval)
        #expect(health.value.probeDue(heardAt: at(7_000), probedAt: at(9_000)) == at(9_000) + interval)
        #expect(patient(.lazy).value.probeDue(heardAt: at(0), probedAt: at(0)) == nil)
    }
}
