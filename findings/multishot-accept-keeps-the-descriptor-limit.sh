#!/usr/bin/env bash
# Question: does a multishot accept follow a change of RLIMIT_NOFILE?
# One would guess: yes, as accept does: the limit counts when a descriptor is made.
# True: the limit that counts is that of the moment when the request was submitted. A server that arms its accept
# before it raises the limit goes on to refuse connections at the old one: the request ends with EMFILE, while accept
# in the same process works. Armed again it goes on.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (armed at a limit of 32, raised to 256 before 40 clients connect):
#  > multishot accept: the last descriptor is 31, then EMFILE
#  > accept:           the descriptor is 32
#  > armed again:      takes all the others
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
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { before = 32, after = 256, clients = 40 };

static struct io_uring ring;
static int taken, last, error;

static void set_limit(rlim_t n)
{
	struct rlimit limit = {n, after};
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void arm(int listener)
{
	io_uring_prep_multishot_accept(io_uring_get_sqe(&ring), listener, NULL, NULL, 0);
	io_uring_submit(&ring);
}

/* take reads completions until none comes for half a second. */
static void take(void)
{
	struct __kernel_timespec ts = {.tv_nsec = 500000000};
	struct io_uring_cqe *cqe;
	while (io_uring_wait_cqe_timeout(&ring, &cqe, &ts) == 0) {
		if (cqe->res < 0)
			error = -cqe->res;
		else
			last = cqe->res, taken++;
		io_uring_cqe_seen(&ring, cqe);
	}
}

/* connect_to uses high descriptors, so that the low ones are left for accept. */
static void connect_to(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), high = fcntl(fd, F_DUPFD, 128);
	close(fd);
	connect(high, (struct sockaddr *)at, sizeof *at);
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, size) < 0 || listen(listener, clients) < 0 ||
	    io_uring_queue_init(64, &ring, 0) < 0)
		return 2;
	getsockname(listener, (struct sockaddr *)&at, &size);

	set_limit(before);
	arm(listener);
	set_limit(after);
	for (int i = 0; i < clients; i++)
		connect_to(&at);
	take();
	printf("multishot accept: the last descriptor is %d, then %s\n", last, error == EMFILE ? "EMFILE" : "another end");
	printf("accept:           the descriptor is %d\n", accept(listener, NULL, NULL));
	arm(listener);
	take();
	printf("armed again:      takes %s\n", taken + 1 == clients ? "all the others" : "not all");
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
