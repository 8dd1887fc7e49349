/* The reference: one thread, level-triggered epoll, one buffer that all connections share.
 *
 * Build: gcc -O3 -march=native -o epoll epoll.c. Run: ./epoll PORT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, EVENTS = 512, BACKLOG = 4096 };

struct connection {
    int fd;
    unsigned char *rest; /* bytes that the kernel has not accepted yet; until it has, nothing is read */
    size_t begin, end;
};

static unsigned char buffer[BUFFER];
static int epoll_fd;

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Not inlined: as a part of main(), which runs once, gcc would not vectorise it. */
__attribute__((noinline)) static void upper(unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] -= 'a' - 'A';
}

static void watch(struct connection *c, int operation, unsigned what) {
    struct epoll_event event = {.events = what, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die("epoll_ctl");
}

static void end(struct connection *c) {
    close(c->fd);
    free(c->rest);
    free(c);
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EMFILE) die("accept4");
}

static void keep(struct connection *c, const unsigned char *bytes, size_t length) {
    c->rest = malloc(length);
    if (!c->rest) die("malloc");
    memcpy(c->rest, bytes, length);
    c->begin = 0, c->end = length;
    watch(c, EPOLL_CTL_MOD, EPOLLOUT);
}

static void answer(struct connection *c) {
    ssize_t n = recv(c->fd, buffer, BUFFER, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        end(c);
        return;
    }
    upper(buffer, (size_t)n);
    ssize_t sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        end(c);
    else if (sent < n)
        keep(c, buffer + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

static void send_rest(struct connection *c) {
    ssize_t sent = send(c->fd, c->rest + c->begin, c->end - c->begin, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
        end(c);
        return;
    }
    c->begin += (size_t)sent;
    if (c->begin < c->end) return;
    free(c->rest);
    c->rest = 0;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static int listen_on(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(fd, BACKLOG)) die("listen");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: epoll PORT\n");
        return 2;
    }
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    int listener = listen_on(argv[1]);
    epoll_fd = epoll_create1(0);
    struct epoll_event events[EVENTS], accepting = {.events = EPOLLIN};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &accepting);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                accept_all(listener);
            else if (c->rest)
                send_rest(c);
            else
                answer(c);
        }
    }
}
