// The version of this build, once for both executables.

/// What `fleetwing version` and `fleetwingd --version` print.
public let fleetwingVersion = "0.1.0"
