#!/usr/bin/env bash
# Question: does a request on a ring, waiting in the background, disturb the other system calls of its thread?
# One would guess: no. Only signals interrupt, and here every signal is blocked.
# True: when the request's event comes, the kernel pokes the thread that submitted it as it does for a signal, and
# calls that are never restarted (epoll_wait, sigtimedwait, see signal(7)) fail with EINTR though no signal was sent.
# poll and nanosleep are restarted by the kernel. IORING_SETUP_COOP_TASKRUN does not help, IORING_SETUP_DEFER_TASKRUN
# does; but closing a ring of any kind interrupts its thread too, some milliseconds later.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > plain ring:      epoll_wait EINTR, sigtimedwait EINTR, poll time up, nanosleep time up
#  > COOP_TASKRUN:    epoll_wait EINTR, sigtimedwait EINTR, poll time up, nanosleep time up
#  > DEFER_TASKRUN:   epoll_wait time up, sigtimedwait time up, poll time up, nanosleep time up
#  > ring closed:     epoll_wait EINTR
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
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static const struct timespec half_a_second = {.tv_nsec = 500000000};

static int on_epoll(void)
{
	struct epoll_event event;
	return epoll_wait(epoll_create1(0), &event, 1, 500);
}

static int on_sigtimedwait(void)
{
	sigset_t none;
	sigemptyset(&none);
	return sigtimedwait(&none, NULL, &half_a_second);
}

static int on_poll(void) { return poll(NULL, 0, 500); }
static int on_nanosleep(void) { return nanosleep(&half_a_second, NULL); }

static const char *result(int ret) { return ret < 0 && errno == EINTR ? "EINTR" : "time up"; }

static const char *after_close(int (*call)(void))
{
	struct io_uring ring;
	if (io_uring_queue_init(8, &ring, 0) < 0)
		return "cannot be tried";
	io_uring_queue_exit(&ring);
	return result(call());
}

static void *write_soon(void *fd)
{
	usleep(100000);
	return write(*(int *)fd, "x", 1) == 1 ? fd : NULL;
}

/* with_read makes the call while a read of an empty pipe is in flight, to which another thread writes. The ring stays
 * open, because closing it would interrupt what comes next. */
static const char *with_read(unsigned flags, int (*call)(void))
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
	const char *how = result(call());
	pthread_join(writer, NULL);
	return how;
}

int main(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	struct { const char *name; unsigned flags; } modes[] = {
		{"plain ring:", 0},
		{"COOP_TASKRUN:", IORING_SETUP_COOP_TASKRUN},
		{"DEFER_TASKRUN:", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
	};
	for (int i = 0; i < 3; i++)
		printf("%-16s epoll_wait %s, sigtimedwait %s, poll %s, nanosleep %s\n", modes[i].name,
		       with_read(modes[i].flags, on_epoll), with_read(modes[i].flags, on_sigtimedwait),
		       with_read(modes[i].flags, on_poll), with_read(modes[i].flags, on_nanosleep));
	printf("ring closed:     epoll_wait %s\n", after_close(on_epoll));
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
