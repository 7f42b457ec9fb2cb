#!/usr/bin/env bash
# Question: what becomes of a process whose rings use up the memory of its control group?
# One would guess: it is killed, as for any other memory.
# True: for small rings it is; from 1,024 entries on making the next one fails with ENOMEM, and the process lives. The kernel
# asks for a large ring's memory in pieces, for which it kills nobody if they are of 64 KiB and more.
# It takes root, to make a control group.
# Seen with Linux 6.18.44 (control groups of version 1), liburing 2.9-1:
#  > memory of its own: killed
#  > rings of 256 entries: killed
#  > rings of 1024 entries: ENOMEM
#  > rings of 32768 entries: ENOMEM
set -euo pipefail
self=$(realpath "$0")
[[ $(id -u) == 0 ]] || { echo "it takes root" >&2; exit 2; }
work=$(mktemp -d)
group=/sys/fs/cgroup/memory/finding-$$ limit=memory.limit_in_bytes
[[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || group=/sys/fs/cgroup/finding-$$ limit=memory.max
trap 'rmdir "$group" || { sleep 1; rmdir "$group"; }; rm -rf "$work"' EXIT
mkdir "$group"
echo 32M >"$group/$limit"
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
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* make_rings makes rings until there is no room for another. */
static int make_rings(unsigned entries)
{
	for (int i = 0; i < 15000; i++) {
		struct io_uring *ring = malloc(sizeof(*ring));
		int err = io_uring_queue_init(entries, ring, 0);
		if (err)
			return -err;
	}
	return 0;
}

/* use_memory uses more and more of its own. */
static int use_memory(void)
{
	for (int i = 0; i < 64; i++) {
		char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m == MAP_FAILED)
			return errno;
		memset(m, 1, 1 << 20);
	}
	return 0;
}

/* in_group has a child in the control group make rings, with 0 entries use memory. */
static void in_group(const char *procs, unsigned entries)
{
	int status;
	fflush(stdout);
	if (fork() == 0) {
		FILE *f = fopen(procs, "w");
		if (!f || fprintf(f, "%d", getpid()) < 0 || fclose(f))
			_exit(255);
		_exit(entries ? make_rings(entries) : use_memory());
	}
	wait(&status);
	if (entries)
		printf("rings of %u entries: ", entries);
	else
		printf("memory of its own: ");
	printf("%s\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "killed" :
	       WIFEXITED(status) && WEXITSTATUS(status) == ENOMEM ? "ENOMEM" : "something else");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	in_group(argv[1], 0);
	in_group(argv[1], 256);
	in_group(argv[1], 1024);
	in_group(argv[1], 32768);
	return 0;
}
EOF
gcc -Wall -Wextra -O1 -isystem usr/include program.c usr/lib/*/liburing.a -o program
ulimit -n "$(ulimit -Hn)"
timeout 60 ./program "$group/cgroup.procs" >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
