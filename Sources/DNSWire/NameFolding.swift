// Folding a question's name to lower case, remembering its case, and hashing it: one pass, for the cache's key.

/// Copies the uncompressed name of `length` octets at `start` of `message` into `store`, A-Z folded (RFC 4343: nothing
/// else is), and returns which octets were upper-case. The caller has parsed the name.
public func foldName(
    _ message: Span<UInt8>, start: Int, length: Int, into store: inout ByteStore, at offset: Int
) -> CaseMask {
    fatalError("H1")
}

/// A keyed hash of `length` octets at `offset`; the seed is secret, so that nobody can aim at one bucket.
public func hashName(_ store: borrowing ByteStore, _ offset: Int, _ length: Int, seed: (UInt64, UInt64)) -> UInt64 {
    fatalError("H1")
}
