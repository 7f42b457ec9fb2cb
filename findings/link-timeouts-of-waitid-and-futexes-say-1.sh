#!/usr/bin/env bash
# Question: what does a linked timeout (IORING_OP_LINK_TIMEOUT) complete with that has ended its request?
# One would guess: -ETIME; the man page says so, and it is how a program tells its own limit from another's cancel.
# True: of a waitid and of futex waits 1, which reads like a success: it is how many requests the kernel has cancelled.
# Their cancelling returns a count, and the timeout takes what is above zero over for its own result. The requests
# themselves are told ECANCELED, as all are.
# The same on Debian's 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13 and 7.2.11, in a VM; not on 6.12.117 and 7.3.4, where all
# say -ETIME.
# Seen with Linux 6.18.44, liburing 2.9-1 (a limit of 50 ms):
#  > read:    Operation canceled, its timeout -62 (Timer expired)
#  > poll:    Operation canceled, its timeout -62 (Timer expired)
#  > waitid:  Operation canceled, its timeout 1 (a success)
#  > futex:   Operation canceled, its timeout 1 (a success)
#  > futexes: Operation canceled, its timeout 1 (a success)
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
#include <liburing.h>
#include <linux/futex.h>

#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32 2 /* of kernel headers newer than the machine's may be */
#endif
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { the_request, the_timeout };

static int from[2];
static char buf[1];
static uint32_t word, other;
static siginfo_t info;
static pid_t child;
static struct futex_waitv words[2];

static void prep_read(struct io_uring_sqe *sqe) { io_uring_prep_read(sqe, from[0], buf, 1, 0); }
static void prep_poll(struct io_uring_sqe *sqe) { io_uring_prep_poll_add(sqe, from[0], 1); }
static void prep_waitid(struct io_uring_sqe *sqe) { io_uring_prep_waitid(sqe, P_PID, child, &info, WEXITED, 0); }
static void prep_futex(struct io_uring_sqe *sqe)
{
	io_uring_prep_futex_wait(sqe, &word, 0, FUTEX_BITSET_MATCH_ANY, FUTEX2_SIZE_U32, 0);
}
static void prep_waitv(struct io_uring_sqe *sqe) { io_uring_prep_futex_waitv(sqe, words, 2, 0); }

static void try(const char *name, void (*prep)(struct io_uring_sqe *))
{
	struct __kernel_timespec limit = {.tv_nsec = 50000000};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int res[2] = {0};
	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(from) < 0)
		return;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	prep(sqe);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = the_request;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_link_timeout(sqe, &limit, 0);
	sqe->user_data = the_timeout;
	io_uring_submit(&ring);
	for (int n = 0; n < 2 && io_uring_wait_cqe(&ring, &cqe) == 0; n++) {
		res[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	printf("%-8s %s, its timeout %d (%s)\n", name, res[the_request] < 0 ? strerror(-res[the_request]) : "a success", res[the_timeout],
	       res[the_timeout] < 0 ? strerror(-res[the_timeout]) : "a success");
	io_uring_queue_exit(&ring);
}

int main(void)
{
	words[0] = (struct futex_waitv){.uaddr = (uintptr_t)&word, .flags = FUTEX2_SIZE_U32};
	words[1] = (struct futex_waitv){.uaddr = (uintptr_t)&other, .flags = FUTEX2_SIZE_U32};
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	try("read:", prep_read);
	try("poll:", prep_poll);
	try("waitid:", prep_waitid);
	try("futex:", prep_futex);
	try("futexes:", prep_waitv);
	kill(child, SIGKILL);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
