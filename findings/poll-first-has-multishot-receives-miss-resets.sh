#!/usr/bin/env bash
# Question: does IORING_RECVSEND_POLL_FIRST change what a multishot receive brings?
# One would guess: no: it saves the first try, where nothing is there yet, and is about nothing else.
# True on 6.18: with it a receive can miss the reset of its connection that comes right behind bytes. It goes on waiting,
# though recv(2) says ECONNRESET at once, and nothing wakes it any more. Without the flag, and with it on receives that
# are made anew each time, none misses it.
# Seen with Linux 6.18.44, liburing 2.9-1 (300 connections whose peer sends four times and resets; N was 50 to 105):
#  > once, poll first:      0 of 300 miss the end
#  > multishot:             0 of 300 miss the end
#  > multishot, poll first: N of 300 miss the end, and recv(2) knows it: N
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# liburing of Debian trixie, unpacked here; what the machine's own apt has stays as it is.
# shellcheck disable=SC2016 # apt expands it
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' | awk '!/security/ && !n++')
echo "deb $site trixie main" >list
mkdir -p lists/partial cache/archives/partial usr/include/linux
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
apt update
apt download liburing-dev=2.9-1
dpkg-deb -x liburing-dev_*.deb .
# The header asks for this one of kernel headers newer than the machine's may be.
echo '#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)' >usr/include/linux/blkdev.h

cat >program.c <<'EOF'
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { connections = 300, buffers = 8, size = 256 };

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

/* connected makes a TCP connection over loopback. */
static void connected(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	check(!bind(listener, (struct sockaddr *)&at, len) && !listen(listener, 1), "listen");
	check(!getsockname(listener, (struct sockaddr *)&at, &len), "getsockname");
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	check(!connect(fds[1], (struct sockaddr *)&at, len), "connect");
	check((fds[0] = accept(listener, NULL, NULL)) >= 0, "accept");
	close(listener);
}

static int handed[2]; /* a pipe: the peers' descriptors */

static void pause_a_little(void)
{
	for (volatile int n = rand() % 3000; n > 0; n--)
		;
}

/* peers sends a little on each connection, and resets it. */
static void *peers(void *arg)
{
	struct linger now = {.l_onoff = 1};
	char bytes[100] = {0};
	int fd;
	while (read(handed[0], &fd, sizeof(fd)) == sizeof(fd)) {
		for (int i = 0; i < 4; i++) {
			pause_a_little();
			check(send(fd, bytes, sizeof(bytes), 0) == sizeof(bytes), "send");
		}
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return arg;
}

static struct io_uring ring;
static struct io_uring_buf_ring *bufs;
static char memory[buffers][size];

static void add(int id)
{
	io_uring_buf_ring_add(bufs, memory[id], size, id, buffers - 1, 0);
	io_uring_buf_ring_advance(bufs, 1);
}

static void receive(int fd, int multishot, int poll_first)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (multishot)
		io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	else
		io_uring_prep_recv(sqe, fd, NULL, size, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	if (poll_first)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	io_uring_submit(&ring);
}

/* to_the_end receives until the connection ends, and reports whether it has been told of that within a fifth of a second. */
static int to_the_end(int fd, int multishot, int poll_first)
{
	struct __kernel_timespec limit = {.tv_nsec = 200000000};
	struct io_uring_cqe *cqe;
	receive(fd, multishot, poll_first);
	while (io_uring_wait_cqe_timeout(&ring, &cqe, &limit) == 0) {
		int res = cqe->res, more = cqe->flags & IORING_CQE_F_MORE;
		if (cqe->flags & IORING_CQE_F_BUFFER)
			add(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		io_uring_cqe_seen(&ring, cqe);
		if (res <= 0)
			return 1;
		if (!more)
			receive(fd, multishot, poll_first);
	}
	return 0;
}

static void cancel_all(void)
{
	struct io_uring_sync_cancel_reg all = {.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, .timeout = {-1, -1}};
	struct io_uring_cqe *cqe;
	io_uring_register_sync_cancel(&ring, &all);
	while (io_uring_peek_cqe(&ring, &cqe) == 0)
		io_uring_cqe_seen(&ring, cqe);
}

static void try(const char *name, int multishot, int poll_first)
{
	int missed = 0, known = 0;
	for (int i = 0; i < connections; i++) {
		char byte;
		int fds[2];
		connected(fds);
		check(write(handed[1], &fds[1], sizeof(int)) == sizeof(int), "write");
		if (!to_the_end(fds[0], multishot, poll_first)) {
			missed++;
			known += recv(fds[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
			cancel_all();
		}
		close(fds[0]);
	}
	printf("%-22s %d of %d miss the end", name, missed, connections);
	printf(missed ? ", and recv(2) knows it: %d\n" : "\n", known);
}

int main(void)
{
	pthread_t thread;
	int ret;
	check(!pipe(handed) && !pthread_create(&thread, NULL, peers, NULL), "pthread_create");
	check(!io_uring_queue_init(16, &ring, 0), "io_uring_queue_init");
	check((bufs = io_uring_setup_buf_ring(&ring, buffers, 0, 0, &ret)) != NULL, "io_uring_setup_buf_ring");
	for (int id = 0; id < buffers; id++)
		add(id);
	try("once, poll first:", 0, 1);
	try("multishot:", 1, 0);
	try("multishot, poll first:", 1, 1);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 120 ./program >seen
# How many it is differs; that recv(2) knows of each does not.
sed -E 's/ ([1-9][0-9]*) (of 300 miss the end, and recv.2. knows it:) \1$/ N \2 N/' seen >general
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - general
echo 'still so'
