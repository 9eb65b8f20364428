/// Reads a client's message as far as it can be read; `problem` says why no further.
public func parseQuery(_ message: Span<UInt8>) -> ParsedQuery { fatalError("H1") }
