// The name servers of a file in the form of resolv.conf(5), as glibc reads it.
//
// SystemServers gives it the bytes of /etc/resolv.conf and its relatives. Files are written by many hands: whatever is
// no `nameserver` line with a usable address is passed over, nothing is an error.

import CLinux
import ForwarderCore

enum ResolvConf {
    /// No address in text is longer: 45 octets, a zone of 15, the sign between.
    static let longestAddress = 64

    /// The addresses of the `nameserver` lines, in order. Lines with a zone that we do not have are left out.
    static func servers(_ bytes: [UInt8]) -> [NetworkAddress] {
        let keyword = Array("nameserver".utf8)
        return bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") }).compactMap { line in
            // The keyword begins the line and a blank follows it.
            guard line.starts(with: keyword), let after = line.dropFirst(keyword.count).first, isBlank(after) else {
                return nil
            }
            let text = line.dropFirst(keyword.count).drop(while: isBlank).prefix { !endsWord($0) }
            return address(text)
        }
    }

    private static func isBlank(_ octet: UInt8) -> Bool { octet == UInt8(ascii: " ") || octet == UInt8(ascii: "\t") }

    private static func endsWord(_ octet: UInt8) -> Bool { octet <= 0x20 || octet == 0x23 || octet == 0x3b }

    /// An address in text, with its zone where it has one; nil for anything else.
    static func address(_ text: some Sequence<UInt8>) -> NetworkAddress? {
        var octets = Array(text)
        guard !octets.isEmpty, octets.count <= longestAddress, !octets.contains(0) else { return nil }
        octets.append(0)
        var found = cl_address()
        let result = unsafe octets.withUnsafeBytes { buffer in
            // Safety: the text is terminated, and both outlive the call.
            unsafe cl_address_from_text(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), &found)
        }
        return result == 0 ? found.networkAddress?.unmapped : nil
    }
}
