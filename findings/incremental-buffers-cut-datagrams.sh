#!/usr/bin/env bash
# Question: can datagrams be received into incremental buffers (IOU_PBUF_RING_INC), which save memory for short ones?
# One would guess: each gets a place that is large enough, or MSG_TRUNC tells that it did not; and the next one is put
# right behind the last.
# True: a datagram starts in what is left of a buffer and is cut there, with no sign, although the next buffer is
# empty. With MSG_TRUNC a datagram longer than the buffer moves the place by its full length instead of by what was
# copied, on into the next buffer: a program that reads on from where it was takes 50 bytes that nobody wrote for the
# second datagram.
# The same on Debian's 6.16.12, 6.17.13, 6.18.15, 6.19.14 and 7.0.13, in a VM; 6.12.117, 7.2.11 and 7.3.4 cut
# datagrams as well, but go on at the next buffer's beginning after the long one.
# Seen with Linux 6.18.44, liburing 2.9-1 (buffers of 100 bytes filled with dots; the datagrams are of As, Bs and Cs):
#  > whole buffers: 40 of 40 (buffer 0) 40 of 40 (buffer 1) 40 of 40 (buffer 2)
#  >   buffer 0: 40 x A 60 x .
#  >   buffer 1: 40 x B 60 x .
#  > incremental: 40 of 40 (buffer 0) 40 of 40 (buffer 0) 20 of 40 (buffer 0)
#  >   buffer 0: 40 x A 40 x B 20 x C
#  >   buffer 1: 100 x .
#  > incremental, MSG_TRUNC: 150 of 150 (buffer 0) 20 of 20 (buffer 1) 20 of 20 (buffer 1)
#  >   buffer 0: 100 x A
#  >   buffer 1: 50 x . 20 x B 20 x C 10 x .
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
#include <string.h>
#include <sys/socket.h>

enum { buffers = 4, size = 100 };

static char memory[buffers][size];

static void try(const char *name, unsigned ring_flags, int recv_flags, const int *lengths)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ends[2], error;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0 || io_uring_queue_init(8, &ring, 0) < 0)
		return;
	struct io_uring_buf_ring *group = io_uring_setup_buf_ring(&ring, buffers, 1, ring_flags, &error);
	if (!group)
		return;
	memset(memory, '.', sizeof memory);
	for (int i = 0; i < buffers; i++)
		io_uring_buf_ring_add(group, memory[i], size, i, buffers - 1, i);
	io_uring_buf_ring_advance(group, buffers);

	printf("%s:", name);
	for (int i = 0; i < 3; i++) {
		char datagram[200];
		memset(datagram, 'A' + i, sizeof datagram);
		send(ends[1], datagram, lengths[i], 0);
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_recv(sqe, ends[0], NULL, 0, recv_flags);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = 1;
		io_uring_submit(&ring);
		if (io_uring_wait_cqe(&ring, &cqe) < 0)
			return;
		printf(" %d of %d (buffer %d)", cqe->res, lengths[i], cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		io_uring_cqe_seen(&ring, cqe);
	}
	puts("");
	for (int i = 0; i < 2; i++) {
		printf("  buffer %d:", i);
		for (int at = 0, end; at < size; at = end) {
			for (end = at; end < size && memory[i][end] == memory[i][at]; end++)
				;
			printf(" %d x %c", end - at, memory[i][at]);
		}
		puts("");
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	try("whole buffers", 0, 0, (int[]){40, 40, 40});
	try("incremental", IOU_PBUF_RING_INC, 0, (int[]){40, 40, 40});
	try("incremental, MSG_TRUNC", IOU_PBUF_RING_INC, MSG_TRUNC, (int[]){150, 20, 20});
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
