#!/usr/bin/env bash
# Question: 16 reads of a disk are submitted in one call; when does the disk begin?
# One would guess: with the first of them, while the kernel prepares the others.
# True: when the last is prepared. A submission of three requests or more plugs the block layer, which holds all that
# it is given until the submission ends; one or two go to the disk one by one. A disk that has nothing else to do loses
# that time: who keeps 16 random reads in flight, and submits a new one for each that is done, gets more of them from
# some disks by submitting after each second one than after all that a wait has brought. Submitting together what
# belongs together is right for the system calls, and not for the disk.
# Seen with Linux 6.18.44, liburing 2.9-1, reads past the page cache of a file on ext4 (P: a request is prepared, D: the
# disk is told):
#  > 1 read: PD
#  > 2 reads: PDPD
#  > 3 reads: PPPDDD
#  > 16 reads: PPPPPPPPPPPPPPPPDDDDDDDDDDDDDDDD
# It needs root, for the kernel's trace, and a temporary folder on a disk.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trace=
[[ $EUID == 0 ]] || { echo 'it needs root'; exit 2; }
cleanup() {
  if [[ -n $trace ]]; then rmdir "$trace"; fi
  rm -rf "$work"
}
trap cleanup EXIT
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
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { block = 4096 };

/* main reads so many blocks of a file, far from each other, in one submission. It begins
   when a file "go" is there. */
int main(int argc, char **argv)
{
	int n = atoi(argv[2]), fd = open(argv[1], O_RDONLY | O_DIRECT), i;
	struct io_uring ring;
	char *memory;

	if (argc != 3 || fd < 0 || io_uring_queue_init(64, &ring, 0) < 0 ||
	    posix_memalign((void **)&memory, block, n * block))
		exit(2);
	while (access("go", F_OK))
		usleep(1000);
	for (i = 0; i < n; i++)
		io_uring_prep_read(io_uring_get_sqe(&ring), fd, memory + i * block, block, (__u64)i * 64 * block);
	if (io_uring_submit(&ring) != n)
		exit(2);
	for (i = 0; i < n; i++) {
		struct io_uring_cqe *cqe;
		if (io_uring_wait_cqe(&ring, &cqe) || cqe->res != block)
			exit(2);
		io_uring_cqe_seen(&ring, cqe);
	}
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program
head -c 8M /dev/urandom >file
sync file

traces=/sys/kernel/tracing
[[ -d $traces/instances ]] || mount -t tracefs none "$traces"
trace=$traces/instances/reads-of-one-submission-$$
mkdir "$trace" || { trace=; exit 2; }
echo 1 >"$trace/events/io_uring/io_uring_submit_req/enable"
echo 1 >"$trace/events/block/block_rq_issue/enable"

# show writes in which order n reads are prepared and the disk is told of them.
show() {
  rm -f go
  ./program file "$1" &
  local pid=$!
  echo $pid >"$trace/set_event_pid"
  : >"$trace/trace"
  touch go
  wait $pid
  printf '%s: ' "$2"
  sed -n 's/.* io_uring_submit_req: .*/P/p; s/.* block_rq_issue: .*/D/p' "$trace/trace" | tr -d '\n'
  echo
}

for n in 1 2 3 16; do show $n "$n read$([[ $n == 1 ]] || echo s)"; done >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
