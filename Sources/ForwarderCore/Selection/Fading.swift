// How old news loses weight: by half-lives, in whole numbers.
//
// FastestStrategy reads its estimates and penalties through it, LatencyEstimate what timeouts added. Steps of any
// length must come to the same, or an estimate that is read often would live longer than one that is read rarely.

/// Halving by time.
enum Fading {
    /// What is left of `value` (nanoseconds, taken as within 0...2^38, some 4 minutes) after `age`. A time that went
    /// back leaves it as it is.
    static func remainder(of value: Int64, after age: Interval, halfLife: Interval) -> Int64 {
        let value = min(max(0, value), 1 << 38)
        guard value > 0, age.nanoseconds > 0, halfLife.nanoseconds > 0 else { return value }
        // Most ages are below a half-life, and a division costs as much as all the rest.
        let isShort = age < halfLife
        let halvings = isShort ? 0 : age.nanoseconds / halfLife.nanoseconds
        guard halvings < 38 else { return 0 }
        // Between two halvings 2^-x is taken as 1 - 11/16 x + 3/16 x^2: right at both ends, never off by more than
        // 0.5 %, and of the right slope at 0, which is what counts for many small steps. x is in parts of 2^20.
        let part = max(1, halfLife.nanoseconds >> 20)
        let rest = isShort ? age.nanoseconds : age.nanoseconds % halfLife.nanoseconds
        let x = min(rest / part, 1 << 20)
        let lost = (11 * x - (3 * x * x) >> 20) / 16
        let whole = value >> halvings
        return whole - (whole * lost) >> 20
    }
}
