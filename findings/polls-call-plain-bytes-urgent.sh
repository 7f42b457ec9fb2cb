#!/usr/bin/env bash
# Question: a poll by io_uring asks for POLLIN and POLLPRI of a TCP connection. The peer sends plain bytes. What does it tell?
# One would guess: POLLIN, as poll(2) and epoll do: POLLPRI says that there is urgent data.
# True: POLLIN and POLLPRI. A poll that is in the kernel when the bytes come is told with what the socket wakes all its waiters
# for, and does not look at the socket; one that is made when they are there looks, and tells POLLIN. So POLLPRI beside POLLIN
# says nothing of urgent data. A request that asks for it alone is told nothing, as it should be.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > made before the bytes came: in 1, pri 1
#  > that stays in the kernel:   in 1, pri 1
#  > for POLLPRI alone:          in 0, pri 0
#  > made when they are there:   in 1, pri 0
#  > poll(2), epoll:             in 1, pri 0; in 1, pri 0
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
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

/* connected makes a TCP connection over loopback. */
static void connected(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	check(!bind(listener, (struct sockaddr *)&at, len) && !listen(listener, 1), "listen");
	check(!getsockname(listener, (struct sockaddr *)&at, &len), "getsockname");
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	check(!connect(fds[1], (struct sockaddr *)&at, len), "connect");
	check((fds[0] = accept(listener, NULL, NULL)) >= 0, "accept");
	close(listener);
}

static const unsigned both = POLLIN | POLLPRI;

/* told is what a request's poll tells of plain bytes, which come when it is there, or before. */
static int told(unsigned events, int stays, int before)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int fds[2], res;
	check(!io_uring_queue_init(8, &ring, 0), "queue_init");
	connected(fds);
	if (before)
		check(send(fds[1], "text", 4, 0) == 4, "send");
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (stays)
		io_uring_prep_poll_multishot(sqe, fds[0], events);
	else
		io_uring_prep_poll_add(sqe, fds[0], events);
	check(io_uring_submit(&ring) == 1, "submit");
	if (!before)
		check(send(fds[1], "text", 4, 0) == 4, "send");
	struct __kernel_timespec limit = {.tv_sec = 2};
	res = io_uring_wait_cqe_timeout(&ring, &cqe, &limit) ? 0 : cqe->res;
	io_uring_queue_exit(&ring);
	close(fds[0]);
	close(fds[1]);
	return res;
}

static void say(const char *what, int events)
{
	printf("%s in %d, pri %d", what, !!(events & POLLIN), !!(events & POLLPRI));
}

int main(void)
{
	int fds[2];
	say("made before the bytes came:", told(both, 0, 0));
	say("\nthat stays in the kernel:  ", told(both, 1, 0));
	say("\nfor POLLPRI alone:         ", told(POLLPRI, 0, 0));
	say("\nmade when they are there:  ", told(both, 0, 1));

	connected(fds);
	struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLET};
	int epoll = epoll_create1(0);
	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event), "epoll_ctl");
	check(send(fds[1], "text", 4, 0) == 4, "send");
	struct pollfd ready = {.fd = fds[0], .events = both};
	check(poll(&ready, 1, 2000) == 1, "poll");
	say("\npoll(2), epoll:            ", ready.revents);
	check(epoll_wait(epoll, &event, 1, 2000) == 1, "epoll_wait");
	say(";", event.events);
	puts("");
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 120 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
