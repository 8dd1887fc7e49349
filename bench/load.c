/* The load generator: a closed loop over many connections that compares every byte of every reply.
 *
 * Each connection sends an endless stream of pseudo-random bytes: one periodic pattern, from an offset of its own. The
 * reply must be the same stream in upper case. A byte that is wrong, misplaced or another connection's ends the run
 * with exit code 5. A message is `size` bytes of the stream; `pipeline` of them are in flight on each connection. With
 * `churn` each connection carries one message, and is then replaced by a new one.
 *
 * There can also be connections that are only held open (`idle`), and some that write and never read (`non-reading`).
 *
 * Prints a line of JSON when all connections are open, after the warm-up, and at the end with the result: a run lasts
 * until its time is up and at least one exchange is complete. Connects to loopback only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    PERIOD = 1000003,      /* bytes until the pattern repeats: a prime, so that no message size divides it */
    RUN = 1 << 20,         /* bytes that can be sent or compared in one piece */
    EVENTS = 512,
    OCTAVE = 64, /* buckets of the latency histogram for each doubling, about 1 % apart */
    BUCKETS = 40 * OCTAVE,
    PORTS_PER_SOURCE = 20000,
    WRONG_REPLY = 5,
};

struct connection {
    int fd;
    bool blocked;            /* the kernel's buffer is full: waiting for EPOLLOUT */
    bool idle;               /* is only held open */
    bool non_reading;        /* writes whenever it can, and never reads */
    uint64_t start;          /* offset of its stream in the pattern */
    uint64_t sent, received; /* bytes */
    uint64_t *sent_at;       /* when each message in flight was sent, in nanoseconds: a ring of `pipeline` */
};

static unsigned char pattern[PERIOD + RUN], expected[PERIOD + RUN], arrived[RUN];
static uint64_t latencies[BUCKETS];
static struct sockaddr_in target = {.sin_family = AF_INET};
static uint64_t size = 64, pipeline = 1, connections = 50, idle = 0, non_reading = 0, opened = 0;
static double seconds = 3, warmup = 0.5;
static bool churn = false;
static int epoll_fd;

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void make_pattern(void) {
    uint64_t state = 88172645463325252u; /* xorshift64 */
    for (size_t i = 0; i < sizeof pattern; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        pattern[i] = i < PERIOD ? (unsigned char)(state >> 32) : pattern[i - PERIOD];
        expected[i] = pattern[i] >= 'a' && pattern[i] <= 'z' ? pattern[i] - 32 : pattern[i];
    }
}

static void record(uint64_t ns) {
    unsigned shift = ns < 2 * OCTAVE ? 0 : 63 - 6 - (unsigned)__builtin_clzll(ns); /* leaves OCTAVE to 2 * OCTAVE - 1 */
    uint64_t bucket = shift * OCTAVE + (ns >> shift);
    latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static double microseconds(uint64_t bucket) {
    uint64_t shift = bucket < 2 * OCTAVE ? 0 : bucket / OCTAVE - 1;
    return (double)((bucket - shift * OCTAVE) << shift) / 1e3;
}

static double percentile(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += latencies[i];
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += latencies[i]) && (double)seen >= share * (double)total) return microseconds((uint64_t)i);
    return 0;
}

/* Sources rotate over 127.0.0.1, 127.0.0.2, …: one address has only some 28,000 ports. */
static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0) die("socket");
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(opened++ / PORTS_PER_SOURCE % 200));
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source)) die("bind");
    if (connect(fd, (struct sockaddr *)&target, sizeof target)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(struct connection *c, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (c->blocked ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die("epoll_ctl");
}

static void open_special_connection(struct connection *c, bool only_held_open) {
    *c = (struct connection){.fd = dial(), .idle = only_held_open, .non_reading = !only_held_open};
    struct epoll_event event = {.events = only_held_open ? EPOLLIN : EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
}

static void flood(const struct connection *c) {
    if (send(c->fd, pattern, RUN, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) die("send");
}

static void open_connection(struct connection *c) {
    c->fd = dial();
    c->blocked = false;
    c->sent = c->received = 0;
    c->start = opened * 7919 % PERIOD;
    watch(c, EPOLL_CTL_ADD);
}

/* Keep `pipeline` messages in flight. */
static void fill(struct connection *c, uint64_t now) {
    uint64_t wanted = (c->received / size + pipeline) * size;
    if (churn && wanted > size) wanted = size;
    while (c->sent < wanted) {
        uint64_t begin = (c->start + c->sent) % PERIOD, length = wanted - c->sent;
        ssize_t n = send(c->fd, pattern + begin, length < RUN ? length : RUN, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) die("send");
        for (uint64_t i = c->sent / size; n > 0 && i < (c->sent + (uint64_t)n + size - 1) / size; i++)
            if (i * size >= c->sent) c->sent_at[i % pipeline] = now;
        c->sent += n > 0 ? (uint64_t)n : 0;
        bool blocked = c->sent < wanted;
        if (n < 0 || blocked != c->blocked) {
            if (blocked != c->blocked) c->blocked = blocked, watch(c, EPOLL_CTL_MOD);
            if (n < 0) return;
        }
    }
}

/* Return the number of messages that are now complete. */
static uint64_t drain(struct connection *c, uint64_t now) {
    ssize_t n = recv(c->fd, arrived, RUN, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) die("recv");
    if (n == 0) {
        fprintf(stderr, "load: the server closed a connection after %" PRIu64 " of %" PRIu64 " bytes\n", c->received, c->sent);
        exit(WRONG_REPLY);
    }
    if (c->received + (uint64_t)n > c->sent || memcmp(arrived, expected + (c->start + c->received) % PERIOD, (size_t)n)) {
        fprintf(stderr, "load: wrong reply within bytes %" PRIu64 " to %" PRIu64 "\n", c->received, c->received + (uint64_t)n);
        exit(WRONG_REPLY);
    }
    uint64_t before = c->received / size, after = (c->received + (uint64_t)n) / size;
    c->received += (uint64_t)n;
    for (uint64_t i = before; i < after; i++) record(now - c->sent_at[i % pipeline]);
    return after - before;
}

static uint64_t run(struct connection *all, double limit, double *elapsed) {
    struct epoll_event events[EVENTS];
    uint64_t start = now_ns(), now = start, end = start + (uint64_t)(limit * 1e9), completed = 0;
    for (uint64_t i = 0; i < connections; i++) fill(&all[i], now);
    while (now < end || (connections && !completed)) {
        int n = epoll_wait(epoll_fd, events, EVENTS, 100);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        now = now_ns();
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->idle) {
                fprintf(stderr, "load: the server closed an idle connection, or sent it something\n");
                exit(WRONG_REPLY);
            }
            if (c->non_reading) {
                flood(c);
                continue;
            }
            uint64_t done = events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? drain(c, now) : 0;
            completed += done;
            if (churn && done) {
                close(c->fd);
                open_connection(c);
                now = now_ns();
            }
            fill(c, now);
        }
    }
    *elapsed = (double)(now - start) / 1e9;
    return completed;
}

static void options(int argc, char **argv) {
    static const struct option known[] = {
        {"size", required_argument, 0, 's'},    {"connections", required_argument, 0, 'c'},
        {"pipeline", required_argument, 0, 'p'}, {"seconds", required_argument, 0, 't'},
        {"warmup", required_argument, 0, 'w'},  {"idle", required_argument, 0, 'i'},
        {"non-reading", required_argument, 0, 'n'},
        {"sources-from", required_argument, 0, 'f'}, {"churn", no_argument, 0, 'x'}, {0, 0, 0, 0}};
    for (int o; (o = getopt_long(argc, argv, "", known, 0)) != -1;) switch (o) {
        case 's': size = strtoull(optarg, 0, 10); break;
        case 'c': connections = strtoull(optarg, 0, 10); break;
        case 'p': pipeline = strtoull(optarg, 0, 10); break;
        case 't': seconds = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'i': idle = strtoull(optarg, 0, 10); break;
        case 'n': non_reading = strtoull(optarg, 0, 10); break;
        case 'f': opened = PORTS_PER_SOURCE * strtoull(optarg, 0, 10); break;
        case 'x': churn = true; break;
        default: exit(2);
    }
    if (optind != argc - 1 || !size || !pipeline) {
        fprintf(stderr, "usage: load PORT [--size BYTES] [--connections N] [--pipeline N] [--churn] [--idle N]"
                        " [--non-reading N] [--sources-from N] [--warmup S] [--seconds S]\n");
        exit(2);
    }
    target.sin_port = htons((uint16_t)atoi(argv[optind]));
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

int main(int argc, char **argv) {
    options(argc, argv);
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    make_pattern();
    epoll_fd = epoll_create1(0);
    struct connection *special = calloc(idle + non_reading + 1, sizeof *special);
    for (uint64_t i = 0; i < idle + non_reading; i++) open_special_connection(&special[i], i < idle);
    struct connection *all = calloc(connections ? connections : 1, sizeof *all);
    for (uint64_t i = 0; i < connections; i++) {
        all[i].sent_at = calloc(pipeline, sizeof(uint64_t));
        open_connection(&all[i]);
    }
    double elapsed;
    printf("{\"open\":true}\n"); /* from now on the server's memory can be measured */
    fflush(stdout);
    run(all, warmup, &elapsed);
    printf("{\"warm\":true}\n"); /* and from now on its processor time */
    fflush(stdout);
    memset(latencies, 0, sizeof latencies);
    uint64_t completed = run(all, seconds, &elapsed);
    printf("{\"exchanges\":%" PRIu64 ",\"seconds\":%.6f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f}\n", completed,
           elapsed, percentile(0.5), percentile(0.99), percentile(0.999));
    return 0;
}
