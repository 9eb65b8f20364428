// Durations, sizes, shares and rates as people write them, both ways. Called by the value check and by messages. A bare
// number is never taken: "300" of what? Nothing here overflows: whatever does not fit is not a quantity.

/// Reading and writing quantities.
enum Quantity {
    private static let durationUnits: [(name: String, nanoseconds: Int)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000),
    ]
    private static let sizeUnits: [(name: String, octets: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000), ("MB", 1_000_000),
        ("kB", 1_000), ("B", 1),
    ]

    /// `300ms`, `1.8s`, `1h30m`: nanoseconds. Units must fall, so that `5m1h` is seen as the slip that it is.
    static func duration(_ text: String) -> Int? {
        var rest = Substring(text)
        var total = 0
        var last = Int.max
        repeat {
            guard let (amount, unit) = takeNumber(&rest),
                let factor = durationUnits.first(where: { $0.name == unit })?.nanoseconds, factor < last,
                let part = amount.times(factor)
            else { return nil }
            last = factor
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        } while !rest.isEmpty
        return total
    }

    /// `64MiB`, `512kB`: octets.
    static func size(_ text: String) -> Int? {
        var rest = Substring(text)
        guard let (amount, unit) = takeNumber(&rest), rest.isEmpty,
            let factor = sizeUnits.first(where: { $0.name == unit })?.octets
        else { return nil }
        return amount.times(factor)
    }

    /// `10%`: percent.
    static func share(_ text: String) -> Int? {
        text.hasSuffix("%") ? digits(text.dropLast()) : nil
    }

    /// `50/s`: a second.
    static func rate(_ text: String) -> Int? {
        text.hasSuffix("/s") ? digits(text.dropLast(2)) : nil
    }

    /// The shortest exact text: 5400 s is `1h30m`.
    static func durationText(_ nanoseconds: Int) -> String {
        guard nanoseconds > 0 else { return "0s" }
        var rest = nanoseconds
        var text = ""
        for unit in durationUnits where rest >= unit.nanoseconds {
            text += "\(rest / unit.nanoseconds)\(unit.name)"
            rest %= unit.nanoseconds
        }
        return text
    }

    /// The largest unit that divides: 67108864 is `64MiB`.
    static func sizeText(_ octets: Int) -> String {
        for unit in sizeUnits where octets >= unit.octets && octets % unit.octets == 0 {
            return "\(octets / unit.octets)\(unit.name)"
        }
        return "\(octets)B"
    }

    /// A decimal number with at most nine places.
    private struct Decimal {
        var whole: Int
        var fraction: Int
        var scale: Int

        /// nil when it does not fit, or is not whole in the smallest unit.
        func times(_ factor: Int) -> Int? {
            let (a, overflowA) = whole.multipliedReportingOverflow(by: factor)
            let (b, overflowB) = fraction.multipliedReportingOverflow(by: factor)
            guard !overflowA, !overflowB, b % scale == 0 else { return nil }
            let (sum, overflow) = a.addingReportingOverflow(b / scale)
            return overflow ? nil : sum
        }
    }

    private static func takeNumber(_ rest: inout Substring) -> (Decimal, Substring)? {
        let whole = rest.prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(whole.count)
        guard let wholeValue = digits(whole) else { return nil }
        var number = Decimal(whole: wholeValue, fraction: 0, scale: 1)
        if rest.first == "." {
            let places = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(1 + places.count)
            guard places.count <= 9, let fraction = digits(places) else { return nil }
            number.fraction = fraction
            for _ in 0..<places.count { number.scale *= 10 }
        }
        let unit = rest.prefix { $0.isASCII && $0.isLetter }
        rest = rest.dropFirst(unit.count)
        return unit.isEmpty ? nil : (number, unit)
    }

    private static func digits(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.count <= 18, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int(text)
    }
}
