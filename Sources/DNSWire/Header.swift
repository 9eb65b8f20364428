// The twelve octets at the start of every message (RFC 1035 4.1.1), by offset and by flag.
// Nobody indexes a header by a bare number: names live here.

/// Offsets and flag bits of the message header.
public enum Header {
    /// Octets of the header.
    public static let size = 12
    public static let idOffset = 0
    public static let flagsOffset = 2
    public static let questionCountOffset = 4
    public static let answerCountOffset = 6
    public static let authorityCountOffset = 8
    public static let additionalCountOffset = 10

    public static let response: UInt16 = 0x8000
    public static let opcodeMask: UInt16 = 0x7800
    public static let authoritative: UInt16 = 0x0400
    public static let truncated: UInt16 = 0x0200
    public static let recursionDesired: UInt16 = 0x0100
    public static let recursionAvailable: UInt16 = 0x0080
    public static let reserved: UInt16 = 0x0040
    public static let authenticData: UInt16 = 0x0020
    public static let checkingDisabled: UInt16 = 0x0010
    public static let rcodeMask: UInt16 = 0x000f
}

extension Span where Element == UInt8 {
    /// Reads 16 bits in network order. The caller has checked `offset + 2 <= count`.
    @inlinable @inline(__always)
    public func load16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    /// Reads 32 bits in network order. The caller has checked `offset + 4 <= count`.
    @inlinable @inline(__always)
    public func load32(_ offset: Int) -> UInt32 { UInt32(load16(offset)) << 16 | UInt32(load16(offset + 2)) }

    /// Reads 64 bits in network order; the caller has checked the bounds.
    @inlinable @inline(__always)
    public func load64(_ offset: Int) -> UInt64 { UInt64(load32(offset)) << 32 | UInt64(load32(offset + 4)) }
}
