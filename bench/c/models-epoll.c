/*
 * The yardstick for the models of servers: a server in C with one thread and
 * epoll. It answers what its clients ask, as the models do: a request of HTTP/1.0,
 * after which the connection ends, or one of HTTP/1.1 after the other.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	max_head = 1024,
	max_connections = 65536,	/* by descriptor */
	events_at_once = 512,
	backlog = 16384,
};

static const char last_answer[] = "HTTP/1.1 200 OK\r\n"
				  "Connection: close\r\n"
				  "Content-Type: text/plain\r\n"
				  "Content-Length: 6\r\n\r\n"
				  "hello\n";
static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 6\r\n\r\n"
			     "hello\n";

struct connection {
	char head[max_head];
	int got;
};

static struct {
	int listener, epoll;
	struct connection *connections[max_connections];
} server;

static void fail(const char *what)
{
	fprintf(stderr, "models-epoll: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event))
		fail("epoll_ctl");
}

static void accept_all(void)
{
	for (;;) {
		int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			fail("accept4");
		if (fd >= max_connections) {
			close(fd);
			continue;
		}
		server.connections[fd] = calloc(1, sizeof(struct connection));
		if (!server.connections[fd])
			fail("calloc");
		watch(fd);
	}
}

static void hang_up(int fd)
{
	free(server.connections[fd]);
	server.connections[fd] = NULL;
	close(fd);
}

/* serve reads what has come, and answers once the request is whole. */
static void serve(int fd)
{
	struct connection *c = server.connections[fd];
	ssize_t n = read(fd, c->head + c->got, max_head - c->got);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(fd);
		return;
	}
	c->got += n;
	if (!memmem(c->head, c->got, "\r\n\r\n", 4)) {
		if (c->got == max_head)
			hang_up(fd);
		return;
	}
	int keep = memmem(c->head, c->got, " HTTP/1.1\r\n", 11) != NULL;

	/* a connection has room for it; else the client counts a failure */
	if (send(fd, keep ? answer : last_answer, (keep ? sizeof(answer) : sizeof(last_answer)) - 1, MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		fail("send");
	if (keep)
		c->got = 0; /* these clients send nothing before they have the answer */
	else
		hang_up(fd);
}

static void run(void)
{
	static struct epoll_event events[events_at_once];

	for (;;) {
		int n = epoll_wait(server.epoll, events, events_at_once, -1), i;

		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == server.listener)
				accept_all();
			else
				serve(events[i].data.fd);
		}
	}
}

/* start_listening takes a port of the loopback and prints the address. */
static void start_listening(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(at);

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server.listener < 0)
		fail("socket");
	if (bind(server.listener, (struct sockaddr *)&at, sizeof(at)))
		fail("bind");
	if (listen(server.listener, backlog))
		fail("listen");
	if (getsockname(server.listener, (struct sockaddr *)&at, &length))
		fail("getsockname");
	printf("127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 1) {
		fprintf(strcmp(argv[1], "-h") ? stderr : stdout,
			"usage: models-epoll\n\n"
			"Answers HTTP requests on a port of the loopback, and prints the address.\n");
		return strcmp(argv[1], "-h") ? 2 : 0;
	}
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server.epoll < 0)
		fail("epoll_create1");
	start_listening();
	watch(server.listener);
	run();
	return 0;
}
