/*
 * Timeouts that are armed and cancelled again, as fast as C gets: what
 * bench/timer is measured against, with the same command line and the same line
 * of output. Each completion goes through a function pointer found by its user
 * data, and the last one of a batch queues the next batch.
 */
#include "bench.h"

enum {
	max_batch = 128,
	entries = 2 * max_batch,	/* a timeout is two requests */
	warm_up = 20000,		/* timeouts */
};

struct bench;

struct request {
	void (*done)(struct bench *b, const struct io_uring_cqe *cqe);
	struct __kernel_timespec ts;	/* a timeout's */
};

static struct bench {
	struct io_uring ring;
	int batch;
	struct request timeouts[max_batch], removals[max_batch];
	int todo;	/* timeouts that are to be armed yet */
	int left;	/* requests in flight */
} bench;

/* queue_batch arms a batch of timeouts and takes each of them back. */
static void queue_batch(struct bench *b)
{
	int n = b->todo < b->batch ? b->todo : b->batch;
	struct io_uring_sqe *sqe;
	int i;

	b->todo -= n;
	b->left = 2 * n;
	for (i = 0; i < n; i++) {
		struct request *req = &b->timeouts[i];

		req->ts = (struct __kernel_timespec) { .tv_sec = 3600 };
		sqe = io_uring_get_sqe(&b->ring);
		io_uring_prep_timeout(sqe, &req->ts, 0, 0);
		io_uring_sqe_set_data(sqe, req);
	}
	for (i = 0; i < n; i++) {
		sqe = io_uring_get_sqe(&b->ring);
		io_uring_prep_timeout_remove(sqe, (uintptr_t)&b->timeouts[i], 0);
		io_uring_sqe_set_data(sqe, &b->removals[i]);
	}
}

static void request_done(struct bench *b)
{
	if (--b->left == 0 && b->todo > 0)
		queue_batch(b);
}

static void timeout_done(struct bench *b, const struct io_uring_cqe *cqe)
{
	if (cqe->res != -ECANCELED)
		fail("a timeout was not cancelled", -cqe->res);
	request_done(b);
}

static void removal_done(struct bench *b, const struct io_uring_cqe *cqe)
{
	if (cqe->res < 0)
		fail("timeout_remove", -cqe->res);
	request_done(b);
}

static void run(struct bench *b, int timeouts)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen;

	b->todo = timeouts;
	queue_batch(b);
	while (b->left) {
		int ret = io_uring_submit_and_wait(&b->ring, 1);

		if (ret < 0)
			fail("io_uring_submit_and_wait", -ret);
		seen = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			struct request *req = io_uring_cqe_get_data(cqe);

			req->done(b, cqe);
			seen++;
		}
		io_uring_cq_advance(&b->ring, seen);
	}
}

static void usage(FILE *out)
{
	fprintf(out, "usage: timer -batch N -timeouts M\n\n"
		     "Measures timeouts: M of them armed and cancelled, N in each system call.\n"
		     "N is between 1 and %d.\n", max_batch);
	exit(out == stdout ? 0 : 2);
}

int main(int argc, char **argv)
{
	int timeouts = 1000000, i;
	double start, cpu, took;

	bench.batch = max_batch;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			usage(stdout);
		if (i + 1 == argc)
			usage(stderr);
		if (!strcmp(argv[i], "-batch"))
			bench.batch = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-timeouts"))
			timeouts = atoi(argv[++i]);
		else
			usage(stderr);
	}
	if (timeouts < 1 || bench.batch < 1 || bench.batch > max_batch)
		usage(stderr);

	set_up_ring(&bench.ring, entries);
	for (i = 0; i < max_batch; i++) {
		bench.timeouts[i].done = timeout_done;
		bench.removals[i].done = removal_done;
	}
	run(&bench, warm_up);
	start = now();
	cpu = processor_time();
	run(&bench, timeouts);
	took = now() - start;
	cpu = processor_time() - cpu;
	printf("ns_per_timeout=%.3f requests=%d cpu_us_per_request=%.4f\n",
	       took * 1e9 / timeouts, timeouts, cpu * 1e6 / timeouts);
	io_uring_queue_exit(&bench.ring);
	return 0;
}
