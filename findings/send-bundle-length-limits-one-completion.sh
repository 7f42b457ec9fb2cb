#!/usr/bin/env bash
# Question: what does the length of a bundled send (IORING_RECVSEND_BUNDLE) limit?
# One would guess: the whole send, as its name says; with length 2 and four buffers of 4 bytes, 2 bytes go out.
# True: the first completion only. After it the request goes on by itself (IORING_CQE_F_MORE) and sends all the rest
# of the group without a limit, and what the length cut off the first buffer is never sent: the stream has a hole.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (the buffers aaaa, bbbb, cccc, dddd):
#  > length 2: results 2 (more) 12, the peer has aabbbbccccdddd
#  > length 6: results 4 (more) 12, the peer has aaaabbbbccccdddd
#  > length 0: results 16, the peer has aaaabbbbccccdddd
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
#include <sys/socket.h>

static void try(size_t length)
{
	static char data[] = "aaaabbbbccccdddd", got[64];
	struct __kernel_timespec ts = {.tv_nsec = 200000000};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ends[2], error;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return;
	struct io_uring_buf_ring *group = io_uring_setup_buf_ring(&ring, 4, 1, 0, &error);
	if (!group)
		return;
	for (int i = 0; i < 4; i++)
		io_uring_buf_ring_add(group, data + 4 * i, 4, i, 3, i);
	io_uring_buf_ring_advance(group, 4);

	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send_bundle(sqe, ends[0], length, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	io_uring_submit(&ring);
	printf("length %zu: results", length);
	while (io_uring_wait_cqe_timeout(&ring, &cqe, &ts) == 0) {
		printf(" %d%s", cqe->res, cqe->flags & IORING_CQE_F_MORE ? " (more)" : "");
		io_uring_cqe_seen(&ring, cqe);
	}
	ssize_t n = recv(ends[1], got, sizeof got, MSG_DONTWAIT);
	printf(", the peer has %.*s\n", (int)n, got);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	try(2);
	try(6);
	try(0);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
