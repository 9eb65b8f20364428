// PortAllocator: unique, in range, resting after release, spread over the whole range.

import ForwarderCore
import Testing

@testable import ForwarderRuntime

@Suite struct PortAllocatorTests {
    let start = Instant(nanoseconds: 1_000_000_000)

    @Test func uniqueAndInRange() {
        let ports = PortAllocator(excluded: [5000...5999, 53...53])
        var seen: Set<UInt16> = []
        for _ in 0..<20_000 {
            guard let port = ports.take(now: start) else { continue }
            #expect(seen.insert(port).inserted)
            #expect(port >= 1024)
            #expect(!(5000...5999).contains(port))
        }
        #expect(seen.count > 19_990)
    }

    @Test func spreadOverTheRange() {
        let ports = PortAllocator(excluded: [])
        var buckets = [Int](repeating: 0, count: 64)
        for _ in 0..<6_400 {
            guard let port = ports.take(now: start) else { continue }
            buckets[Int(port >> 10)] += 1
            ports.giveBack(port)
        }
        #expect(buckets[0] == 0)
        // 101.6 expected, standard deviation 10: six of them.
        for bucket in buckets.dropFirst() { #expect((40...165).contains(bucket)) }
    }

    @Test func restsAfterRelease() {
        // Only 1024 ... 1027 are left.
        let ports = PortAllocator(excluded: [1028...65_535])
        func takeSome(_ now: Instant) -> Set<UInt16> {
            // A draw hits a free port in 4 of 65,536 cases, so ask often.
            Set((0..<20_000).compactMap { _ in ports.take(now: now) })
        }
        let all = takeSome(start)
        #expect(all == [1024, 1025, 1026, 1027])
        for port in all { ports.release(port, now: start) }
        #expect(takeSome(start + .seconds(9)).isEmpty)
        #expect(takeSome(start + .seconds(10)) == all)
    }

    @Test(
        arguments: [
            ("", []), ("8080", [8080...8080]), ("8080,9148-9150\n", [8080...8080, 9148...9150]),
            ("7-3,70000,x,1-2-3,-", []), ("1-65535", [1...65_535]),
        ] as [(String, [ClosedRange<UInt16>])])
    func reservedPorts(_ text: String, _ expected: [ClosedRange<UInt16>]) {
        #expect(PortAllocator.ranges(text) == expected)
    }
}
