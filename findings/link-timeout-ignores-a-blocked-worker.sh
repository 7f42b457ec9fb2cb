#!/usr/bin/env bash
# Question: does a linked timeout (IORING_OP_LINK_TIMEOUT) end whatever it is linked to?
# One would guess: yes, that is what it is for, and a cancel request can end these operations too.
# True: not what blocks a worker thread: a splice or tee from an empty pipe, an open of a FIFO that has no other end.
# The clock of such a request is never started: it waits for good, and when it has ended by itself the timeout is told
# as cancelled. A read of the same pipe is ended in time, even with IOSQE_ASYNC, because it can be polled for.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (a limit of 50 ms, watched for a second):
#  > read, IOSQE_ASYNC:   ended by its timeout
#  > splice:              still waiting; let go, it succeeds and its timeout is cancelled
#  > tee:                 still waiting; let go, it succeeds and its timeout is cancelled
#  > open, IOSQE_ASYNC:   still waiting; let go, it succeeds and its timeout is cancelled
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
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { the_request, the_timeout };

static int from[2], to[2];
static char buf[1];

static void prep_read(struct io_uring_sqe *sqe) { io_uring_prep_read(sqe, from[0], buf, 1, 0); }
static void prep_splice(struct io_uring_sqe *sqe) { io_uring_prep_splice(sqe, from[0], -1, to[1], -1, 1, 0); }
static void prep_tee(struct io_uring_sqe *sqe) { io_uring_prep_tee(sqe, from[0], to[1], 1, 0); }
static void prep_open(struct io_uring_sqe *sqe) { io_uring_prep_openat(sqe, AT_FDCWD, "fifo", O_RDONLY | O_CLOEXEC, 0); }

/* collect waits up to a second for both completions and says how many came. */
static int collect(struct io_uring *ring, int res[2])
{
	struct __kernel_timespec second = {.tv_sec = 1};
	struct io_uring_cqe *cqe;
	int n = 0;
	for (; n < 2 && io_uring_wait_cqe_timeout(ring, &cqe, &second) == 0; n++) {
		res[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return n;
}

static void try(const char *name, void (*prep)(struct io_uring_sqe *), unsigned flags)
{
	struct __kernel_timespec limit = {.tv_nsec = 50000000};
	struct io_uring ring;
	int res[2] = {0};
	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(from) < 0 || pipe(to) < 0)
		return;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	prep(sqe);
	sqe->flags |= IOSQE_IO_LINK | flags;
	sqe->user_data = the_request;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_link_timeout(sqe, &limit, 0);
	sqe->user_data = the_timeout;
	io_uring_submit(&ring);
	printf("%-20s ", name);
	if (collect(&ring, res) == 2) {
		puts(res[the_timeout] == -ETIME && res[the_request] < 0 ? "ended by its timeout" : "ended in another way");
	} else {
		int fd = open("fifo", O_RDWR | O_NONBLOCK);
		int all = write(from[1], "x", 1) == 1 && collect(&ring, res) == 2;
		printf("still waiting; let go, it %s and its timeout %s\n", all && res[the_request] >= 0 ? "succeeds" : "fails",
		       all && res[the_timeout] == -ECANCELED ? "is cancelled" : "ends in another way");
		close(fd);
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	if (mkfifo("fifo", 0600) < 0)
		return 2;
	try("read, IOSQE_ASYNC:", prep_read, IOSQE_ASYNC);
	try("splice:", prep_splice, 0);
	try("tee:", prep_tee, 0);
	try("open, IOSQE_ASYNC:", prep_open, IOSQE_ASYNC);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
