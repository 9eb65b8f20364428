// Networks as a set of addresses: what lies in what, and what overlaps. Called by RouteTies to tell routes apart by
// their clients. Two lists of blocks that mean the same addresses are equal here.

/// A set of addresses as disjoint blocks in order, as few as can be.
struct NetworkSet: Hashable {
    let blocks: [AddressBlock]

    init(_ written: [AddressBlock]) {
        // By family and address, the larger of two with one address first: then whatever lies in a block follows it.
        let sorted = written.sorted { a, b in
            if a.address != b.address { return NetworkSet.precedes(a.address, b.address) }
            return a.prefixLength < b.prefixLength
        }
        var merged: [AddressBlock] = []
        for block in sorted where !(merged.last.map { NetworkSet.contains($0, block) } ?? false) {
            var block = block
            // Two halves are one block.
            while let last = merged.last, let both = NetworkSet.union(last, block) {
                merged.removeLast()
                block = both
            }
            merged.append(block)
        }
        blocks = merged
    }

    func overlaps(_ other: NetworkSet) -> Bool {
        var (mine, theirs) = (0, 0)
        while mine < blocks.count, theirs < other.blocks.count {
            let (a, b) = (blocks[mine], other.blocks[theirs])
            if NetworkSet.contains(a, b) || NetworkSet.contains(b, a) { return true }
            if NetworkSet.precedes(a.address, b.address) { mine += 1 } else { theirs += 1 }
        }
        return false
    }

    /// Whether every address is one of the other's.
    func isInside(_ other: NetworkSet) -> Bool {
        var at = 0
        for block in blocks {
            // As few as can be, so one block is never spread over several of the other's.
            while at < other.blocks.count, !NetworkSet.contains(other.blocks[at], block) { at += 1 }
            if at == other.blocks.count { return false }
        }
        return true
    }

    /// Whether it has fewer addresses: whatever lies strictly inside another has. IPv6 counts first.
    func isNarrower(than other: NetworkSet) -> Bool { extent < other.extent }

    /// All of IPv6 is one more than UInt128 holds, so it has a place of its own.
    private var extent: (Int, UInt128, UInt128) {
        var (whole, six, four): (Int, UInt128, UInt128) = (0, 0, 0)
        for block in blocks {
            if !block.address.isIPv6 {
                four += 1 << UInt128(32 - block.prefixLength)
            } else if block.prefixLength == 0 {
                whole = 1
            } else {
                six += 1 << UInt128(128 - block.prefixLength)
            }
        }
        return (whole, six, four)
    }

    private static func contains(_ outer: AddressBlock, _ inner: AddressBlock) -> Bool {
        outer.address.isIPv6 == inner.address.isIPv6 && outer.prefixLength <= inner.prefixLength
            && inner.address.masked(to: outer.prefixLength) == outer.address
    }

    private static func precedes(_ a: IPAddress, _ b: IPAddress) -> Bool {
        (a.isIPv6 ? 1 : 0, a.high, a.low) < (b.isIPv6 ? 1 : 0, b.high, b.low)
    }

    /// The block whose halves these two are.
    private static func union(_ first: AddressBlock, _ second: AddressBlock) -> AddressBlock? {
        let length = first.prefixLength - 1
        guard length >= 0, second.prefixLength == first.prefixLength, first.address != second.address else {
            return nil
        }
        let both = AddressBlock(address: first.address.masked(to: length), prefixLength: length)
        return both.address == first.address && contains(both, second) ? both : nil
    }
}
