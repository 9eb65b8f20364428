// A thread of our own, with a stack of known size.
//
// No actor, task or dispatch queue: a step of those costs 0.2 to 0.8 us (measured) and their threads are not ours. The
// body must be made in a nonisolated function: a closure written in main.swift belongs to the main actor and traps
// here.

import CLinux
import Glibc

/// A running thread, to be joined once.
final class WorkerThread {
    private final class Body {
        let run: () -> Void
        let name: String
        init(name: String, _ run: sending @escaping () -> Void) {
            self.name = name
            self.run = run
        }
    }

    private let thread: pthread_t

    /// - Parameter name: at most 15 characters, as `ps -L` shows it.
    init(name: String, _ run: sending @escaping () -> Void) throws(SystemError) {
        // Safety: the attribute is initialised before use and destroyed after; the body is retained for the thread,
        // which releases it, or released here when no thread came to be.
        var attribute = pthread_attr_t()
        unsafe pthread_attr_init(&attribute)
        unsafe pthread_attr_setstacksize(&attribute, 1 << 20)
        var number = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(name: name, run))
        let code = unsafe pthread_create(
            &number, &attribute,
            { pointer in
                // Safety: the body retained above, taken back exactly once; the name is lent for its call.
                guard let pointer = unsafe pointer else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue()
                unsafe body.name.withCString { unsafe cl_name_thread($0) }
                body.run()
                return nil
            }, body.toOpaque())
        unsafe pthread_attr_destroy(&attribute)
        if code != 0 {
            // Safety: no thread took the body over.
            unsafe body.release()
            throw SystemError(code: code)
        }
        thread = number
    }

    /// Waits for its end.
    func join() {
        // Safety: joined once, by the group that owns it.
        pthread_join(thread, nil)
    }
}
