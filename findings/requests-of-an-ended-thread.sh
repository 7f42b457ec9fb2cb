#!/usr/bin/env bash
# Question: what becomes of a request when the thread that submitted it ends, and the ring stays open?
# One would guess: it goes on, since the ring belongs to the process; or it is cancelled when the thread ends.
# True: neither. Nothing happens until the thing it waits for is there, and then the request fails with ECANCELED
# instead of taking it: the byte stays in the pipe. A timeout is not touched, it ends in time. So a thread that
# submits must live as long as its requests do; in Go it ends, for one, with the goroutine that has locked it.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > read:     after the thread's end nothing, after a byte came ECANCELED, the byte is still there
#  > poll:     after the thread's end nothing, after a byte came ECANCELED, the byte is still there
#  > timeout:  after the thread's end ETIME
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
#include <sys/ioctl.h>
#include <unistd.h>

static struct io_uring ring;
static int ends[2];
static char buf[1];
static struct __kernel_timespec a_moment = {.tv_nsec = 100000000};

static void prep_read(struct io_uring_sqe *sqe) { io_uring_prep_read(sqe, ends[0], buf, 1, 0); }
static void prep_poll(struct io_uring_sqe *sqe) { io_uring_prep_poll_add(sqe, ends[0], POLLIN); }
static void prep_timeout(struct io_uring_sqe *sqe) { io_uring_prep_timeout(sqe, &a_moment, 0, 0); }

static void *submit(void *prep)
{
	((void (*)(struct io_uring_sqe *))prep)(io_uring_get_sqe(&ring));
	io_uring_submit(&ring);
	return NULL;
}

/* outcome waits half a second. */
static const char *outcome(void)
{
	struct __kernel_timespec ts = {.tv_nsec = 500000000};
	struct io_uring_cqe *cqe;
	if (io_uring_wait_cqe_timeout(&ring, &cqe, &ts) < 0)
		return "nothing";
	int res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return res == -ECANCELED ? "ECANCELED" : res == -ETIME ? "ETIME" : "success";
}

static void try(const char *name, void (*prep)(struct io_uring_sqe *))
{
	pthread_t thread;
	int unread = 0;
	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(ends) < 0)
		return;
	pthread_create(&thread, NULL, submit, (void *)prep);
	pthread_join(thread, NULL);
	printf("%-9s after the thread's end %s", name, outcome());
	if (prep != prep_timeout && write(ends[1], "x", 1) == 1) {
		printf(", after a byte came %s", outcome());
		ioctl(ends[0], FIONREAD, &unread);
		printf(", the byte is %s", unread ? "still there" : "gone");
	}
	puts("");
	io_uring_queue_exit(&ring);
}

int main(void)
{
	try("read:", prep_read);
	try("poll:", prep_poll);
	try("timeout:", prep_timeout);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
