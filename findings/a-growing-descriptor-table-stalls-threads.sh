#!/usr/bin/env bash
# Question: what does a descriptor more cost, where there are many?
# One would guess: next to nothing; now and then a table is copied, which takes microseconds.
# True: in a process with threads, as every one of Go's is, the 257th, the 513th and so on, at each doubling, wait for
# milliseconds, as readers of the old table must have passed (an RCU grace period); a server that accepts stands still
# for that long. A place in a ring's table of registered files has no such cost, for that table does not grow; and one
# can have the other grow early: a dup to a high number, before there are threads.
# Seen with Linux 6.18.44, liburing 2.9-1, medians of nine processes (here the six took 5 to 36 ms with threads, and 18
# us at most without):
#  > one thread: of the descriptors 256, 512, 1024, 2048, 4096, 8192 take over a millisecond: none
#  > two threads: of the descriptors 256, 512, 1024, 2048, 4096, 8192 take over a millisecond: all
#  > two threads, after a dup to 8192: of the descriptors 256, 512, 1024, 2048, 4096, 8192 take over a millisecond: none
#  > two threads, registered files: of the descriptors 256, 512, 1024, 2048, 4096, 8192 take over a millisecond: none
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
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { first = 256, doublings = 6, most = 8200, processes = 9 };

static struct io_uring ring;

static void *idle(void *unused)
{
	pause();
	return unused;
}

static double milliseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* open_registered opens a file into a free place of the ring's table. */
static int open_registered(void)
{
	struct io_uring_cqe *cqe;
	int place;
	io_uring_prep_openat_direct(io_uring_get_sqe(&ring), AT_FDCWD, "/dev/null", O_RDONLY, 0, IORING_FILE_INDEX_ALLOC);
	io_uring_submit(&ring);
	if (io_uring_wait_cqe(&ring, &cqe) < 0)
		exit(2);
	place = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return place;
}

/* measure has one descriptor after the other made, and tells what those at the doublings took. */
static void measure(int threads, int early, int registered, int out)
{
	double took[doublings] = {0}, before;
	pthread_t thread;
	int file = open("/dev/null", O_RDONLY), made, i;
	if (early)
		close(fcntl(file, F_DUPFD, 8192));
	if (threads > 1)
		pthread_create(&thread, NULL, idle, NULL);
	if (registered && (io_uring_queue_init(8, &ring, 0) < 0 || io_uring_register_files_sparse(&ring, most + 1) < 0))
		exit(2);
	do {
		before = milliseconds();
		made = registered ? open_registered() : dup(file);
		if (made < 0)
			exit(2);
		for (i = 0; i < doublings; i++)
			if (made == first << i)
				took[i] = milliseconds() - before;
	} while (made < most);
	if (write(out, took, sizeof(took)) != sizeof(took))
		exit(2);
	exit(0);
}

static int larger(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void tell(const char *what, int threads, int early, int registered)
{
	double took[doublings][processes], one[doublings];
	int ends[2], i, p, slow = 0;
	if (pipe(ends))
		exit(2);
	for (p = 0; p < processes; p++) {
		if (!fork())
			measure(threads, early, registered, ends[1]);
		wait(&i);
		if (i || read(ends[0], one, sizeof(one)) != sizeof(one))
			exit(2);
		for (i = 0; i < doublings; i++)
			took[i][p] = one[i];
	}
	printf("%s: of the descriptors", what);
	for (i = 0; i < doublings; i++) {
		qsort(took[i], processes, sizeof(double), larger);
		slow += took[i][processes / 2] > 1;
		fprintf(stderr, "%s: %d: %.3f ms\n", what, first << i, took[i][processes / 2]);
		printf("%s %d", i ? "," : "", first << i);
	}
	printf(" take over a millisecond: %s\n", slow == doublings ? "all" : slow ? "some" : "none");
	fflush(stdout);
}

int main(void)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	tell("one thread", 1, 0, 0);
	tell("two threads", 2, 0, 0);
	tell("two threads, after a dup to 8192", 2, 1, 0);
	tell("two threads, registered files", 2, 0, 1);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program -pthread
timeout 120 ./program >seen || exit 2
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
