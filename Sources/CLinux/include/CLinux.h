// Linux calls that Swift cannot import as they are: GNU extensions, macros, variadic functions.
//
// ForwarderRuntime and fleetwingd call these. Only CLinux.c defines _GNU_SOURCE: defined in a header that Swift imports
// it makes clang modules offer two versions of bind and connect. Every call here repeats itself on EINTR and returns
// -errno on failure, so that no caller has to look at errno between two calls.
#ifndef FLEETWING_CLINUX_H
#define FLEETWING_CLINUX_H

#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// The layout of the kernel's mmsghdr, which is hidden without _GNU_SOURCE; CLinux.c checks that they agree.
struct cl_mmsghdr {
    struct msghdr hdr;
    unsigned int len;
};

// An address of either family as plain numbers: `family` 4 or 6, or 0 for anything else.
struct cl_address {
    uint64_t high;
    uint64_t low;
    uint32_t scope;
    uint16_t port;
    uint16_t family;
};

union cl_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// What the control messages of a received datagram said.
struct cl_control {
    struct cl_address local;  // family 0 = no packet information
    uint32_t drops;           // SO_RXQ_OVFL: datagrams that the socket dropped so far, 0 = not told
};

enum { cl_control_space = 128 };

static inline uint64_t cl_load_be64(const uint8_t *p) {
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline void cl_store_be64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    __builtin_memcpy(p, &v, 8);
}

static inline struct cl_address cl_sockaddr_read(const union cl_sockaddr *from) {
    struct cl_address a = {0, 0, 0, 0, 0};
    if (from->any.sa_family == AF_INET) {
        a.family = 4;
        a.low = __builtin_bswap32(from->v4.sin_addr.s_addr);
        a.port = __builtin_bswap16(from->v4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        a.family = 6;
        a.high = cl_load_be64(from->v6.sin6_addr.s6_addr);
        a.low = cl_load_be64(from->v6.sin6_addr.s6_addr + 8);
        a.port = __builtin_bswap16(from->v6.sin6_port);
        a.scope = from->v6.sin6_scope_id;
    }
    return a;
}

// Returns the length of the address.
static inline socklen_t cl_sockaddr_make(union cl_sockaddr *to, struct cl_address a) {
    __builtin_memset(to, 0, sizeof *to);
    if (a.family == 4) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = __builtin_bswap16(a.port);
        to->v4.sin_addr.s_addr = __builtin_bswap32((uint32_t)a.low);
        return sizeof(struct sockaddr_in);
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = __builtin_bswap16(a.port);
    to->v6.sin6_scope_id = a.scope;
    cl_store_be64(to->v6.sin6_addr.s6_addr, a.high);
    cl_store_be64(to->v6.sin6_addr.s6_addr + 8, a.low);
    return sizeof(struct sockaddr_in6);
}

// Reads the control messages of a received datagram.
struct cl_control cl_control_read(struct msghdr *m);
// Writes packet information that makes a datagram leave from `source`; returns the length for msg_controllen.
size_t cl_control_write_source(void *buffer, struct cl_address source);

int cl_recvmmsg(int fd, struct cl_mmsghdr *m, unsigned n);
int cl_sendmmsg(int fd, struct cl_mmsghdr *m, unsigned n);
ssize_t cl_receive(int fd, void *buffer, size_t size);
ssize_t cl_send(int fd, const void *buffer, size_t size);
ssize_t cl_read(int fd, void *buffer, size_t size);
ssize_t cl_write(int fd, const void *buffer, size_t size);

// Non-blocking, close-on-exec. `family` 4 or 6.
int cl_socket_datagram(int family);
int cl_socket_stream(int family);
int cl_bind(int fd, struct cl_address to);
int cl_connect(int fd, struct cl_address to);
int cl_listen(int fd, int backlog);
// The new socket is non-blocking and close-on-exec; `peer` gets its address.
int cl_accept(int fd, struct cl_address *peer);
int cl_local_address(int fd, struct cl_address *out);
int cl_set_option(int fd, int level, int name, int value);
// The value, or -errno; for options whose value is never negative.
int cl_get_option(int fd, int level, int name);
int cl_close(int fd);

int cl_epoll_create(void);
int cl_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token);
int cl_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_ms);

int cl_eventfd(void);
int cl_eventfd_post(int fd);
int cl_eventfd_clear(int fd);
// Blocks the daemon's signals in the calling thread (threads made later inherit it), ignores SIGPIPE.
int cl_signals_block(void);
int cl_signalfd(void);
// The number of the next signal, 0 = none is pending.
int cl_signalfd_next(int fd);
// Waits until one of `count` (at most 32) descriptors is readable; a negative one is left out. Returns a bit mask, 1 =
// the first; 0 when the time is over or a signal came.
enum { cl_wait_limit = 32 };
uint32_t cl_wait_readable(const int *fds, int count, int timeout_ms);

// Waits until `fd` takes bytes. Returns 1, or 0 when the time is over.
int cl_wait_writable(int fd, int timeout_ms);

int64_t cl_boottime(void);
int64_t cl_monotonic(void);
int64_t cl_realtime(void);
// Seconds since 1970 and the UTC calendar, for log lines.
void cl_utc(int64_t seconds, int *year, int *month, int *day, int *hour, int *minute, int *second);
int cl_random(void *buffer, size_t size);
void cl_name_thread(const char *name);
int cl_usable_processors(void);
void cl_sleep_ms(int ms);
int cl_open_null(void);
int cl_open_read(const char *path);
int cl_set_nonblocking(int fd);
// Device and inode of an open file; 0 on success.
int cl_file_identity(int fd, uint64_t *device, uint64_t *inode);
int cl_process_id(void);
// The target of a symbolic link; returns its length.
ssize_t cl_link_target(const char *path, char *target, size_t size);
// The names in a directory that are numbers, at most `limit`; returns how many.
int cl_numbered_entries(const char *path, int *numbers, int limit);
// The names of a directory that do not begin with a dot, each ended by a zero octet, as many as fit; returns the octets
// that were written.
int cl_file_names(const char *path, char *names, int size);
// An IPv4 or IPv6 address in text, of an IPv6 address also with its zone (fe80::1%eth0). Returns 0, or -EINVAL when it
// is none, or when the machine has no such interface.
int cl_address_from_text(const char *text, struct cl_address *out);

// A NETLINK_ROUTE socket, a member of the named multicast groups (linux/rtnetlink.h).
int cl_netlink_open(const int *groups, int count);
int cl_inotify_open(void);
// Watches a path for what may change a file or a directory's files; done again it changes nothing. `only_directory`
// refuses anything else.
int cl_inotify_watch(int fd, const char *path, int only_directory);
// Raises the limit of open files to its hard limit; returns the limit in force.
int64_t cl_raise_descriptor_limit(void);

#endif
