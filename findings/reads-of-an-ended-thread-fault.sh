#!/usr/bin/env bash
# Question: a thread submits reads of a file whose bytes are not in the page cache, and ends before the disk has
# answered. What becomes of the reads?
# One would guess: they complete with their bytes; or with ECANCELED, as a read of a pipe does.
# True: they say EFAULT, though the memory is there and mapped all the time: the kernel has seen to the disk, comes back
# to copy, and finds that the thread is gone whose memory it was. Read with O_DIRECT, which the disk writes to the memory
# itself, they succeed; and so does another read of the same bytes into the same memory afterwards.
# Seen with Linux 6.18.44, liburing 2.9-1 (1,280 reads each; of those from the page cache 1,184 to 1,280 EFAULT, the
# others had their bytes):
#  > buffered: some EFAULT, nothing else but bytes; read again by a thread that stays: all have their bytes
#  > direct:   all have their bytes
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d -p "${1:-/var/tmp}") # on a disk
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
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { reads = 64, block = 4096, gap = 1 << 20, rounds = 20 };

static struct io_uring ring;
static int fd;
static char *memory;
static int whole, faults, others;

static void *submit(void *unused)
{
	for (int i = 0; i < reads; i++)
		io_uring_prep_read(io_uring_get_sqe(&ring), fd, memory + i * block, block, (off_t)i * gap);
	io_uring_submit(&ring);
	return unused;
}

static void reap(void)
{
	whole = faults = others = 0;
	for (int i = 0; i < reads; i++) {
		struct io_uring_cqe *cqe;
		if (io_uring_wait_cqe(&ring, &cqe))
			exit(2);
		if (cqe->res == block)
			whole++;
		else if (cqe->res == -EFAULT)
			faults++;
		else
			others++;
		io_uring_cqe_seen(&ring, cqe);
	}
}

static void try(const char *name, int flags)
{
	int all_whole = 1, some_faults = 0, nothing_else = 1, again = 1;
	fd = open("data", O_RDONLY | flags);
	if (fd < 0 || io_uring_queue_init(reads, &ring, 0))
		exit(2);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (int i = 0; i < rounds; i++) {
		pthread_t thread;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		pthread_create(&thread, NULL, submit, NULL);
		pthread_join(thread, NULL);
		reap();
		fprintf(stderr, "%s %d bytes, %d EFAULT, %d others\n", name, whole, faults, others);
		all_whole &= whole == reads;
		some_faults |= faults != 0;
		nothing_else &= others == 0;
		submit(NULL);
		reap();
		again &= whole == reads;
	}
	printf("%-9s ", name);
	if (all_whole)
		puts("all have their bytes");
	else
		printf("%s EFAULT, %s but bytes; read again by a thread that stays: %s\n", some_faults ? "some" : "no",
			nothing_else ? "nothing else" : "something else", again ? "all have their bytes" : "not all have their bytes");
	io_uring_queue_exit(&ring);
	close(fd);
}

int main(void)
{
	if (posix_memalign((void **)&memory, block, reads * block))
		return 2;
	try("buffered:", 0);
	try("direct:", O_DIRECT);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
head -c 64M /dev/urandom >data
sync data
timeout 60 ./program >seen 2>log || { cat log >&2; exit 2; }
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen || { cat log >&2; exit 1; }
echo 'still so'
