/*
 * A TCP echo server for many small messages in flight, as fast as C gets with
 * liburing: what Go's echo servers are measured against there. It listens on a
 * port of the loopback until it is killed.
 *
 *   plain   a receive that stays in the kernel takes buffers that all connections
 *           share; what has come while a send was on its way goes out with one
 *           vectored send
 *   bundle  receives may take several buffers at once, and each connection has a
 *           ring of buffers to send, of which a send takes all that there are
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum {
	entries = 256,		/* of the submission queue */
	cq_entries = 8192,
	max_connections = 1024,
	buffer_size = 2048,
	buffer_count = 4096,
	receive_group = 0,	/* a connection's send group is its place + 1 */
	max_waiting = 64,	/* buffers that one connection may hold; a power of two */
};

enum { sends = 1 };		/* the lowest bit of user data; 0: receives */

struct connection {
	int place;		/* in the table of registered files */
	int open, receiving;
	unsigned head, tail;	/* of waiting: buffers that are to be sent */
	unsigned flying;	/* how many of them the send under way has; bundle: whether one is */
	unsigned done;		/* bytes of the first that were sent */
	unsigned short waiting[max_waiting];
	unsigned length[max_waiting];
	struct io_uring_buf_ring *outgoing;
	struct msghdr message;
	struct iovec vector[max_waiting];
};

static struct {
	struct io_uring ring;
	struct io_uring_buf_ring *incoming;
	unsigned char *memory;
	int bundles, listener;
	struct connection connections[max_connections];
} server;

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&server.ring);

	if (sqe)
		return sqe;
	io_uring_submit(&server.ring);
	sqe = io_uring_get_sqe(&server.ring);
	if (!sqe)
		fail("io_uring_get_sqe", EBUSY);
	return sqe;
}

static unsigned char *buffer(unsigned id)
{
	return server.memory + (size_t)id * buffer_size;
}

static void give_back(unsigned id)
{
	io_uring_buf_ring_add(server.incoming, buffer(id), buffer_size, id,
			      io_uring_buf_ring_mask(buffer_count), 0);
	io_uring_buf_ring_advance(server.incoming, 1);
}

static void receive(struct connection *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_recv_multishot(sqe, c->place, NULL, 0, 0);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = receive_group;
	if (server.bundles)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	io_uring_sqe_set_data(sqe, c);
	c->receiving = 1;
}

static unsigned waiting(const struct connection *c)
{
	return c->tail - c->head;
}

static void send_vector(struct connection *c)
{
	struct io_uring_sqe *sqe = next_sqe();
	unsigned i, at;

	c->flying = waiting(c);
	for (i = 0; i < c->flying; i++) {
		at = (c->head + i) % max_waiting;
		c->vector[i].iov_base = buffer(c->waiting[at]);
		c->vector[i].iov_len = c->length[at];
	}
	c->vector[0].iov_base = (char *)c->vector[0].iov_base + c->done;
	c->vector[0].iov_len -= c->done;
	if (c->flying == 1) {
		io_uring_prep_send(sqe, c->place, c->vector[0].iov_base,
				   c->vector[0].iov_len, MSG_NOSIGNAL | MSG_WAITALL);
	} else {
		c->message.msg_iov = c->vector;
		c->message.msg_iovlen = c->flying;
		io_uring_prep_sendmsg(sqe, c->place, &c->message, MSG_NOSIGNAL | MSG_WAITALL);
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, (unsigned long)c | sends);
}

static void send_bundle(struct connection *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_send_bundle(sqe, c->place, 0, MSG_NOSIGNAL | MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->buf_group = c->place + 1;
	io_uring_sqe_set_data64(sqe, (unsigned long)c | sends);
	c->flying = 1;
}

static void send_waiting(struct connection *c)
{
	if (c->flying || !waiting(c))
		return;
	if (server.bundles)
		send_bundle(c);
	else
		send_vector(c);
}

/* take_bytes has what came in a buffer wait for its send. */
static void take_bytes(struct connection *c, unsigned id, unsigned length)
{
	unsigned at = c->tail % max_waiting;

	if (waiting(c) == max_waiting) {
		fprintf(stderr, "a client that does not read is not what is measured\n");
		exit(1);
	}
	c->waiting[at] = id;
	c->length[at] = length;
	c->tail++;
	if (!server.bundles)
		return;
	io_uring_buf_ring_add(c->outgoing, buffer(id), length, at,
			      io_uring_buf_ring_mask(max_waiting), 0);
	io_uring_buf_ring_advance(c->outgoing, 1);
}

static void drop_sent(struct connection *c, unsigned bytes)
{
	unsigned at;

	for (bytes += c->done; waiting(c); c->head++) {
		at = c->head % max_waiting;
		if (bytes < c->length[at])
			break;
		bytes -= c->length[at];
		give_back(c->waiting[at]);
	}
	c->done = bytes;
	if (server.bundles && bytes)
		fail("a bundle was sent in part", EIO);
}

static void set_up_outgoing(struct connection *c)
{
	int ret;

	if (!server.bundles || c->outgoing)
		return;
	c->outgoing = io_uring_setup_buf_ring(&server.ring, max_waiting, c->place + 1, 0, &ret);
	if (!c->outgoing)
		fail("io_uring_setup_buf_ring", -ret);
}

static void end(struct connection *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	c->open = 0;
	io_uring_prep_close_direct(sqe, c->place);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, sends); /* nobody's */
}

static void accept_all(void)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_multishot_accept_direct(sqe, server.listener, NULL, NULL, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

static void accepted(const struct io_uring_cqe *cqe)
{
	struct connection *c;

	if (cqe->res < 0)
		fail("accept", -cqe->res);
	c = &server.connections[cqe->res];
	c->place = cqe->res;
	c->open = 1;
	c->head = c->tail = c->flying = c->done = 0;
	set_up_outgoing(c);
	receive(c);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accept_all();
}

static void received(struct connection *c, const struct io_uring_cqe *cqe)
{
	if (cqe->res > buffer_size)
		fail("a bundle of several buffers: messages are small", EIO);
	if (cqe->res > 0)
		take_bytes(c, cqe->flags >> IORING_CQE_BUFFER_SHIFT, cqe->res);
	c->receiving = !!(cqe->flags & IORING_CQE_F_MORE);
	send_waiting(c);
	if (c->receiving)
		return;
	if (cqe->res > 0 || cqe->res == -ENOBUFS)
		receive(c);
	else
		end(c);
}

static void sent(struct connection *c, const struct io_uring_cqe *cqe)
{
	if (!c)
		return;
	c->flying = 0;
	if (cqe->res < 0) {
		while (waiting(c))
			give_back(c->waiting[c->head++ % max_waiting]);
		return;
	}
	drop_sent(c, cqe->res);
	if (c->open)
		send_waiting(c);
}

static void completed(const struct io_uring_cqe *cqe)
{
	unsigned long data = io_uring_cqe_get_data64(cqe);
	struct connection *c = (void *)(data & ~1UL);

	if (data & sends)
		sent(c, cqe);
	else if (c)
		received(c, cqe);
	else
		accepted(cqe);
}

static void listen_on(int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server.listener < 0 ||
	    setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(server.listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    bind(server.listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(server.listener, max_connections))
		fail("listen", errno);
}

static void set_up(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = cq_entries,
	};
	int i, ret = io_uring_queue_init_params(entries, &server.ring, &p);

	if (ret < 0)
		fail("io_uring_queue_init_params", -ret);
	ret = io_uring_register_ring_fd(&server.ring);
	if (ret < 0)
		fail("io_uring_register_ring_fd", -ret);
	ret = io_uring_register_files_sparse(&server.ring, max_connections);
	if (ret < 0)
		fail("io_uring_register_files_sparse", -ret);
	server.memory = mmap(NULL, (size_t)buffer_count * buffer_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (server.memory == MAP_FAILED)
		fail("mmap", errno);
	server.incoming = io_uring_setup_buf_ring(&server.ring, buffer_count, receive_group, 0, &ret);
	if (!server.incoming)
		fail("io_uring_setup_buf_ring", -ret);
	for (i = 0; i < buffer_count; i++)
		give_back(i);
}

int main(int argc, char **argv)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen;
	int ret;

	if (argc != 3 || (strcmp(argv[1], "plain") && strcmp(argv[1], "bundle"))) {
		fprintf(stderr, "usage: echo-pipelined plain|bundle PORT\n");
		return 2;
	}
	server.bundles = !strcmp(argv[1], "bundle");
	listen_on(atoi(argv[2]));
	set_up();
	accept_all();
	for (;;) {
		ret = io_uring_submit_and_wait(&server.ring, 1);
		if (ret < 0 && ret != -EINTR)
			fail("io_uring_submit_and_wait", -ret);
		seen = 0;
		io_uring_for_each_cqe(&server.ring, head, cqe) {
			completed(cqe);
			seen++;
		}
		io_uring_cq_advance(&server.ring, seen);
	}
}
