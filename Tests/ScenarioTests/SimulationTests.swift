// A few random worlds in every test run; `make simulate` runs the thousands, in a release build.
//
// A failure names its seed: `make simulate SEED=n` tells all that happened.

import Simulator
import Testing

struct SimulationTests {
    @Test func everyQueryIsAnsweredOnceRightlyAndInTime() {
        var answers = 0
        var errors = 0
        for seed in 1...60 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed)
            simulation.run()
            answers += simulation.answers
            errors += simulation.serverFailures
            #expect(simulation.problems.isEmpty, "seed \(seed): \(simulation.problems.first ?? "")")
        }
        // Errors are allowed, since every upstream may fail; but they must stay the exception.
        #expect(errors * 2 < answers, "\(errors) errors, \(answers) answers")
    }
}
