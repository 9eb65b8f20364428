// See CLinux.h. The only file that defines _GNU_SOURCE.
#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct cl_mmsghdr) == sizeof(struct mmsghdr), "mmsghdr has another size");
_Static_assert(offsetof(struct cl_mmsghdr, len) == offsetof(struct mmsghdr, msg_len), "mmsghdr has another layout");
_Static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t)) <= cl_control_space,
               "control messages do not fit");

#define AGAIN(call)                                \
    ({                                             \
        __typeof__(call) result_;                  \
        do result_ = (call);                       \
        while (result_ < 0 && errno == EINTR);     \
        result_ < 0 ? (__typeof__(call))-errno : result_; \
    })

struct cl_control cl_control_read(struct msghdr *m) {
    struct cl_control c;
    memset(&c, 0, sizeof c);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo p;
            memcpy(&p, CMSG_DATA(h), sizeof p);
            c.local.family = 4;
            c.local.low = __builtin_bswap32(p.ipi_spec_dst.s_addr);
        } else if (h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo p;
            memcpy(&p, CMSG_DATA(h), sizeof p);
            c.local.family = 6;
            c.local.high = cl_load_be64(p.ipi6_addr.s6_addr);
            c.local.low = cl_load_be64(p.ipi6_addr.s6_addr + 8);
            // Only a link-local address needs its interface to be reached again.
            if (IN6_IS_ADDR_LINKLOCAL(&p.ipi6_addr)) c.local.scope = p.ipi6_ifindex;
        } else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&c.drops, CMSG_DATA(h), sizeof c.drops);
        }
    }
    return c;
}

size_t cl_control_write_source(void *buffer, struct cl_address source) {
    struct cmsghdr *h = buffer;
    if (source.family == 4) {
        struct in_pktinfo p;
        memset(&p, 0, sizeof p);
        p.ipi_spec_dst.s_addr = __builtin_bswap32((uint32_t)source.low);
        h->cmsg_level = IPPROTO_IP;
        h->cmsg_type = IP_PKTINFO;
        h->cmsg_len = CMSG_LEN(sizeof p);
        memcpy(CMSG_DATA(h), &p, sizeof p);
        return CMSG_SPACE(sizeof p);
    }
    struct in6_pktinfo p;
    memset(&p, 0, sizeof p);
    cl_store_be64(p.ipi6_addr.s6_addr, source.high);
    cl_store_be64(p.ipi6_addr.s6_addr + 8, source.low);
    p.ipi6_ifindex = source.scope;
    h->cmsg_level = IPPROTO_IPV6;
    h->cmsg_type = IPV6_PKTINFO;
    h->cmsg_len = CMSG_LEN(sizeof p);
    memcpy(CMSG_DATA(h), &p, sizeof p);
    return CMSG_SPACE(sizeof p);
}

int cl_recvmmsg(int fd, struct cl_mmsghdr *m, unsigned n) {
    return AGAIN(recvmmsg(fd, (struct mmsghdr *)m, n, MSG_DONTWAIT, NULL));
}
int cl_sendmmsg(int fd, struct cl_mmsghdr *m, unsigned n) {
    return AGAIN(sendmmsg(fd, (struct mmsghdr *)m, n, MSG_DONTWAIT | MSG_NOSIGNAL));
}
ssize_t cl_receive(int fd, void *buffer, size_t size) { return AGAIN(recv(fd, buffer, size, MSG_DONTWAIT)); }
ssize_t cl_send(int fd, const void *buffer, size_t size) {
    return AGAIN(send(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL));
}
ssize_t cl_read(int fd, void *buffer, size_t size) { return AGAIN(read(fd, buffer, size)); }
ssize_t cl_write(int fd, const void *buffer, size_t size) { return AGAIN(write(fd, buffer, size)); }

static int domain(int family) { return family == 4 ? AF_INET : AF_INET6; }
int cl_socket_datagram(int family) {
    return AGAIN(socket(domain(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
}
int cl_socket_stream(int family) {
    return AGAIN(socket(domain(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
}
int cl_bind(int fd, struct cl_address to) {
    union cl_sockaddr a;
    socklen_t n = cl_sockaddr_make(&a, to);
    return AGAIN(bind(fd, &a.any, n));
}
int cl_connect(int fd, struct cl_address to) {
    union cl_sockaddr a;
    socklen_t n = cl_sockaddr_make(&a, to);
    // Not repeated on EINTR: a second connect of a socket that is connecting fails with EALREADY.
    return connect(fd, &a.any, n) < 0 ? (errno == EINTR ? -EINPROGRESS : -errno) : 0;
}
int cl_listen(int fd, int backlog) { return AGAIN(listen(fd, backlog)); }
int cl_accept(int fd, struct cl_address *peer) {
    union cl_sockaddr a;
    memset(&a, 0, sizeof a);
    socklen_t n = sizeof a;
    int r = AGAIN(accept4(fd, &a.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (r >= 0) *peer = cl_sockaddr_read(&a);
    return r;
}
int cl_local_address(int fd, struct cl_address *out) {
    union cl_sockaddr a;
    memset(&a, 0, sizeof a);
    socklen_t n = sizeof a;
    int r = AGAIN(getsockname(fd, &a.any, &n));
    if (r >= 0) *out = cl_sockaddr_read(&a);
    return r;
}
int cl_set_option(int fd, int level, int name, int value) {
    return AGAIN(setsockopt(fd, level, name, &value, sizeof value));
}
int cl_get_option(int fd, int level, int name) {
    int value = 0;
    socklen_t n = sizeof value;
    int r = AGAIN(getsockopt(fd, level, name, &value, &n));
    return r < 0 ? r : value;
}
// Never repeated: on Linux the descriptor is gone even when close says EINTR.
int cl_close(int fd) { return close(fd) < 0 ? -errno : 0; }

int cl_epoll_create(void) { return AGAIN(epoll_create1(EPOLL_CLOEXEC)); }
int cl_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event e = {.events = events, .data = {.u64 = token}};
    return AGAIN(epoll_ctl(epoll, operation, fd, &e));
}
// A signal ends the wait with no event: the caller computes a new timeout.
int cl_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_ms) {
    int r = epoll_wait(epoll, events, capacity, timeout_ms);
    return r < 0 ? (errno == EINTR ? 0 : -errno) : r;
}

int cl_eventfd(void) { return AGAIN(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
int cl_eventfd_post(int fd) {
    uint64_t one = 1;
    return (int)AGAIN(write(fd, &one, sizeof one));
}
int cl_eventfd_clear(int fd) {
    uint64_t value;
    return (int)AGAIN(read(fd, &value, sizeof value));
}

static void daemon_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}
int cl_signals_block(void) {
    sigset_t set;
    daemon_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}
int cl_signalfd(void) {
    sigset_t set;
    daemon_signals(&set);
    return AGAIN(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}
int cl_signalfd_next(int fd) {
    struct signalfd_siginfo s;
    ssize_t r = AGAIN(read(fd, &s, sizeof s));
    return r == (ssize_t)sizeof s ? (int)s.ssi_signo : 0;
}
uint32_t cl_wait_readable(const int *fds, int count, int timeout_ms) {
    struct pollfd p[cl_wait_limit];
    if (count > cl_wait_limit) count = cl_wait_limit;
    for (int i = 0; i < count; i++) p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(p, (nfds_t)count, timeout_ms) <= 0) return 0;
    uint32_t ready = 0;
    for (int i = 0; i < count; i++) ready |= p[i].revents ? (uint32_t)1 << i : 0;
    return ready;
}

int cl_wait_writable(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLOUT) ? 1 : 0;
}

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
int64_t cl_boottime(void) { return clock_ns(CLOCK_BOOTTIME); }
int64_t cl_monotonic(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t cl_realtime(void) { return clock_ns(CLOCK_REALTIME); }
void cl_utc(int64_t seconds, int *year, int *month, int *day, int *hour, int *minute, int *second) {
    time_t s = (time_t)seconds;
    struct tm t;
    memset(&t, 0, sizeof t);
    gmtime_r(&s, &t);
    *year = t.tm_year + 1900;
    *month = t.tm_mon + 1;
    *day = t.tm_mday;
    *hour = t.tm_hour;
    *minute = t.tm_min;
    *second = t.tm_sec;
}
int cl_random(void *buffer, size_t size) {
    size_t have = 0;
    while (have < size) {
        ssize_t r = AGAIN(getrandom((char *)buffer + have, size - have, 0));
        if (r < 0) return (int)r;
        have += (size_t)r;
    }
    return 0;
}
void cl_name_thread(const char *name) {
    char shortened[16];
    strncpy(shortened, name, 15);
    shortened[15] = 0;
    pthread_setname_np(pthread_self(), shortened);
}
int cl_usable_processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}
void cl_sleep_ms(int ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}
int cl_open_null(void) { return AGAIN(open("/dev/null", O_RDONLY | O_CLOEXEC)); }
// Without O_NONBLOCK the open of a FIFO would wait for its writer.
int cl_open_read(const char *path) { return AGAIN(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)); }
int cl_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}
int cl_file_identity(int fd, uint64_t *device, uint64_t *inode) {
    struct stat s;
    if (fstat(fd, &s) < 0) return -errno;
    *device = s.st_dev;
    *inode = s.st_ino;
    return 0;
}
int cl_process_id(void) { return (int)getpid(); }
int64_t cl_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit higher = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return (int64_t)higher.rlim_cur;
    }
    return (int64_t)limit.rlim_cur;
}
ssize_t cl_link_target(const char *path, char *target, size_t size) { return AGAIN(readlink(path, target, size)); }
int cl_numbered_entries(const char *path, int *numbers, int limit) {
    DIR *d = opendir(path);
    if (!d) return -errno;
    int n = 0;
    for (struct dirent *e; n < limit && (e = readdir(d));) {
        char *end;
        long v = strtol(e->d_name, &end, 10);
        if (end != e->d_name && *end == 0 && v >= 0 && v <= INT32_MAX) numbers[n++] = (int)v;
    }
    closedir(d);
    return n;
}
int cl_file_names(const char *path, char *names, int size) {
    DIR *d = opendir(path);
    if (!d) return -errno;
    int used = 0;
    for (struct dirent *e; (e = readdir(d));) {
        int length = (int)strlen(e->d_name) + 1;
        if (e->d_name[0] == '.' || length > size - used) continue;
        memcpy(names + used, e->d_name, (size_t)length);
        used += length;
    }
    closedir(d);
    return used;
}
int cl_address_from_text(const char *text, struct cl_address *out) {
    union cl_sockaddr a;
    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
        a.any.sa_family = AF_INET;
    } else {
        char address[INET6_ADDRSTRLEN];
        size_t length = strcspn(text, "%");
        if (length >= sizeof address) return -EINVAL;
        memcpy(address, text, length);
        address[length] = 0;
        if (inet_pton(AF_INET6, address, &a.v6.sin6_addr) != 1) return -EINVAL;
        a.any.sa_family = AF_INET6;
        if (text[length]) a.v6.sin6_scope_id = if_nametoindex(text + length + 1);
        if (text[length] && a.v6.sin6_scope_id == 0) return -EINVAL;
    }
    *out = cl_sockaddr_read(&a);
    return 0;
}

int cl_netlink_open(const int *groups, int count) {
    int fd = AGAIN(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (fd < 0) return fd;
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    int r = AGAIN(bind(fd, (struct sockaddr *)&any, sizeof any));
    for (int i = 0; r >= 0 && i < count; i++)
        r = AGAIN(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]));
    if (r >= 0) return fd;
    close(fd);
    return r;
}
int cl_inotify_open(void) { return AGAIN(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); }
int cl_inotify_watch(int fd, const char *path, int only_directory) {
    // IN_ATTRIB is how a file tells that its name was taken by another one.
    uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
    return AGAIN(inotify_add_watch(fd, path, mask | (only_directory ? IN_ONLYDIR : 0)));
}
