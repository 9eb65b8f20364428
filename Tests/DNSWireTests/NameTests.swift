// Names: folding of letters (RFC 4343) with its case mask, the hash, presentation text (RFC 1035 5.1), and wire names
// that are broken.

import Testing

@testable import DNSWire

@Suite struct NameTests {
    /// Every octet, at every place of a word, folds as RFC 4343 says and gives its bit.
    @Test func foldsEveryOctetAndMarksUpperCase() {
        for octet in UInt8.min...UInt8.max {
            for length in [1, 5, 8, 9, 16, 31, 64, 65, 130, 200, 255] {
                let name = [UInt8](repeating: octet, count: length)
                var folded = ByteStore(capacity: 300)
                let mask = foldName(name.span, start: 0, length: length, into: &folded, at: 3)
                let isUpper = octet >= 0x41 && octet <= 0x5a
                for i in 0..<length {
                    guard folded[3 + i] == (isUpper ? octet + 32 : octet), mask[i] == isUpper else {
                        Issue.record("octet \(octet), length \(length), index \(i)")
                        return
                    }
                }
                #expect(mask == CaseMask() || isUpper)
            }
        }
    }

    @Test func foldsAtTheVeryEndOfAStoreWithoutTouchingNeighbours() {
        let name = wire("WwW.eXample.")
        var folded = ByteStore(capacity: name.count + 1)
        folded[0] = 0x5a
        let mask = foldName(name.span, start: 0, length: name.count, into: &folded, at: 1)
        #expect(folded[0] == 0x5a)
        #expect(presentName(folded, 1, length: name.count) == "www.example.")
        #expect((0..<name.count).filter { mask[$0] } == [1, 3, 6])
    }

    @Test func hashDependsOnEveryOctetAndOnTheSeed() {
        let seed: (UInt64, UInt64) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)
        for length in [1, 2, 7, 8, 9, 15, 16, 17, 24, 33, 255] {
            let base = [UInt8](repeating: 7, count: length)
            let hash = hashName(store(base), 0, length, seed: seed)
            // What lies behind the name must not matter.
            #expect(hash == hashName(store(base + [9, 9, 9, 9, 9, 9, 9, 9]), 0, length, seed: seed))
            #expect(hash == hashName(store(base, capacity: length), 0, length, seed: seed))
            #expect(hash != hashName(store(base), 0, length, seed: (seed.0, seed.1 ^ 1)))
            #expect(hash != hashName(store(base), 0, length, seed: (seed.0 ^ 1, seed.1)))
            for i in 0..<length {
                var other = base
                other[i] = 8
                if hashName(store(other), 0, length, seed: seed) == hash { Issue.record("octet \(i) of \(length)") }
            }
        }
    }

    @Test func hashSpreadsNeighbouringNames() {
        let buckets = 4096
        for shift in [0, 20, 40, 52] as [UInt64] {
            var filled = [Int](repeating: 0, count: buckets)
            for i in 0..<buckets * 8 {
                let name = wire("host\(i).example.com.")
                let hash = hashName(store(name), 0, name.count, seed: (1, 2))
                filled[Int(truncatingIfNeeded: hash >> shift) & (buckets - 1)] += 1
            }
            // Poisson with mean 8: an empty bucket has probability 3e-4, one above 28 is not to be expected.
            #expect(filled.filter { $0 == 0 }.count < 12)
            #expect(filled.max() ?? 0 < 28)
        }
    }

    @Test func textRoundTrips() {
        let names = [".", "a.", "www.example.com.", "a\\.b.c.", "\\\\.x.", "\\000\\255\\032.x.", "\\@\\;.x."]
        for name in names {
            let octets = wire(name)
            #expect(presentName(octets.span, 0, length: octets.count) == name)
        }
        #expect(wire("www.example") == wire("www.example."))
        #expect(wire("A.b") == [1, 0x41, 1, 0x62, 0])
        let longLabel = String(repeating: "x", count: 63)
        #expect(parseName(longLabel)?.count == 65)
        let longest = [longLabel, longLabel, longLabel, String(repeating: "y", count: 61)].joined(separator: ".")
        #expect(parseName(longest)?.count == 255)
    }

    @Test func textThatIsNoName() {
        let label = String(repeating: "x", count: 63)
        let tooLong = [label, label, label, String(repeating: "y", count: 62)].joined(separator: ".")
        for text in [
            "", "..", ".a", "a..b", label + "x", tooLong, "a b", "\\", "\\1", "\\12", "\\256", "\\1x2", "é", "a\t",
        ] {
            #expect(parseName(text) == nil, "\(text)")
        }
    }

    @Test func brokenWireNamesAreShownNotRead() {
        for octets in [[], [3, 0x61], [64, 0], [0xc0, 12], [1, 0x61]] as [[UInt8]] {
            #expect(presentName(octets.span, 0, length: octets.count).hasSuffix("?"))
        }
        #expect(presentName(([0] as [UInt8]).span, 0, length: 5) == "?")
    }
}
