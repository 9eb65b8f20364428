// The snapshot's file: read in pieces; written beside itself, flushed, and put in its place by one rename.
//
// SnapshotThread calls it. Whoever reads the name finds the old file or the new one, whole, also after a power cut:
// the octets are flushed before the rename, the directory after it. It must never leave its temporary file behind.

import CLinux
import ForwarderCore
import Glibc

/// A file in the state directory.
struct SnapshotFile {
    let path: String
    /// Where the next one is made. One name, so that a killed daemon leaves one file at most, which the next replaces.
    var temporaryPath: String { path + ".new" }
    /// Where a damaged one is put for whoever wants to look at it. One only.
    var damagedPath: String { path + ".damaged" }

    private let directory: String

    init(directory: String) {
        self.directory = directory
        path = directory + "/cache.snapshot"
    }

    /// How loading ended.
    enum Outcome: Equatable {
        case absent
        case loaded
        case unusable(SnapshotProblem)
        case failed(SystemError)
        /// `isWanted` said so.
        case abandoned
    }

    /// Gives the file to `reader`, piece by piece. `isWanted` is asked before each.
    func load(_ reader: inout SnapshotReader, isWanted: () -> Bool) -> Outcome {
        // Safety: the string is terminated and outlives the call.
        let number = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        if number < 0 { return errno == ENOENT ? .absent : .failed(SystemError(code: errno)) }
        let file = FileDescriptor(owning: number)
        var buffer: [UInt8] = []
        while true {
            guard isWanted() else { return .abandoned }
            let wanted = reader.wanted
            if buffer.count < wanted { buffer = [UInt8](repeating: 0, count: wanted) }
            let count: Int
            do throws(SystemError) { count = try read(file.number, &buffer, wanted) } catch { return .failed(error) }
            switch reader.take(buffer.span.extracting(0..<count), now: Clock.now()) {
            case .more: continue
            case .unusable(let problem): return .unusable(problem)
            case .whole:
                var more: [UInt8] = [0]
                let rest = (try? read(file.number, &more, 1)) ?? 0
                return rest == 0 ? .loaded : .unusable(.damaged("octets follow its end"))
            }
        }
    }

    /// Reads `wanted` octets, fewer at the file's end.
    private func read(_ number: Int32, _ buffer: inout [UInt8], _ wanted: Int) throws(SystemError) -> Int {
        var have = 0
        while have < wanted {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                // Safety: `have` is less than `wanted`, which is not more than the buffer's length.
                unsafe cl_read(number, bytes.baseAddress.map { unsafe $0 + have }, wanted - have)
            }
            if count < 0 { throw SystemError(code: Int32(clamping: -count)) }
            if count == 0 { break }
            have += count
        }
        return have
    }

    /// Puts the file aside, in the place of one that was put there before.
    func setAside() throws(SystemError) { try move(path, to: damagedPath) }

    /// Writes what `writer` makes and puts it in the file's place. Returns its length in octets. When it fails, the old
    /// file stays and the new one is removed.
    func write(_ writer: inout SnapshotWriter) throws(SystemError) -> Int {
        remove(temporaryPath)
        do throws(SystemError) {
            let length = try writeTemporary(&writer)
            try move(temporaryPath, to: path)
            try flushDirectory()
            return length
        } catch {
            remove(temporaryPath)
            throw error
        }
    }

    private func writeTemporary(_ writer: inout SnapshotWriter) throws(SystemError) -> Int {
        // O_EXCL also refuses a symbolic link. The answers tell what was asked for: they are for the owner alone.
        let number = unsafe temporaryPath.withCString { name in
            // Safety: the string is terminated and outlives the call.
            unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        }
        if number < 0 { throw SystemError(code: errno) }
        let file = FileDescriptor(owning: number)
        var length = 0
        while writer.advance() {
            length += try writer.withPiece { piece throws(SystemError) in try writeAll(piece, to: file.number) }
        }
        if fsync(file.number) != 0 { throw SystemError(code: errno) }
        return length
    }

    private func writeAll(_ piece: Span<UInt8>, to number: Int32) throws(SystemError) -> Int {
        var done = 0
        while done < piece.count {
            let start = done
            let count = unsafe piece.withUnsafeBytes { bytes in
                // Safety: `start` lies within the piece, whose memory is lent for the call.
                unsafe cl_write(number, bytes.baseAddress.map { unsafe $0 + start }, bytes.count - start)
            }
            if count < 0 { throw SystemError(code: Int32(clamping: -count)) }
            // A file system that takes nothing and says no error would be asked for ever.
            if count == 0 { throw SystemError(code: ENOSPC) }
            done += count
        }
        return done
    }

    private func flushDirectory() throws(SystemError) {
        // Safety: the string is terminated and outlives the call.
        let number = unsafe directory.withCString { unsafe open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        if number < 0 { throw SystemError(code: errno) }
        let file = FileDescriptor(owning: number)
        // Some file systems cannot flush a directory, and say so; there is nothing more to be done on them.
        if fsync(file.number) != 0, errno != EINVAL { throw SystemError(code: errno) }
    }

    private func move(_ from: String, to: String) throws(SystemError) {
        // Safety: both strings are terminated and outlive the call.
        let result = unsafe from.withCString { old in unsafe to.withCString { new in unsafe rename(old, new) } }
        if result != 0 { throw SystemError(code: errno) }
    }

    private func remove(_ name: String) {
        // Safety: the string is terminated and outlives the call.
        _ = unsafe name.withCString { unsafe unlink($0) }
    }
}
