#!/usr/bin/env bash
# Question: what becomes of a request that takes a worker thread of the kernel's when the limit of tasks is reached?
# One would guess: the submitter carries it out, or it fails with EAGAIN as fork does, or it waits.
# True: ECANCELED, as if somebody had cancelled it, some 30 ms later, in which the kernel tries again to make the thread.
# Nothing was done: the file is not synced. A program that makes cancelled requests anew does so for ever. The limit
# may be RLIMIT_NPROC, as here, or pids.max of a control group, the same.
# It takes root, to become a user without other processes.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > no limit: synced
#  > another user: synced
#  > no second task: ECANCELED, after a while
set -euo pipefail
self=$(realpath "$0")
[[ $(id -u) == 0 ]] || { echo "it takes root" >&2; exit 2; }
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
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* sync has a file synced through a ring of its own. */
static void sync_one(const char *when)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int fd = open(".", O_RDONLY);
	if (fd < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return;
	io_uring_prep_fsync(io_uring_get_sqe(&ring), fd, 0);
	long begun = now();
	io_uring_submit_and_wait(&ring, 1);
	long took = now() - begun;
	if (io_uring_peek_cqe(&ring, &cqe) < 0)
		return;
	printf("%s: %s\n", when, cqe->res == 0 ? "synced" :
	       cqe->res == -ECANCELED ? took >= 10 ? "ECANCELED, after a while" : "ECANCELED, at once" :
	       cqe->res == -EAGAIN ? "EAGAIN" : "another error");
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	sync_one("no limit");
	/* A user who has no process but this one, and may have no second task. */
	if (setuid(54321) < 0)
		return 2;
	sync_one("another user");
	sleep(6); /* an idle worker ends after five seconds */
	struct rlimit one = {1, 1};
	setrlimit(RLIMIT_NPROC, &one);
	sync_one("no second task");
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
