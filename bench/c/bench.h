/* What the C sides of the benchmarks have in common. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline void fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	exit(1);
}

static inline double seconds_of(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		fail("clock_gettime", errno);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static inline double now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static inline double processor_time(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* set_up_ring sets a ring up with the flags that Go's side has. */
static inline void set_up_ring(struct io_uring *ring, unsigned entries)
{
	const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
	int ret = io_uring_queue_init(entries, ring, flags);

	if (ret < 0)
		fail("io_uring_queue_init", -ret);
	ret = io_uring_register_ring_fd(ring);
	if (ret < 0)
		fail("io_uring_register_ring_fd", -ret);
}

#endif
