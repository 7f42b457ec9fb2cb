#!/usr/bin/env bash
# Question: does a multishot receive on a UDP socket go on after an empty datagram?
# One would guess: yes. A datagram of no bytes is a datagram; only on a stream does 0 mean the end.
# True: it ends there, without IORING_CQE_F_MORE, as at the end of a stream. So whoever can send a datagram stops the
# receiver that takes this for the end. recvmsg gives no better sign: its result is 16, the size of its header, which
# is not 0 and no error, and yet the request is over.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (datagrams of 3, 0 and 3 bytes are sent):
#  > recv:    result 3 (more), result 0 (ended); 1 datagram is left in the socket
#  > recvmsg: result 19 (more), result 16 (ended); 1 datagram is left in the socket
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
#include <stdio.h>

enum { buffers = 8, size = 256 };

static void try(int with_recvmsg)
{
	static char memory[buffers][size];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct __kernel_timespec ts = {.tv_nsec = 300000000};
	socklen_t at_size = sizeof at;
	struct msghdr msg = {0};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0), error, left = 0;
	if (bind(in, (struct sockaddr *)&at, at_size) < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return;
	getsockname(in, (struct sockaddr *)&at, &at_size);
	struct io_uring_buf_ring *group = io_uring_setup_buf_ring(&ring, buffers, 1, 0, &error);
	if (!group)
		return;
	for (int i = 0; i < buffers; i++)
		io_uring_buf_ring_add(group, memory[i], size, i, buffers - 1, i);
	io_uring_buf_ring_advance(group, buffers);

	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (with_recvmsg)
		io_uring_prep_recvmsg_multishot(sqe, in, &msg, 0);
	else
		io_uring_prep_recv_multishot(sqe, in, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	io_uring_submit(&ring);
	for (int i = 0; i < 3; i++)
		sendto(out, "abc", i == 1 ? 0 : 3, 0, (struct sockaddr *)&at, at_size);

	printf("%s", with_recvmsg ? "recvmsg:" : "recv:   ");
	for (int i = 0; io_uring_wait_cqe_timeout(&ring, &cqe, &ts) == 0; i++) {
		printf("%s result %d (%s)", i ? "," : "", cqe->res, cqe->flags & IORING_CQE_F_MORE ? "more" : "ended");
		io_uring_cqe_seen(&ring, cqe);
	}
	while (recv(in, memory[0], size, MSG_DONTWAIT) >= 0)
		left++;
	printf("; %d datagram%s left in the socket\n", left, left == 1 ? " is" : "s are");
	io_uring_queue_exit(&ring);
}

int main(void)
{
	try(0);
	try(1);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
