#!/usr/bin/env bash
# Question: a thread arms a multishot receive and goes to sleep; another one submits and takes completions from then on.
# What has the first one still to do with it?
# One would guess: nothing, the one who enters the ring does the work: it is the only one that waits there.
# True: the sleeper is woken for each message, receives it for the other, and sleeps on. It sees nothing of that itself:
# the call that it sleeps in does not end. With IORING_SETUP_COOP_TASKRUN, which promises fewer interrupts, the same. So a
# program that hands a ring from thread to thread pays two switches a message until its receives are armed anew. Go's
# scheduler does so to a goroutine each time its thread sits in a system call.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > plain ring:    armed by the one who reads: the sleeper slept
#  > plain ring:    armed by the sleeper: it was woken for each message
#  > COOP_TASKRUN:  armed by the one who reads: the sleeper slept
#  > COOP_TASKRUN:  armed by the sleeper: it was woken for each message
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

cat >program.c <<'EOC'
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { messages = 1000, buffers = 8, size = 16 };

static struct io_uring ring;
static int ends[2];
static sem_t begin, armed, end;
static int sleeper, arms;

static void arm(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv_multishot(sqe, ends[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	io_uring_submit(&ring);
}

static void *sleeps(void *arg)
{
	sleeper = syscall(SYS_gettid);
	sem_wait(&begin);
	if (arms)
		arm();
	sem_post(&armed);
	sem_wait(&end);
	return arg;
}

/* sleeps_of returns how often a thread has gone to sleep. */
static long sleeps_of(int thread)
{
	char path[64], line[256];
	long n = -1;
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static const char *woken(unsigned flags, int by_sleeper)
{
	static char memory[buffers][size];
	struct io_uring_cqe *cqe;
	pthread_t thread;
	int ret;
	arms = by_sleeper;
	sem_init(&begin, 0, 0);
	sem_init(&armed, 0, 0);
	sem_init(&end, 0, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || io_uring_queue_init(8, &ring, flags) < 0)
		exit(1);
	struct io_uring_buf_ring *free = io_uring_setup_buf_ring(&ring, buffers, 0, 0, &ret);
	if (!free)
		exit(1);
	for (int i = 0; i < buffers; i++)
		io_uring_buf_ring_add(free, memory[i], size, i, io_uring_buf_ring_mask(buffers), i);
	io_uring_buf_ring_advance(free, buffers);
	pthread_create(&thread, NULL, sleeps, NULL);
	sem_post(&begin);
	sem_wait(&armed);
	if (!by_sleeper)
		arm();
	usleep(10000);
	long before = sleeps_of(sleeper);
	for (int i = 0; i < messages; i++) {
		if (write(ends[1], "x", 1) != 1 || io_uring_wait_cqe(&ring, &cqe) < 0 || cqe->res != 1)
			exit(1);
		int id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		io_uring_cqe_seen(&ring, cqe);
		io_uring_buf_ring_add(free, memory[id], size, id, io_uring_buf_ring_mask(buffers), 0);
		io_uring_buf_ring_advance(free, 1);
		usleep(50); /* or the sleeper may be awake yet when the next one comes */
	}
	long n = sleeps_of(sleeper) - before;
	sem_post(&end);
	pthread_join(thread, NULL);
	io_uring_queue_exit(&ring);
	return n == 0 ? "slept" : n > messages * 9 / 10 ? "was woken for each message" : "was woken sometimes";
}

int main(void)
{
	struct { const char *name; unsigned flags; } modes[] = {
		{"plain ring:", 0},
		{"COOP_TASKRUN:", IORING_SETUP_COOP_TASKRUN},
	};
	for (int i = 0; i < 2; i++) {
		printf("%-14s armed by the one who reads: the sleeper %s\n", modes[i].name, woken(modes[i].flags, 0));
		printf("%-14s armed by the sleeper: it %s\n", modes[i].name, woken(modes[i].flags, 1));
	}
}
EOC
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
