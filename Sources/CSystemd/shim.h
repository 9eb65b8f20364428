// libsystemd as fleetwingd uses it: sd_notify and sd_journal_sendv. Only fleetwingd imports it; every call there is
// allowed to fail, since most machines that run the tests have no supervisor.
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
