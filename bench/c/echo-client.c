/*
 * A client for TCP echo servers: connections with one message in flight each, or
 * more (-depth), on one thread and one ring. It is made to cost less than any server does:
 * registered sockets, receives that stay armed, and sends without completions.
 * It reads the server's processor time at the same moments as the clock.
 *
 * With a rate it sends by the clock instead, and measures how long each echo
 * takes from the moment that its message was due: a server that falls behind
 * can't hide that by having the client wait.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum {
	max_connections = 16384,
	max_in_flight = 65536,		/* bytes, on a connection */
	sq_entries = 1024,
	cq_entries = 8192,
	buffers = 4096,			/* a power of two */
	buffer_group = 0,
	max_wait = 16,			/* completions, before the client wakes up */
	tick_ns = 5000000,		/* between two looks at the clock */
	finest_ns = 100,		/* what latencies are counted in */
	latencies = 1000000,		/* the last one, 0.1 s, is for all that are longer */
};

static const unsigned setup_flags = IORING_SETUP_SINGLE_ISSUER |
				    IORING_SETUP_DEFER_TASKRUN |
				    IORING_SETUP_SUBMIT_ALL |
				    IORING_SETUP_CQSIZE;
static const double warm_up = 0.2; /* seconds */
static const double bar_width = 1.1220184543; /* of the histogram: 20 bars for ten times the time */

struct connection {
	char *message;		/* again and again, for twice what is in flight */
	int got;		/* bytes of a message's echo */
	unsigned long echoes;
	double due;		/* when the message was to be sent, with a rate */
};

/* what user data is if it is not a connection's index */
enum { tick_data = max_connections, send_data };

static struct {
	struct io_uring ring;
	struct io_uring_buf_ring *free;
	char *buffers;		/* of the size of what is in flight on a connection */
	int size;		/* of a message */
	int depth;		/* messages in flight on a connection */
	struct connection *connections;
	int count;
	unsigned wait_for;	/* completions */
	unsigned long echoes;
	int ticked;

	double rate;		/* messages per second, 0: as many as possible */
	double next;		/* when the next one is due */
	int *idle, idles;	/* connections without a message in flight, a queue */
	int first_idle;
	unsigned *counts;	/* of latencies */
} client;

static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&client.ring);

	if (sqe)
		return sqe;
	io_uring_submit(&client.ring);
	sqe = io_uring_get_sqe(&client.ring);
	if (!sqe)
		fail("io_uring_get_sqe", EBUSY);
	return sqe;
}

static void arm_receive(int index)
{
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_recv_multishot(sqe, index, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
	sqe->buf_group = buffer_group;
	io_uring_sqe_set_data64(sqe, index);
}

static int in_flight(void)
{
	return client.depth * client.size;
}

static void send_messages(int index, int count)
{
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_send(sqe, index, client.connections[index].message,
			   count * client.size, MSG_WAITALL);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, send_data);
}

static void add_idle(int index)
{
	client.idle[(client.first_idle + client.idles++) % client.count] = index;
}

/* note_latency counts an echo, whose connection is free for the next. */
static void note_latency(int index)
{
	double took = now() - client.connections[index].due;
	unsigned long count = took * 1e9 / finest_ns;

	client.counts[count < latencies ? count : latencies - 1]++;
	add_idle(index);
}

/* send_due sends what is due. Without an idle connection it is late: it stays due. */
static void send_due(double time)
{
	while (client.next <= time && client.idles > 0) {
		int index = client.idle[client.first_idle];

		client.first_idle = (client.first_idle + 1) % client.count;
		client.idles--;
		client.connections[index].due = client.next;
		client.next += 1 / client.rate;
		send_messages(index, 1);
	}
}

/* give_buffer gives the kernel a buffer to receive into. */
static void give_buffer(int buffer, int place)
{
	io_uring_buf_ring_add(client.free, client.buffers + (size_t)buffer * in_flight(), in_flight(),
			      buffer, io_uring_buf_ring_mask(buffers), place);
}

static void received(int index, const struct io_uring_cqe *cqe)
{
	struct connection *c = &client.connections[index];
	int buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT, whole = 0;

	if (cqe->res == 0)
		fail("the server closed a connection", ECONNRESET);
	if (cqe->res < 0 && cqe->res != -ENOBUFS)
		fail("recv", -cqe->res);
	if (cqe->res > 0) {
		if (memcmp(client.buffers + (size_t)buffer * in_flight(), c->message + c->got, cqe->res))
			fail("the echo is not what was sent", EBADMSG);
		whole = (c->got + cqe->res) / client.size;
		c->got = (c->got + cqe->res) % client.size;
		give_buffer(buffer, 0);
		io_uring_buf_ring_advance(client.free, 1);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		arm_receive(index);
	if (!whole)
		return;
	c->echoes += whole;
	client.echoes += whole;
	if (client.rate)
		note_latency(index);
	else
		send_messages(index, whole);
}

static void take(const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == tick_data)
		client.ticked = 1;
	else if (cqe->user_data == send_data)
		fail("send", -cqe->res);
	else
		received(cqe->user_data, cqe);
}

static void take_all(void)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;

	io_uring_for_each_cqe(&client.ring, head, cqe) {
		take(cqe);
		seen++;
	}
	io_uring_cq_advance(&client.ring, seen);
}

/* echo_until goes on with all connections until a time. */
static void echo_until(double end)
{
	for (;;) {
		int ret = io_uring_submit_and_wait(&client.ring, client.wait_for);

		if (ret < 0 && ret != -EINTR)
			fail("io_uring_submit_and_wait", -ret);
		take_all();
		if (client.ticked && now() >= end)
			return;
		client.ticked = 0;
	}
}

/* echo_by_clock_until is echo_until with a rate. It never waits: to be woken up
   would count as the server's time. */
static void echo_by_clock_until(double end)
{
	double time;

	for (client.next = now(); client.next < end;) {
		int ret = io_uring_submit_and_get_events(&client.ring);

		if (ret < 0 && ret != -EINTR)
			fail("io_uring_submit_and_get_events", -ret);
		take_all();
		time = now();
		if (time >= end)
			return;
		send_due(time);
	}
}

static void start_ticks(void)
{
	static struct __kernel_timespec tick = { .tv_nsec = tick_ns };
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_timeout(sqe, &tick, 0, IORING_TIMEOUT_MULTISHOT);
	io_uring_sqe_set_data64(sqe, tick_data);
}

/* percentile returns the latency in µs that a part of all echoes stay below. */
static double percentile(double part)
{
	double below = 0;
	int i = 0;

	while (i < latencies - 1 && (below += client.counts[i]) < part * client.echoes)
		i++;
	return (i + 1) * (double)finest_ns / 1000;
}

/* print_histogram prints how many echoes took no longer than so many µs, but
   longer than the bar before. */
static void print_histogram(void)
{
	unsigned i, in_bar = 0;
	double limit = 1;

	for (i = 0; i < latencies; i++) {
		while ((i + 1) * (double)finest_ns / 1000 > limit * 1.000001) {
			if (in_bar)
				printf(" within_%.4g=%u", limit, in_bar);
			in_bar = 0;
			limit *= bar_width;
		}
		in_bar += client.counts[i];
	}
	printf(" within_%.4g=%u", limit, in_bar);
}

static int connect_to(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	struct linger none = { .l_onoff = 1 };

	if (fd < 0)
		fail("socket", errno);
	/* leave no connection in TIME_WAIT, for the next run to wade through */
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)))
		fail("setsockopt", errno);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail("connect", errno);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		fail("setsockopt", errno);
	/* the cheapest one: others work out a pace for each message */
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno")))
		fail("setsockopt", errno);
	return fd;
}

/* message_of returns a connection's message, as often as a buffer can begin in the
   middle of one and be full. */
static char *message_of(int index)
{
	char *all = malloc(2 * in_flight()), *p;
	int i;

	if (!all)
		fail("malloc", ENOMEM);
	for (p = all; p < all + 2 * in_flight(); p += client.size)
		for (i = 0; i < client.size; i++)
			p[i] = i < 4 ? index >> 8 * i : 'a' + (index + i) % 26;
	return all;
}

static void connect_all(int port)
{
	int *fds = calloc(client.count, sizeof(*fds)), i, ret;

	client.connections = calloc(client.count, sizeof(*client.connections));
	if (!fds || !client.connections)
		fail("calloc", ENOMEM);
	for (i = 0; i < client.count; i++)
		fds[i] = connect_to(port);
	ret = io_uring_register_files(&client.ring, fds, client.count);
	if (ret < 0)
		fail("io_uring_register_files", -ret);
	free(fds);
	for (i = 0; i < client.count; i++) {
		struct connection *c = &client.connections[i];

		c->message = message_of(i);
		arm_receive(i);
		if (client.rate)
			add_idle(i);
		else
			send_messages(i, client.depth);
	}
}

static void set_up(void)
{
	struct io_uring_params p = { .flags = setup_flags, .cq_entries = cq_entries };
	int ret = io_uring_queue_init_params(sq_entries, &client.ring, &p), i;

	if (ret < 0)
		fail("io_uring_queue_init", -ret);
	ret = io_uring_register_ring_fd(&client.ring);
	if (ret < 0)
		fail("io_uring_register_ring_fd", -ret);
	client.free = io_uring_setup_buf_ring(&client.ring, buffers, buffer_group, 0, &ret);
	if (!client.free)
		fail("io_uring_setup_buf_ring", -ret);
	client.buffers = calloc(buffers, in_flight());
	if (!client.buffers)
		fail("calloc", ENOMEM);
	for (i = 0; i < buffers; i++)
		give_buffer(i, i);
	io_uring_buf_ring_advance(client.free, buffers);
}

/* signal_mark tells the server that the measurement begins or ends. */
static void signal_mark(pid_t server)
{
	if (kill(server, SIGUSR1))
		fail("kill", errno);
}

/* measure has the connections echo for a time and prints what came of it. */
static void measure(double seconds, clockid_t server)
{
	double start = now(), took;
	double served = seconds_of(server), own = processor_time();
	int i, stalled = 0;

	client.echoes = 0;
	for (i = 0; i < client.count; i++)
		client.connections[i].echoes = 0;
	if (client.rate) {
		memset(client.counts, 0, latencies * sizeof(*client.counts));
		echo_by_clock_until(start + seconds);
	} else {
		echo_until(start + seconds);
	}
	took = now() - start;
	served = seconds_of(server) - served;
	own = processor_time() - own;
	for (i = 0; i < client.count; i++)
		stalled += !client.connections[i].echoes;
	if (!client.echoes)
		fail("the server sent nothing back", ETIME);
	printf("requests_per_second=%.1f requests=%lu cpu_us_per_request=%.4f "
	       "client_cpu_us_per_request=%.4f stalled_connections=%d",
	       client.echoes / took, client.echoes, served * 1e6 / client.echoes,
	       own * 1e6 / client.echoes, stalled);
	if (client.rate) {
		printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f", percentile(0.5), percentile(0.99), percentile(0.999));
		print_histogram();
	}
	putchar('\n');
}

/* allow_files lets the client have as many sockets as the system allows. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit", errno);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit", errno);
}

static void usage(FILE *out)
{
	fprintf(out, "usage: echo-client -port P -server PID -connections N -seconds S [-size B] [-depth D]\n"
		     "                   [-rate R] [-mark]\n\n"
		     "Measures the TCP echo server PID on the loopback's port P with N connections,\n"
		     "1 to %d, that each send B bytes, 64 without -size, and wait for them to come\n"
		     "back; D messages are in flight on each, 1 without -depth. With a rate R messages\n"
		     "are sent per second, one at once on each connection, and the latency of the echoes\n"
		     "is measured. With -mark the server gets a SIGUSR1 when the measurement begins and\n"
		     "when it ends.\n",
		max_connections);
	exit(out == stdout ? 0 : 2);
}

int main(int argc, char **argv)
{
	int port = 0, pid = 0, mark = 0, i, ret;
	double seconds = 0.8;
	clockid_t server;

	client.size = 64;
	client.depth = 1;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			usage(stdout);
		if (!strcmp(argv[i], "-mark")) {
			mark = 1;
			continue;
		}
		if (i + 1 == argc)
			usage(stderr);
		if (!strcmp(argv[i], "-port"))
			port = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-server"))
			pid = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-connections"))
			client.count = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-seconds"))
			seconds = atof(argv[++i]);
		else if (!strcmp(argv[i], "-size"))
			client.size = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-depth"))
			client.depth = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-rate"))
			client.rate = atof(argv[++i]);
		else
			usage(stderr);
	}
	if (port < 1 || pid < 1 || client.count < 1 || client.count > max_connections || seconds <= 0 ||
	    client.size < 4 || client.depth < 1 || client.depth > max_in_flight / client.size ||
	    client.rate < 0 || (client.rate && client.depth > 1))
		usage(stderr);
	ret = clock_getcpuclockid(pid, &server);
	if (ret)
		fail("clock_getcpuclockid", ret);
	/* few wake-ups for the client, while most messages are with the server */
	client.wait_for = (client.count + 7) / 8;
	if (client.wait_for > max_wait)
		client.wait_for = max_wait;
	client.idle = calloc(client.count, sizeof(*client.idle));
	client.counts = calloc(latencies, sizeof(*client.counts));
	if (!client.idle || !client.counts)
		fail("calloc", ENOMEM);
	allow_files();
	set_up();
	connect_all(port);
	if (client.rate) {
		echo_by_clock_until(now() + warm_up);
	} else {
		start_ticks();
		echo_until(now() + warm_up);
	}
	if (mark)
		signal_mark(pid);
	measure(seconds, server);
	if (mark)
		signal_mark(pid);
	return 0;
}
