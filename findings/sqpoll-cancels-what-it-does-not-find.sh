#!/usr/bin/env bash
# Question: how is a request cancelled that blocks a worker thread (a splice from an empty pipe)?
# One would guess: io_uring_register_sync_cancel ends it and returns 0, on every kind of ring; or a cancel request
# does, whose result says whether there was such a request.
# True on a plain ring. With IORING_SETUP_SQPOLL both say ENOENT for a request that is there: the register call leaves
# it running, and the cancel request ends it in spite of its answer. (What is ended has the result -512, ERESTARTSYS,
# a number that is the kernel's own and not in errno.h.)
# The same on Debian's 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13 and 7.2.11, in a VM; on 6.12.117 and 7.3.4 only the
# register call is wrong, and what is ended has EINTR.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > plain ring, register call:    0, the splice is ended: -512
#  > plain ring, cancel request:   EALREADY, the splice is ended: -512
#  > SQPOLL ring, register call:   ENOENT, the splice is still waiting
#  > SQPOLL ring, cancel request:  ENOENT, the splice is ended: -512
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
#include <stdio.h>
#include <unistd.h>

enum { the_splice = 1, the_cancel = 2 };

static const char *name_of(int error)
{
	return error == 0 ? "0" : error == -ENOENT ? "ENOENT" : error == -EALREADY ? "EALREADY" : "something else";
}

static int by_register_call(struct io_uring *ring, int *splice)
{
	struct io_uring_sync_cancel_reg what = {.addr = the_splice, .timeout = {.tv_sec = 2}};
	struct __kernel_timespec ts = {.tv_nsec = 500000000};
	struct io_uring_cqe *cqe;
	int ret = io_uring_register_sync_cancel(ring, &what);
	if (io_uring_wait_cqe_timeout(ring, &cqe, &ts) == 0)
		*splice = cqe->res;
	return ret;
}

static int by_request(struct io_uring *ring, int *splice)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct __kernel_timespec ts = {.tv_sec = 2};
	struct io_uring_cqe *cqe;
	int ret = 1;
	io_uring_prep_cancel64(sqe, the_splice, 0);
	sqe->user_data = the_cancel;
	io_uring_submit(ring);
	for (int i = 0; i < 2 && io_uring_wait_cqe_timeout(ring, &cqe, &ts) == 0; i++) {
		*(cqe->user_data == the_cancel ? &ret : splice) = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

static void try(const char *name, unsigned flags, int (*cancel)(struct io_uring *, int *))
{
	struct io_uring ring;
	int from[2], to[2], splice = 0;
	if (io_uring_queue_init(8, &ring, flags) < 0 || pipe(from) < 0 || pipe(to) < 0)
		return;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_splice(sqe, from[0], -1, to[1], -1, 1, 0);
	sqe->user_data = the_splice;
	io_uring_submit(&ring);
	usleep(300000); /* until the worker waits in the splice */
	printf("%-29s %s, ", name, name_of(cancel(&ring, &splice)));
	printf(splice ? "the splice is ended: %d\n" : "the splice is still waiting\n", splice);
	if (!splice)
		splice = write(from[1], "x", 1); /* lets it end */
	io_uring_queue_exit(&ring);
}

int main(void)
{
	try("plain ring, register call:", 0, by_register_call);
	try("plain ring, cancel request:", 0, by_request);
	try("SQPOLL ring, register call:", IORING_SETUP_SQPOLL, by_register_call);
	try("SQPOLL ring, cancel request:", IORING_SETUP_SQPOLL, by_request);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
