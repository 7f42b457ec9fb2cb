#!/usr/bin/env bash
# Question: may signals that a program handles disturb requests that it has submitted?
# One would guess: no. They interrupt waits, which are called again.
# True: a thread's first request that takes a worker thread of the kernel's can come back as ECANCELED, though nobody has
# cancelled it. The kernel gives up making a worker after some tries that find a signal pending; as long as the thread
# has no worker, it then cancels all that waits for one. Nothing of it was done. It takes a signal at each try:
# here a thread is sent signals all the time, and some of thousands of writes are lost so. Linux 6.19 tries for ever.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > no signals: all written
#  > signals: some ECANCELED, the others written
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
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int target, over;
static int file, written, cancelled;

static void ignore(int signal) { (void)signal; }

/* storm sends a signal to the thread that is named, again and again. */
static void *storm(void *unused)
{
	(void)unused;
	while (!over)
		if (target)
			syscall(SYS_tgkill, getpid(), target, SIGUSR1);
	return NULL;
}

/* write_one is a thread with a ring, whose one request takes the thread's first worker. */
static void *write_one(void *unused)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	(void)unused;
	if (io_uring_queue_init(8, &ring, 0) < 0)
		return NULL;
	target = syscall(SYS_gettid);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, file, "text", 4, 0);
	sqe->flags |= IOSQE_ASYNC;
	while (io_uring_submit(&ring) < 0)
		;
	while (io_uring_wait_cqe(&ring, &cqe) < 0)
		;
	target = 0;
	written += cqe->res == 4;
	cancelled += cqe->res == -ECANCELED;
	io_uring_queue_exit(&ring);
	return NULL;
}

/* write_many has n threads write, one after the other. */
static void write_many(const char *when, int n)
{
	pthread_t writer;
	written = cancelled = 0;
	for (int i = 0; i < n; i++) {
		pthread_create(&writer, NULL, write_one, NULL);
		pthread_join(writer, NULL);
	}
	printf("%s: %s\n", when, written == n ? "all written" :
	       cancelled && written + cancelled == n ? "some ECANCELED, the others written" : "something else");
}

int main(void)
{
	struct sigaction action = {.sa_handler = ignore};
	pthread_t sender;
	sigaction(SIGUSR1, &action, NULL);
	file = open("file", O_RDWR | O_CREAT, 0600);
	write_many("no signals", 1000);
	pthread_create(&sender, NULL, storm, NULL);
	write_many("signals", 3000);
	over = 1;
	pthread_join(sender, NULL);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program -pthread
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
