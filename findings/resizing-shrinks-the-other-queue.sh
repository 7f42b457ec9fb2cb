#!/usr/bin/env bash
# Question: a ring with 16 requests and 4096 completions is resized to 32 requests. How long is its completion queue
# then?
# One would guess: 4096, since only the other was to change; what is not named stays.
# True: 64. A resize lays both queues out as a new ring would, so the completion queue falls back to twice the
# submission queue, and completions that had room before overflow. To resize the completion queue alone is refused:
# both have to be named each time.
# The same on Debian's 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM; 6.12.117 cannot resize.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > made with 16 and 4096: success, now 16 and 4096
#  > 32 requests:           success, now 32 and 64
#  > 4096 completions:      Invalid argument, now 32 and 64
#  > 32 and 4096:           success, now 32 and 4096
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

static void resize(const char *name, struct io_uring *ring, struct io_uring_params params)
{
	int ret = io_uring_resize_rings(ring, &params);
	printf("%-22s %s, now %u and %u\n", name, ret < 0 ? strerror(-ret) : "success", ring->sq.ring_entries,
	       ring->cq.ring_entries);
}

int main(void)
{
	struct io_uring ring;
	unsigned flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	struct io_uring_params params = {.flags = flags, .cq_entries = 4096};
	if (io_uring_queue_init_params(16, &ring, &params) < 0)
		return 2;
	printf("%-22s %s, now %u and %u\n", "made with 16 and 4096:", "success", ring.sq.ring_entries, ring.cq.ring_entries);
	resize("32 requests:", &ring, (struct io_uring_params){.sq_entries = 32});
	resize("4096 completions:", &ring, (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = 4096});
	resize("32 and 4096:", &ring, (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .sq_entries = 32, .cq_entries = 4096});
	io_uring_queue_exit(&ring);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
