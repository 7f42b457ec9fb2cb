#!/usr/bin/env bash
# Question: a rename is linked (IOSQE_IO_LINK) behind an fsync that fails. Is the rename made?
# One would guess: no, a failure ends its chain, and what is behind it completes with ECANCELED.
# True: yes. A failed fsync, sync_file_range, fallocate, ftruncate, rename, unlink, mkdir, link, symlink, statx, shutdown,
# madvise or call for extended attributes lets the next request begin; a failed read, write, open or close does not.
# Worse, with IOSQE_CQE_SKIP_SUCCESS nothing tells of the failure, for there is no completion: write, fsync, rename in a
# quiet chain takes lost writes for a file that is safe.
# The same on Debian's 6.1.0-57, 6.12.117 and 7.3.4, in a VM; on 5.10.0-46 each of them ended its chain.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > read of no descriptor  Bad file descriptor, the nop: Operation canceled
#  > the same, quiet        Bad file descriptor, the nop: no completion
#  > fsync of a pipe        Invalid argument, the nop: Success
#  > the same, quiet        no completion, the nop: Success
#  > rename of no file      No such file or directory, the nop: Success
#  > the same, quiet        no completion, the nop: Success
#  > shutdown, unconnected  Transport endpoint is not connected, the nop: Success
#  > the same, quiet        no completion, the nop: Success
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

static int pipes[2], unconnected;
static char byte;

static void prepare(int what, struct io_uring_sqe *sqe)
{
	switch (what) {
	case 0: io_uring_prep_read(sqe, -1, &byte, 1, 0); break;
	case 1: io_uring_prep_fsync(sqe, pipes[0], 0); break;
	case 2: io_uring_prep_rename(sqe, "/there/is/no", "/such/file"); break;
	case 3: io_uring_prep_shutdown(sqe, unconnected, SHUT_RDWR); break;
	}
}

int main(void)
{
	const char *names[] = {"read of no descriptor", "fsync of a pipe", "rename of no file", "shutdown, unconnected"};
	struct io_uring ring;

	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(pipes) < 0)
		return 2;
	unconnected = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 8; i++) {
		struct __kernel_timespec while_ = {.tv_nsec = 100000000};
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		struct io_uring_cqe *cqe;
		const char *told[2] = {"no completion", "no completion"};

		prepare(i / 2, sqe);
		sqe->flags |= IOSQE_IO_LINK | (i % 2 ? IOSQE_CQE_SKIP_SUCCESS : 0);
		sqe->user_data = 0;
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_nop(sqe);
		sqe->user_data = 1;
		io_uring_submit(&ring);
		while (io_uring_wait_cqe_timeout(&ring, &cqe, &while_) == 0) {
			told[cqe->user_data] = strerror(-cqe->res);
			io_uring_cqe_seen(&ring, cqe);
		}
		printf("%-22s %s, the nop: %s\n", i % 2 ? "the same, quiet" : names[i / 2], told[0], told[1]);
	}
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
