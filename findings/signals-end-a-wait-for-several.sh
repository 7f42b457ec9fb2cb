#!/usr/bin/env bash
# Question: what does a wait for several completions say when a signal ends it early?
# One would guess: EINTR, always; a return without an error means that all of them are there.
# True: EINTR only if the completion queue is empty. If one of three is there the wait is a success, with two missing
# and without a word of the signal; a time limit is cut short in the same silent way. Any signal that has a handler
# does it, and SA_RESTART changes nothing. So after such a wait one has to count.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > waiting for 3, of which 0 will come
#  > submit_and_wait    returns Interrupted system call, completions: 0
#  > wait_cqe_nr        returns Interrupted system call, completions: 0
#  > wait_cqes for 60 s returns Interrupted system call, completions: 0
#  > waiting for 3, of which 1 will come
#  > submit_and_wait    returns 1, completions: 1
#  > wait_cqe_nr        returns 0, completions: 1
#  > wait_cqes for 60 s returns 0, completions: 1
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
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static void on_alarm(int signal) { (void)signal; }

static void say(const char *call, int ret, struct io_uring *ring)
{
	printf("%-18s returns %s, completions: %u\n", call, ret < 0 ? strerror(-ret) : ret ? "1" : "0",
	       io_uring_cq_ready(ring));
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval every_50_ms = {{.tv_usec = 50000}, {.tv_usec = 50000}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every_50_ms, NULL);
	for (int nops = 0; nops < 2; nops++) {
		struct __kernel_timespec minute = {.tv_sec = 60};
		struct io_uring_cqe *cqe;
		struct io_uring ring;
		if (io_uring_queue_init(8, &ring, 0) < 0)
			return 2;
		printf("waiting for 3, of which %d will come\n", nops);
		if (nops)
			io_uring_prep_nop(io_uring_get_sqe(&ring));
		say("submit_and_wait", io_uring_submit_and_wait(&ring, 3), &ring);
		say("wait_cqe_nr", io_uring_wait_cqe_nr(&ring, &cqe, 3), &ring);
		say("wait_cqes for 60 s", io_uring_wait_cqes(&ring, &cqe, 3, &minute, NULL), &ring);
		io_uring_queue_exit(&ring);
	}
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
