// The letter case of a name, as bits: so that a name is kept folded once, and each client gets its own case back.

/// One bit for each octet of a name (at most 255): set where the octet is an upper-case letter A-Z.
public struct CaseMask: Equatable, Sendable {
    public var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    public init() {}

    public static func == (a: CaseMask, b: CaseMask) -> Bool { a.words == b.words }

    public subscript(index: Int) -> Bool {
        get {
            let bit = UInt64(1) << UInt64(index & 63)
            switch index >> 6 {
            case 0: return words.0 & bit != 0
            case 1: return words.1 & bit != 0
            case 2: return words.2 & bit != 0
            default: return words.3 & bit != 0
            }
        }
        set {
            let bit = UInt64(1) << UInt64(index & 63)
            switch index >> 6 {
            case 0: words.0 = newValue ? words.0 | bit : words.0 & ~bit
            case 1: words.1 = newValue ? words.1 | bit : words.1 & ~bit
            case 2: words.2 = newValue ? words.2 | bit : words.2 & ~bit
            default: words.3 = newValue ? words.3 | bit : words.3 & ~bit
            }
        }
    }
}
