// Small text files of the kernel (/proc) and of the system, read whole with a bound.

import CLinux

public enum SystemFile {
    /// The first 256 KiB of a file, or nil when it cannot be read.
    public static func read(_ path: String) -> String? {
        octets(path, limit: 256 << 10).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first `limit` octets of a file, or nil when it cannot be read.
    static func octets(_ path: String, limit: Int) -> [UInt8]? {
        // Safety: the string is terminated and outlives the call.
        let number = unsafe path.withCString { unsafe cl_open_read($0) }
        if number < 0 { return nil }
        let descriptor = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < limit {
            let count = unsafe block.withUnsafeMutableBytes { buffer in
                // Safety: the length is the buffer's own.
                unsafe cl_read(descriptor.number, buffer.baseAddress, buffer.count)
            }
            // A directory opens, but does not read.
            if count < 0 && bytes.isEmpty { return nil }
            if count <= 0 { break }
            bytes.append(contentsOf: block[0..<count])
        }
        return Array(bytes.prefix(limit))
    }
}
