#!/usr/bin/env bash
# Question: a request of a ring with IORING_SETUP_DEFER_TASKRUN has completed, its completion was taken, and the
# descriptor that it used is closed, being the last one of a pipe's writing end. Does the reader see the end?
# One would guess: yes. What has completed is over.
# True: as a rule, and now and then not, where a worker thread had to do with the request. The worker gives its own
# reference back after the completion was made. Should the submitter be quicker, that is the last one, and what drops it,
# and with it the file, is deferred to the next time when the ring's thread enters the ring; a thread that has nothing to
# ask for does not. So it is once in some ten thousand times, and then for good. Rings without the flag let go at once.
# Seen with Linux 6.18.44, liburing 2.9-1 (each is tried until it happens, 10 s or 2 minutes at most):
#  > plain, write by a worker:     the reader sees the end, always
#  > COOP, write by a worker:      the reader sees the end, always
#  > deferred, write at once:      the reader sees the end, always
#  > deferred, write by a worker:  now and then not for a second; the ring is entered, and there it is
#  > deferred, shutdown:           now and then not for a second; the ring is entered, and there it is
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
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { write_to_it, write_async, shut_down };

/* ended reports whether the reader of a pipe sees its end within so many milliseconds. */
static int ended(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[16];
	while (poll(&p, 1, ms) == 1)
		if (read(fd, buf, sizeof buf) == 0)
			return 1;
	return 0;
}

/* once has a request done with the writing end of a pipe, takes its completion and closes the
   end. It returns the reading end if that does not see the end for a second, otherwise -1. */
static int once(struct io_uring *ring, int how)
{
	struct io_uring_cqe *cqe;
	int fds[2];
	if (pipe(fds) < 0)
		return -1;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	if (how == shut_down)
		io_uring_prep_shutdown(sqe, fds[1], SHUT_WR); /* always done by a worker; ENOTSOCK */
	else
		io_uring_prep_write(sqe, fds[1], "x", 1, 0);
	if (how == write_async)
		sqe->flags |= IOSQE_ASYNC;
	io_uring_submit(ring);
	io_uring_wait_cqe(ring, &cqe);
	io_uring_cqe_seen(ring, cqe);
	close(fds[1]);
	if (!ended(fds[0], 1000))
		return fds[0];
	close(fds[0]);
	return -1;
}

static void try(const char *name, unsigned setup, int how, int seconds)
{
	struct io_uring ring;
	time_t end = time(NULL) + seconds;
	int fd = -1;
	if (io_uring_queue_init(8, &ring, setup) < 0)
		return;
	while (fd < 0 && time(NULL) < end)
		fd = once(&ring, how);
	printf("%-29s ", name);
	if (fd < 0) {
		puts("the reader sees the end, always");
	} else {
		io_uring_get_events(&ring);
		printf("now and then not for a second; the ring is entered, and %s\n", ended(fd, 1000) ? "there it is" : "not then either");
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const unsigned deferred = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER;
	try("plain, write by a worker:", 0, write_async, 10);
	try("COOP, write by a worker:", IORING_SETUP_COOP_TASKRUN, write_async, 10);
	try("deferred, write at once:", deferred, write_to_it, 10);
	try("deferred, write by a worker:", deferred, write_async, 120);
	try("deferred, shutdown:", deferred, shut_down, 120);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 400 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
