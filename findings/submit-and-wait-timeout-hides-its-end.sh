#!/usr/bin/env bash
# Question: how does io_uring_submit_and_wait_timeout say that its time is up?
# One would guess: it returns -ETIME, which its manual page calls the most common failure.
# True: only when there was nothing to submit. Otherwise it returns the number of requests submitted, as if all were
# well, and sets the pointer to the completion to NULL: "no error" does not mean that there is a completion to look
# at.
# The same on Debian's 6.12.117, 6.16.12, 6.17.13, 6.18.15, 6.19.14, 7.0.13, 7.2.11 and 7.3.4, in a VM.
# Seen with Linux 6.18.44, liburing 2.9-1:
#  > nothing to submit:  returns -62 (Timer expired), cqe NULL
#  > a read to submit:   returns 1 (success), cqe NULL
#  > the same read:      returns -62 (Timer expired), cqe NULL
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
#include <unistd.h>

static void wait_20_ms(const char *what, struct io_uring *ring)
{
	struct __kernel_timespec ts = {.tv_nsec = 20000000};
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &ts, NULL);
	printf("%-19s returns %d (%s), cqe %s\n", what, ret, ret < 0 ? strerror(-ret) : "success", cqe ? "set" : "NULL");
}

int main(void)
{
	struct io_uring ring;
	char buf[8];
	int ends[2];
	if (io_uring_queue_init(8, &ring, 0) < 0 || pipe(ends) < 0)
		return 2;
	wait_20_ms("nothing to submit:", &ring);
	io_uring_prep_read(io_uring_get_sqe(&ring), ends[0], buf, sizeof buf, 0);
	wait_20_ms("a read to submit:", &ring);
	wait_20_ms("the same read:", &ring);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
