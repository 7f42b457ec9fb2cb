#!/usr/bin/env bash
# Question: is the port of a listening socket free once the ring that it was registered with is closed?
# One would guess: yes: the descriptor is closed, and io_uring_queue_exit ends the ring, with what it held.
# True: the kernel takes a ring apart in the background, and its registered files with it, some ten milliseconds after
# the call (and after the process's last close) has returned: bind says EADDRINUSE until then. Unregistering the files
# first lets go of them at once.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1 (the port comes free after 30 ms here):
#  > not registered:        bind at once works, in the end works
#  > registered:            bind at once fails, in the end works
#  > unregistered by hand:  bind at once works, in the end works
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
#include <unistd.h>

enum { tries = 20 };

/* listening makes a socket that listens at *at, or returns -1; a port of 0 becomes a free one. */
static int listening(struct sockaddr_in *at)
{
	socklen_t size = sizeof *at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)at, size) < 0 || listen(fd, 8) < 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)at, &size);
	return fd;
}

static int can_listen(struct sockaddr_in *at)
{
	int fd = listening(at);
	return fd >= 0 && close(fd) == 0;
}

static void try(const char *name, int registers, int unregisters)
{
	int at_once = 0, later = 0;
	for (int i = 0; i < tries; i++) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
		struct io_uring ring;
		int fd = listening(&at);
		if (fd < 0 || io_uring_queue_init(8, &ring, 0) < 0)
			return;
		if (registers)
			io_uring_register_files(&ring, &fd, 1);
		close(fd);
		if (unregisters)
			io_uring_unregister_files(&ring);
		io_uring_queue_exit(&ring);
		if (can_listen(&at)) {
			at_once++;
			continue;
		}
		for (int ms = 0; ms < 10000; ms++) {
			usleep(1000);
			if (can_listen(&at)) {
				later++;
				break;
			}
		}
	}
	/* A busy machine may be so slow between two calls that the kernel is done already. */
	printf("%-22s bind at once %s, in the end %s\n", name, at_once == tries ? "works" : at_once < tries / 2 ? "fails" : "may fail",
	       at_once + later == tries ? "works" : "fails");
}

int main(void)
{
	try("not registered:", 0, 0);
	try("registered:", 1, 0);
	try("unregistered by hand:", 1, 1);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
