#!/usr/bin/env bash
# Question: what does a read with an offset do on what has no position, such as a pipe or a socket?
# One would guess: what pread does: ESPIPE. Or, as the ring has one kind of read for all, that the offset counts for
# nothing.
# True: it depends on the kind. Pipes, eventfds and terminals take any offset for none; sockets take 0 and -1 and
# refuse all others with ESPIPE. A program that counts its offset up as it does for files works on a pipe, and on a
# socket it reads once and fails the second time.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > pipe:     pread at 7 ESPIPE, the ring's read at 0 success, at -1 success, at 7 success
#  > eventfd:  pread at 7 ESPIPE, the ring's read at 0 success, at -1 success, at 7 success
#  > terminal: pread at 7 ESPIPE, the ring's read at 0 success, at -1 success, at 7 success
#  > socket:   pread at 7 ESPIPE, the ring's read at 0 success, at -1 success, at 7 ESPIPE
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
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct io_uring ring;

static const char *name_of(int error) { return error == 0 ? "success" : error == ESPIPE ? "ESPIPE" : "another error"; }

static const char *read_at(int fd, __u64 offset)
{
	struct io_uring_cqe *cqe;
	char buf[8];
	io_uring_prep_read(io_uring_get_sqe(&ring), fd, buf, sizeof buf, offset);
	io_uring_submit_and_wait(&ring, 1);
	if (io_uring_wait_cqe(&ring, &cqe) < 0)
		return "another error";
	int res = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return name_of(res < 0 ? -res : 0);
}

static void try(const char *name, int fd)
{
	char buf[8];
	printf("%-9s pread at 7 %s,", name, name_of(pread(fd, buf, sizeof buf, 7) < 0 ? errno : 0));
	printf(" the ring's read at 0 %s,", read_at(fd, 0));
	printf(" at -1 %s,", read_at(fd, -1));
	printf(" at 7 %s\n", read_at(fd, 7));
}

int main(void)
{
	static const char lines[] = "seven..\nseven..\nseven..\n";
	int pipe_ends[2], sockets[2], terminal = posix_openpt(O_RDWR | O_NOCTTY);
	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(pipe_ends) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0 ||
	    grantpt(terminal) < 0 || unlockpt(terminal) < 0)
		return 2;
	int fds[] = {pipe_ends[1], sockets[1], terminal};
	for (int i = 0; i < 3; i++)
		if (write(fds[i], lines, sizeof lines - 1) < 0)
			return 2;
	try("pipe:", pipe_ends[0]);
	try("eventfd:", eventfd(3, EFD_SEMAPHORE));
	try("terminal:", open(ptsname(terminal), O_RDWR | O_NOCTTY));
	try("socket:", sockets[0]);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
