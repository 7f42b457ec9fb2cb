/*
 * Random reads of a file past the page cache through liburing: what
 * bench/randread is measured against, with the same command line and the same
 * line of output. The file and the buffers are registered; each completion goes
 * through a function pointer found by its user data, which begins the next read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "bench.h"

enum {
	block_size = 4096,
	max_depth = 128,
	look_every = 16,	/* reads between two looks at the clock */
};

static const double warm_up = 0.1; /* seconds */

struct bench;

struct request {
	void (*done)(struct request *req, const struct io_uring_cqe *cqe);
	struct bench *bench;
	struct iovec buf;
	int index;		/* of the buffer */
};

static struct bench {
	struct io_uring ring;
	int depth;
	struct request requests[max_depth];
	__u64 blocks;		/* of the file */
	__u64 random;
	double end;		/* when to stop */
	int over;
	unsigned in_flight;
	unsigned long reads;
} bench;

/* next_random is a xorshift64, as in Go. */
static __u64 next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static void begin(struct request *req)
{
	struct bench *b = req->bench;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);

	io_uring_prep_read_fixed(sqe, 0, req->buf.iov_base, block_size,
				 next_random(b) % b->blocks * block_size, req->index);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, req);
	b->in_flight++;
}

static void read_done(struct request *req, const struct io_uring_cqe *cqe)
{
	struct bench *b = req->bench;

	b->in_flight--;
	if (cqe->res != block_size)
		fail("read", cqe->res < 0 ? -cqe->res : EIO);
	if (++b->reads % look_every == 0 && now() >= b->end)
		b->over = 1;
	if (!b->over)
		begin(req);
}

static void read_for(struct bench *b, double seconds)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen;
	int i;

	b->end = now() + seconds;
	b->over = 0;
	b->reads = 0;
	for (i = 0; i < b->depth; i++)
		begin(&b->requests[i]);
	while (b->in_flight) {
		int ret = io_uring_submit_and_wait(&b->ring, 1);

		if (ret < 0)
			fail("io_uring_submit_and_wait", -ret);
		seen = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			struct request *req = io_uring_cqe_get_data(cqe);

			req->done(req, cqe);
			seen++;
		}
		io_uring_cq_advance(&b->ring, seen);
	}
}

static void open_file(struct bench *b, const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECT), ret;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(name, errno);
	b->blocks = st.st_size / block_size;
	if (!b->blocks)
		fail("the file is smaller than a block", EINVAL);
	ret = io_uring_register_files(&b->ring, &fd, 1);
	if (ret < 0)
		fail("io_uring_register_files", -ret);
}

static void make_requests(struct bench *b)
{
	struct iovec bufs[max_depth];
	int i, ret;

	for (i = 0; i < b->depth; i++) {
		struct request *req = &b->requests[i];

		req->done = read_done;
		req->bench = b;
		req->index = i;
		req->buf.iov_len = block_size;
		ret = posix_memalign(&req->buf.iov_base, block_size, block_size);
		if (ret)
			fail("posix_memalign", ret);
		bufs[i] = req->buf;
	}
	ret = io_uring_register_buffers(&b->ring, bufs, b->depth);
	if (ret < 0)
		fail("io_uring_register_buffers", -ret);
}

static void usage(FILE *out)
{
	fprintf(out, "usage: randread -file FILE -depth N -seconds S\n\n"
		     "Measures reads of random blocks of a file, N at once, for S seconds.\n"
		     "N is between 1 and %d.\n", max_depth);
	exit(out == stdout ? 0 : 2);
}

int main(int argc, char **argv)
{
	struct bench *b = &bench;
	double seconds = 0.4, start, took, cpu;
	const char *name = NULL;
	int i;

	b->depth = 16;
	b->random = 1;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			usage(stdout);
		if (i + 1 == argc)
			usage(stderr);
		if (!strcmp(argv[i], "-file"))
			name = argv[++i];
		else if (!strcmp(argv[i], "-depth"))
			b->depth = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-seconds"))
			seconds = atof(argv[++i]);
		else
			usage(stderr);
	}
	if (!name || b->depth < 1 || b->depth > max_depth || seconds <= 0)
		usage(stderr);

	set_up_ring(&b->ring, max_depth);
	open_file(b, name);
	make_requests(b);
	read_for(b, warm_up);
	start = now();
	cpu = processor_time();
	read_for(b, seconds);
	took = now() - start;
	cpu = processor_time() - cpu;
	printf("iops=%.1f requests=%lu cpu_us_per_request=%.4f\n",
	       b->reads / took, b->reads, cpu * 1e6 / b->reads);
	io_uring_queue_exit(&b->ring);
	return 0;
}
