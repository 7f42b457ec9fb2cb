/*
 * No-op requests through liburing, as fast as C gets: what bench/nop is
 * measured against, with the same command line and the same line of output.
 *
 *   ring  a batch of requests, one system call, a walk over the completions
 *   loop  an event loop: each completion goes through a function pointer found
 *         by its user data, and the last one of a batch queues the next batch
 */
#include "bench.h"

enum {
	entries = 256,		/* of the submission queue */
	look_every = 4096,	/* requests between two looks at the clock */
};

static const double warm_up = 0.1; /* seconds */

struct bench;

struct request {
	void (*done)(struct request *req, const struct io_uring_cqe *cqe);
	struct bench *bench;
};

struct bench {
	struct io_uring ring;
	unsigned batch;
	double end;		/* when to stop */
	unsigned long batches, enters;

	/* the loop's */
	struct request *requests;
	unsigned left;		/* requests of the batch that are in flight */
};

/* time_is_up is asked after every batch and seldom looks at the clock. */
static int time_is_up(struct bench *b)
{
	if (++b->batches * b->batch % look_every >= b->batch)
		return 0;
	return now() >= b->end;
}

static void submit_and_wait(struct bench *b, unsigned nr)
{
	int ret = io_uring_submit_and_wait(&b->ring, nr);

	if (ret < 0)
		fail("io_uring_submit_and_wait", -ret);
	b->enters++;
}

static void run_ring(struct bench *b)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned i, head, seen;

	do {
		for (i = 0; i < b->batch; i++) {
			sqe = io_uring_get_sqe(&b->ring);
			io_uring_prep_nop(sqe);
			io_uring_sqe_set_data64(sqe, i);
		}
		submit_and_wait(b, b->batch);
		seen = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (cqe->res < 0)
				fail("nop", -cqe->res);
			seen++;
		}
		io_uring_cq_advance(&b->ring, seen);
		if (seen != b->batch)
			fail("completions are missing", EIO);
	} while (!time_is_up(b));
}

static void queue_batch(struct bench *b)
{
	struct io_uring_sqe *sqe;
	unsigned i;

	b->left = b->batch;
	for (i = 0; i < b->batch; i++) {
		sqe = io_uring_get_sqe(&b->ring);
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data(sqe, &b->requests[i]);
	}
}

static void nop_done(struct request *req, const struct io_uring_cqe *cqe)
{
	struct bench *b = req->bench;

	if (cqe->res < 0)
		fail("nop", -cqe->res);
	if (--b->left == 0 && !time_is_up(b))
		queue_batch(b);
}

static void run_loop(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen;

	queue_batch(b);
	while (b->left) {
		submit_and_wait(b, 1);
		seen = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			struct request *req = io_uring_cqe_get_data(cqe);

			req->done(req, cqe);
			seen++;
		}
		io_uring_cq_advance(&b->ring, seen);
	}
}

static void setup_loop(struct bench *b)
{
	unsigned i;

	b->requests = calloc(b->batch, sizeof(*b->requests));
	if (!b->requests)
		fail("calloc", ENOMEM);
	for (i = 0; i < b->batch; i++) {
		b->requests[i].done = nop_done;
		b->requests[i].bench = b;
	}
}

/* measure runs for a while and returns how long that was. */
static double measure(struct bench *b, void (*run)(struct bench *), double seconds)
{
	double start = now();

	b->batches = b->enters = 0;
	b->end = start + seconds;
	run(b);
	return now() - start;
}

static void usage(FILE *out)
{
	fprintf(out, "usage: nop -mode ring|loop -batch N -seconds S\n\n"
		     "Measures no-op requests: N of them in each system call, for S seconds.\n"
		     "N is between 1 and %d.\n", entries);
	exit(out == stdout ? 0 : 2);
}

int main(int argc, char **argv)
{
	void (*run)(struct bench *) = NULL;
	struct bench b = { .batch = 32 };
	double seconds = 0.4, took, cpu;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			usage(stdout);
		if (i + 1 == argc)
			usage(stderr);
		if (!strcmp(argv[i], "-batch"))
			b.batch = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-seconds"))
			seconds = atof(argv[++i]);
		else if (!strcmp(argv[i], "-mode") && !strcmp(argv[i + 1], "ring"))
			run = run_ring, i++;
		else if (!strcmp(argv[i], "-mode") && !strcmp(argv[i + 1], "loop"))
			run = run_loop, i++;
		else
			usage(stderr);
	}
	if (!run || b.batch < 1 || b.batch > entries || seconds <= 0)
		usage(stderr);

	set_up_ring(&b.ring, entries);
	if (run == run_loop)
		setup_loop(&b);
	measure(&b, run, warm_up);
	cpu = processor_time();
	took = measure(&b, run, seconds);
	cpu = processor_time() - cpu;
	printf("ns_per_request=%.3f requests=%lu enters=%lu cpu_us_per_request=%.4f\n",
	       took * 1e9 / (b.batches * b.batch), b.batches * b.batch, b.enters,
	       cpu * 1e6 / (b.batches * b.batch));
	io_uring_queue_exit(&b.ring);
	free(b.requests);
	return 0;
}
