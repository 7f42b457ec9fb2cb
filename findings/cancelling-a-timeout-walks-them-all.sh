#!/usr/bin/env bash
# Question: what does it cost to cancel one of many pending timeouts of a ring?
# One would guess: about the same however many there are, as for any timer: they are kept in a tree, and a request is
# found by a hash.
# True: the kernel walks a list of all timeouts, from the oldest on, whether they are cancelled or removed. For the
# youngest that is 1 us with 100 pending, 8 us with 1,000, 0.1 ms with 10,000, and 1 to 15 ms with 100,000, when the
# list does not fit into the cache. A server that renews a timeout for each of its connections at every message pays
# for it.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (20,000 pending timeouts against 300):
#  > ASYNC_CANCEL, the oldest:     no dearer
#  > ASYNC_CANCEL, the youngest:   more than 20 times as dear
#  > TIMEOUT_REMOVE, the oldest:   no dearer
#  > TIMEOUT_REMOVE, the youngest: more than 20 times as dear
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
#include <liburing.h>
#include <stdio.h>
#include <time.h>

enum way { by_cancel, by_remove };
enum { cancels = 50, rounds = 5 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static struct io_uring_sqe *entry(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	if (sqe)
		return sqe;
	io_uring_submit(ring);
	return io_uring_get_sqe(ring);
}

/* cost is the least time in us that a cancel took on average in a round, with so many timeouts pending; step is 1 to
 * begin with the oldest, -1 with the youngest. */
static double cost(enum way way, int step, int pending)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	struct __kernel_timespec hour = {.tv_sec = 3600};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	double least = 1e9;
	if (io_uring_queue_init_params(256, &ring, &params) < 0)
		return 0;
	for (int i = 1; i <= pending; i++) {
		struct io_uring_sqe *sqe = entry(&ring);
		io_uring_prep_timeout(sqe, &hour, 0, 0);
		sqe->user_data = i;
	}
	io_uring_submit(&ring);
	for (int round = 0, next = step > 0 ? 1 : pending; round < rounds; round++) {
		double start = now();
		for (int i = 0; i < cancels; i++, next += step) {
			struct io_uring_sqe *sqe = entry(&ring);
			if (way == by_remove)
				io_uring_prep_timeout_remove(sqe, next, 0);
			else
				io_uring_prep_cancel64(sqe, next, 0);
			io_uring_submit_and_wait(&ring, 2);
			for (int n = 0; n < 2 && io_uring_wait_cqe(&ring, &cqe) == 0; n++)
				io_uring_cqe_seen(&ring, cqe);
		}
		double took = (now() - start) / cancels;
		least = took < least ? took : least;
	}
	io_uring_queue_exit(&ring);
	return least;
}

static void try(const char *name, enum way way, int step)
{
	double few = cost(way, step, 300), many = cost(way, step, 20000);
	fprintf(stderr, "%-29s %.1f us with 300 pending, %.1f us with 20,000\n", name, few, many);
	printf("%-29s %s\n", name, many > 20 * few ? "more than 20 times as dear" : many < 5 * few ? "no dearer" : "dearer");
}

int main(void)
{
	try("ASYNC_CANCEL, the oldest:", by_cancel, 1);
	try("ASYNC_CANCEL, the youngest:", by_cancel, -1);
	try("TIMEOUT_REMOVE, the oldest:", by_remove, 1);
	try("TIMEOUT_REMOVE, the youngest:", by_remove, -1);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
