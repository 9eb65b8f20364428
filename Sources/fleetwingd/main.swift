// The daemon's entry. Nothing else may be written here: code in this file belongs to the main actor, and a closure made
// in it traps on any other thread.

import Glibc

exit(Daemon.run(Array(CommandLine.arguments.dropFirst())))
