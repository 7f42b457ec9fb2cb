#!/usr/bin/env bash
# Question: a bundled send (IORING_RECVSEND_BUNDLE) takes its bytes from a ring of provided buffers. Where does the next one
# go on, if the socket had no room for all of them?
# One would guess: at what was not sent. The completion tells how many bytes that is, and the first buffer.
# True: behind all buffers that the first one had looked up. What it did not send of them is never sent, and nothing in the
# completion says how many there were (IORING_REGISTER_PBUF_STATUS does); the stream has a hole. A send that fails uses
# them up too. So whoever sends like this keeps the buffers in order, one bundle at a time, and sends the rest by hand.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (eight buffers of 4 KiB, a to h; room for less; then one of z):
#  > 3 of 8 buffers are sent, in part or whole, and 8 used up
#  > the receiver has a b c z
#  > to nobody: Broken pipe, and 8 buffers used up
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
#include <unistd.h>

enum { group = 7, count = 8, size = 4096 };

static struct io_uring ring;
static struct io_uring_buf_ring *br;
static char bufs[count + 1][size];

static unsigned head(void)
{
	struct io_uring_buf_status s = {.buf_group = group};
	return io_uring_register(ring.ring_fd, IORING_REGISTER_PBUF_STATUS, &s, 1) < 0 ? 99 : s.head;
}

static int sent(int fd, int flags)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_send_bundle(sqe, fd, 0, flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = group;
	io_uring_submit(&ring);
	io_uring_wait_cqe(&ring, &cqe);
	int res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return res;
}

int main(void)
{
	int fds[2], small = 4608, err;
	if (io_uring_queue_init(8, &ring, 0) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 2;
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	br = io_uring_setup_buf_ring(&ring, 16, group, 0, &err);
	if (!br)
		return 2;
	for (int i = 0; i < count; i++) {
		memset(bufs[i], 'a' + i, size);
		io_uring_buf_ring_add(br, bufs[i], size, i, 15, i);
	}
	io_uring_buf_ring_advance(br, count);
	int n = sent(fds[0], MSG_DONTWAIT | MSG_NOSIGNAL);
	printf("%d of %d buffers are sent, in part or whole, and %u used up\n", n < 0 ? n : (n + size - 1) / size, count, head());
	/* One more is put in, and all that came is read. */
	char all[count * size + size];
	int got = n > 0 ? read(fds[1], all, n) : 0;
	memset(bufs[count], 'z', size);
	io_uring_buf_ring_add(br, bufs[count], size, count, 15, 0);
	io_uring_buf_ring_advance(br, 1);
	int m = sent(fds[0], MSG_NOSIGNAL);
	got += read(fds[1], all + got, m);
	printf("the receiver has");
	for (int i = 0; i < got; i++)
		if (i == 0 || all[i] != all[i - 1])
			printf(" %c", all[i]);
	puts("");
	/* One that fails uses them up too. */
	for (int i = 0; i < count; i++)
		io_uring_buf_ring_add(br, bufs[i], size, i, 15, i);
	io_uring_buf_ring_advance(br, count);
	unsigned before = head();
	close(fds[1]);
	n = sent(fds[0], MSG_NOSIGNAL);
	printf("to nobody: %s, and %u buffers used up\n", strerror(-n), head() - before);
	io_uring_queue_exit(&ring);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
