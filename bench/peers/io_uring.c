/* C with io_uring: completions in place of readiness, one system call for a whole batch.
 *
 * A connection either receives, into a buffer that the kernel takes from a ring at that moment, or sends that buffer;
 * so nothing is read from a client that does not read, and an idle connection holds no buffer.
 *
 * Build: gcc -O3 -march=native -o io_uring io_uring.c -luring. Run: ./io_uring PORT. Needs Linux 6.1 or later.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BUFFER = 256 * 1024,
    MORE_BUFFERS = 16,   /* few, so that they stay in the cache; as many more each time there are too few */
    MAX_BUFFERS = 32768, /* a power of two, and more than there can be connections */
    ENTRIES = 4096,
    BACKLOG = 4096,
};

struct connection {
    int fd;
    uint16_t buffer;
    uint32_t sent, length; /* bytes of the buffer; length 0: receiving */
};

static struct io_uring ring;
static struct io_uring_buf_ring *free_buffers;
static unsigned char *buffers;
static unsigned made_buffers;
static int listener;

static void die(const char *what, int error) {
    fprintf(stderr, "io_uring: %s: %s\n", what, strerror(error));
    exit(1);
}

/* Not inlined: as a part of main(), which runs once, gcc would not vectorise it. */
__attribute__((noinline)) static void upper(unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] -= 'a' - 'A';
}

static unsigned char *memory_of(unsigned buffer) {
    return buffers + (size_t)buffer * BUFFER;
}

static void give_buffer(unsigned buffer) {
    int mask = io_uring_buf_ring_mask(MAX_BUFFERS);
    io_uring_buf_ring_add(free_buffers, memory_of(buffer), BUFFER, (unsigned short)buffer, mask, 0);
    io_uring_buf_ring_advance(free_buffers, 1);
}

static void give_more_buffers(void) {
    for (unsigned i = 0; i < MORE_BUFFERS && made_buffers < MAX_BUFFERS; i++) give_buffer(made_buffers++);
}

static struct io_uring_sqe *next_sqe(void) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe) return sqe;
    io_uring_submit(&ring);
    return io_uring_get_sqe(&ring);
}

static void submit_accept(void) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_multishot_accept(sqe, listener, 0, 0, 0);
    io_uring_sqe_set_data(sqe, 0);
}

static void submit_recv(struct connection *c, bool at_once) {
    struct io_uring_sqe *sqe = next_sqe();
    c->length = 0;
    io_uring_prep_recv(sqe, c->fd, 0, BUFFER, 0);
    io_uring_sqe_set_data(sqe, c);
    if (!at_once) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST; /* the client is still reading: nothing has arrived yet */
    sqe->flags |= IOSQE_BUFFER_SELECT;
}

static void submit_send(struct connection *c) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_send(sqe, c->fd, memory_of(c->buffer) + c->sent, c->length - c->sent, MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data(sqe, c);
}

static void end(struct connection *c) {
    if (c->length) give_buffer(c->buffer);
    close(c->fd);
    free(c);
}

static void accepted(const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) submit_accept();
    if (cqe->res < 0) return;
    int on = 1;
    setsockopt(cqe->res, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    if (!c) die("calloc", errno);
    c->fd = cqe->res;
    submit_recv(c, true);
}

static void received(struct connection *c, const struct io_uring_cqe *cqe) {
    if (cqe->res == -ENOBUFS) {
        give_more_buffers();
        submit_recv(c, true);
        return;
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        c->buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        if (cqe->res <= 0) give_buffer(c->buffer);
    }
    if (cqe->res <= 0) {
        end(c);
        return;
    }
    c->sent = 0, c->length = (uint32_t)cqe->res;
    upper(memory_of(c->buffer), c->length);
    submit_send(c);
}

static void sent(struct connection *c, const struct io_uring_cqe *cqe) {
    if (cqe->res < 0) {
        end(c);
        return;
    }
    c->sent += (uint32_t)cqe->res;
    if (c->sent < c->length) {
        submit_send(c);
        return;
    }
    give_buffer(c->buffer);
    submit_recv(c, false);
}

static void listen_on(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) die("bind", errno);
    if (listen(listener, BACKLOG)) die("listen", errno);
}

static void set_up(void) {
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(ENTRIES, &ring, &params);
    if (error) die("queue_init", -error);
    size_t ring_size = MAX_BUFFERS * sizeof(struct io_uring_buf);
    free_buffers = mmap(0, ring_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    buffers = mmap(0, (size_t)MAX_BUFFERS * BUFFER, PROT_READ | PROT_WRITE,
                   MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0); /* costs nothing until it is touched */
    if (free_buffers == MAP_FAILED || buffers == MAP_FAILED) die("mmap", errno);
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)free_buffers, .ring_entries = MAX_BUFFERS};
    error = io_uring_register_buf_ring(&ring, &registration, 0);
    if (error) die("register_buf_ring", -error);
    io_uring_buf_ring_init(free_buffers);
    give_more_buffers();
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: io_uring PORT\n");
        return 2;
    }
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    set_up();
    listen_on(argv[1]);
    submit_accept();
    for (;;) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR) die("submit_and_wait", -error);
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            struct connection *c = io_uring_cqe_get_data(cqe);
            seen++;
            if (!c)
                accepted(cqe);
            else if (c->length)
                sent(c, cqe);
            else
                received(c, cqe);
        }
        io_uring_cq_advance(&ring, seen);
    }
}
