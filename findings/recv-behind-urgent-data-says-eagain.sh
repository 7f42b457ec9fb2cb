#!/usr/bin/env bash
# Question: bytes are in a TCP socket, and a recv that does not wait (MSG_DONTWAIT) asks for them. Can it say EAGAIN?
# One would guess: no: there is something to read.
# True: where an urgent byte comes next, yes. There the kernel looks whether the thread has a signal before it goes on,
# and a request of a ring that has completed and has left the thread something to do (task work) counts as one: with
# IORING_SETUP_COOP_TASKRUN it waits for the thread's next system call, which may be that recv. The same call again has the bytes.
# So who believes such an EAGAIN waits for what has come already, of which no poll tells anew.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > plain bytes:                             6 bytes
#  > plain bytes, and something to do:        6 bytes
#  > behind an urgent byte:                   6 bytes
#  > behind an urgent byte, something to do:  EAGAIN, then 6 bytes
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
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int pipes[2];
static atomic_int done;

static void *fill(void *unused)
{
	check(write(pipes[1], "x", 1) == 1, "write");
	done = 1;
	return unused;
}

/* refused tells how often a recv of the bytes says EAGAIN. */
static int refused(int urgent, int busy)
{
	int times = 0;
	struct io_uring ring;
	pthread_t thread;
	char got[16];
	int fds[2], n;
	connected(fds);
	if (urgent) {
		check(send(fds[1], "before!", 7, MSG_OOB) == 7, "send");
		usleep(10000);
		check(recv(fds[0], got, sizeof(got), 0) == 6, "recv");
	}
	check(send(fds[1], "behind", 6, 0) == 6, "send");
	usleep(10000);

	check(!io_uring_queue_init(8, &ring, IORING_SETUP_COOP_TASKRUN), "queue_init");
	check(!pipe(pipes), "pipe");
	if (busy) { /* by a poll of a pipe, which another thread fills while this one is in no system call */
		io_uring_prep_poll_add(io_uring_get_sqe(&ring), pipes[0], POLLIN);
		check(io_uring_submit(&ring) == 1, "submit");
		done = 0;
		check(!pthread_create(&thread, NULL, fill, NULL), "pthread_create");
		while (!done)
			;
	}
	while ((n = recv(fds[0], got, sizeof(got), MSG_DONTWAIT)) < 0) {
		check(errno == EAGAIN, "recv");
		times++;
	}
	check(n == 6, "recv");
	if (busy)
		pthread_join(thread, NULL);
	io_uring_queue_exit(&ring);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(pipes[i]);
	}
	return times;
}

/* received says what a recv of the bytes brings, of so many that another thread may have come between. */
static void received(const char *what, int urgent, int busy)
{
	int most = 0;
	for (int i = 0; i < 50; i++) {
		int times = refused(urgent, busy);
		most = times > most ? times : most;
	}
	printf("%-40s%s 6 bytes\n", what, most == 0 ? "" : most == 1 ? " EAGAIN, then" : " EAGAIN again and again, then");
}

int main(void)
{
	received("plain bytes:", 0, 0);
	received("plain bytes, and something to do:", 0, 1);
	received("behind an urgent byte:", 1, 0);
	received("behind an urgent byte, something to do:", 1, 1);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -pthread -o program
timeout 120 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
