// Small text files of the kernel (/proc), read whole with a bound.

import CLinux

public enum SystemFile {
    /// The first 256 KiB of a file, or nil when it cannot be read.
    public static func read(_ path: String) -> String? {
        // Safety: the string is terminated and outlives the call.
        let number = unsafe path.withCString { unsafe cl_open_read($0) }
        if number < 0 { return nil }
        let descriptor = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < 256 << 10 {
            let count = unsafe block.withUnsafeMutableBytes { buffer in
                // Safety: the length is the buffer's own.
                unsafe cl_read(descriptor.number, buffer.baseAddress, buffer.count)
            }
            if count <= 0 { break }
            bytes.append(contentsOf: block[0..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
