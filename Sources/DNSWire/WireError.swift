// What can be wrong with a message of an upstream; the walk over it ends at the first.

/// Why a response is not a well-formed message.
public enum WireError: Error, Sendable {
    /// Fewer than twelve octets, or more than 65,535.
    case short
    /// A name is cut short, too long, of an unknown label type, or its pointers do not lead strictly backward.
    case name
    /// The question or a record is cut short, or RDATA is not what its type demands.
    case record
    /// An OPT record outside the additional section, not owned by the root, or with options that overrun it.
    case option
    /// More records than `TTLOffsets.limit`, more than 16 CNAMEs in a chain, more than 64 DNAMEs, or a rewritten
    /// message above 65,535 octets.
    case tooManyRecords
    case duplicateOPT
}
