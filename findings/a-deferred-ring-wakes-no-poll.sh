#!/usr/bin/env bash
# Question: can a thread sleep in epoll or poll on a ring's descriptor until a request has completed?
# One would guess: yes, always: the descriptor is pollable, and it is how a ring joins another event loop.
# True from 6.16 to 7.2: not with IORING_SETUP_DEFER_TASKRUN. Nothing wakes the sleeper, epoll never reports the ring,
# and poll finds that there is something only when its own time is up. A registered eventfd is told at once in every
# mode; the completion itself appears when the submitting thread enters the kernel.
# The same on Debian's 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13 and 7.2.11, in a VM; 6.12.117 and 7.3.4 wake the
# sleeper.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > plain ring:      poll woken, epoll woken, eventfd woken
#  > COOP_TASKRUN:    poll woken, epoll woken, eventfd woken
#  > DEFER_TASKRUN:   poll late, epoll nothing, eventfd woken
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
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { limit = 1000 /* ms */ };

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int by_poll(struct io_uring *ring)
{
	return poll(&(struct pollfd){.fd = ring->ring_fd, .events = POLLIN}, 1, limit);
}

static int by_epoll(struct io_uring *ring)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(0), ret;
	epoll_ctl(fd, EPOLL_CTL_ADD, ring->ring_fd, &event);
	/* A completion interrupts this thread's epoll_wait, which is another finding. */
	do
		ret = epoll_wait(fd, &event, 1, limit);
	while (ret < 0 && errno == EINTR);
	return ret;
}

static int by_eventfd(struct io_uring *ring)
{
	int fd = eventfd(0, 0);
	io_uring_register_eventfd(ring, fd);
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, limit);
}

static void *write_soon(void *fd)
{
	usleep(100000);
	return write(*(int *)fd, "x", 1) == 1 ? fd : NULL;
}

/* sleeping waits for a read of a pipe, to which another thread writes after 100 ms. */
static const char *sleeping(unsigned flags, int (*way)(struct io_uring *))
{
	struct io_uring ring;
	pthread_t writer;
	char buf[1];
	int ends[2];
	if (pipe(ends) < 0 || io_uring_queue_init(8, &ring, flags) < 0)
		return "cannot be tried";
	io_uring_prep_read(io_uring_get_sqe(&ring), ends[0], buf, 1, 0);
	io_uring_submit(&ring);
	pthread_create(&writer, NULL, write_soon, &ends[1]);
	long long start = now();
	int ret = way(&ring);
	const char *how = ret < 1 ? "nothing" : now() - start < limit ? "woken" : "late";
	pthread_join(writer, NULL);
	return how;
}

int main(void)
{
	struct { const char *name; unsigned flags; } modes[] = {
		{"plain ring:", 0},
		{"COOP_TASKRUN:", IORING_SETUP_COOP_TASKRUN},
		{"DEFER_TASKRUN:", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
	};
	for (int i = 0; i < 3; i++)
		printf("%-16s poll %s, epoll %s, eventfd %s\n", modes[i].name, sleeping(modes[i].flags, by_poll),
		       sleeping(modes[i].flags, by_epoll), sleeping(modes[i].flags, by_eventfd));
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
