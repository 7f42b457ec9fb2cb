#!/usr/bin/env bash
# Question: a thousand requests of a ring have what they wait for; how many completions does a call bring?
# One would guess: all, as it does of a ring without flags.
# True: of a ring with IORING_SETUP_DEFER_TASKRUN io_uring_get_events() brings 20, whatever is ready, and a call that
# submits as well twice that, beside what it submits. A wait brings 20 too, or as many as it waits for if these are more:
# it counts anew, so that a wait for 21 while 20 are in the queue brings 21 others and does not return with one. Whoever
# takes what one call brings for all there is serves the rest late; and whoever wants to work on little at a time,
# while it is in the processor's caches, gets it from such a ring and not from one that has
# IORING_SETUP_COOP_TASKRUN.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > no flags, get events: 1000 before, then
#  > cooperative, get events: 1000 before, then
#  > deferred, get events: 0 before, then 20 20 20 20
#  > deferred, submit one and get events: 0 before, then 41 41 41 41
#  > deferred, wait for one more: 0 before, then 20 21 42 84
#  > deferred, wait for 50 more: 0 before, then 50 100 200 400
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
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { requests = 1000, calls = 4 };
enum how { get_events, submit_one, wait_for };

/* call enters the kernel once. */
static void call(struct io_uring *ring, enum how how, unsigned more)
{
	struct io_uring_cqe *cqe;
	switch (how) {
	case get_events:
		io_uring_get_events(ring);
		break;
	case submit_one:
		io_uring_prep_nop(io_uring_get_sqe(ring));
		io_uring_submit_and_get_events(ring);
		break;
	case wait_for:
		io_uring_wait_cqe_nr(ring, &cqe, io_uring_cq_ready(ring) + more);
	}
}

/* tell has receives wait, then gives each of them something, and counts what comes of each call. */
static void tell(const char *what, unsigned flags, enum how how, unsigned more)
{
	static char memory[requests][8];
	int ends[requests][2], i;
	unsigned ready;
	struct io_uring ring;
	struct io_uring_params p = {.flags = flags | IORING_SETUP_CQSIZE, .cq_entries = 4 * requests};
	if (io_uring_queue_init_params(requests, &ring, &p) < 0)
		exit(2);
	for (i = 0; i < requests; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]))
			exit(2);
		io_uring_prep_recv(io_uring_get_sqe(&ring), ends[i][0], memory[i], sizeof(memory[i]), 0);
	}
	if (io_uring_submit(&ring) != requests)
		exit(2);
	for (i = 0; i < requests; i++)
		if (write(ends[i][1], "a text", 6) != 6)
			exit(2);
	ready = io_uring_cq_ready(&ring);
	printf("%s: %u before, then", what, ready);
	for (i = 0; i < calls && ready < requests; i++) {
		call(&ring, how, more);
		printf(" %u", io_uring_cq_ready(&ring) - ready);
		ready = io_uring_cq_ready(&ring);
	}
	puts("");
	io_uring_queue_exit(&ring);
	for (i = 0; i < requests; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

int main(void)
{
	const unsigned deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	tell("no flags, get events", 0, get_events, 0);
	tell("cooperative, get events", IORING_SETUP_COOP_TASKRUN, get_events, 0);
	tell("deferred, get events", deferred, get_events, 0);
	tell("deferred, submit one and get events", deferred, submit_one, 0);
	tell("deferred, wait for one more", deferred, wait_for, 1);
	tell("deferred, wait for 50 more", deferred, wait_for, 50);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen || exit 2
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
