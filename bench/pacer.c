/* Wakes up at a fixed rate and does nothing, to count how often this machine itself is over 1 ms late.
 *
 * Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SECOND = 1000000000, LATE = 1000000 };

static long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: pacer RATE SECONDS\n");
        return 2;
    }
    double rate = atof(argv[1]);
    long wanted = (long)(rate * atof(argv[2])), late = 0, start = now_ns();
    for (long i = 0; i < wanted; i++) {
        long due = start + (long)((double)i * SECOND / rate);
        struct timespec t = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND};
        while (now_ns() < due)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        late += now_ns() - due > LATE;
    }
    printf("{\"exchanges\": %ld, \"seconds\": %f, \"late\": %ld}\n", wanted, (double)(now_ns() - start) / SECOND, late);
}
