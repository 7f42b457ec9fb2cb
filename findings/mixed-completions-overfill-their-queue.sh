#!/usr/bin/env bash
# Question: what does a completion queue for entries of both sizes (IORING_SETUP_CQE_MIXED) do when it is full?
# One would guess: what every queue does: further completions wait in the kernel, in order, until there is room, and
# the tail is never further ahead of the head than the queue is long.
# True from 6.18 to 7.2: not if the first that finds too little room is a big one. The next small one takes the last
# place, out of order, and the tail goes on by two: it is 9 ahead in a queue of 8, and a reader who goes by it takes
# an old entry for a new one. With small or with big entries alone all is well.
# The same on Debian's 6.18.15, 6.19.14, 7.0.13 and 7.2.11, in a VM; 7.3.4 keeps order and length, 6.17.13 has no such
# queue.
# Seen with Linux 6.18.44, liburing 2.9-1 (24 no-ops, read once all are submitted; the queue has 8 places):
#  > all small:   1 2 3 4 5 6 7 8 | 9 10 11 12 13 14 15 16 | 17 18 19 20 21 22 23 24 | tail ahead by at most 8
#  > all big:     1 2 3 4 | 5 6 7 8 | 9 10 11 12 | 13 14 15 16 | 17 18 19 20 | 21 22 23 24 | tail ahead by at most 8
#  > even ones:   1 2 3 4 5 7 1 | 6 8 9 10 11 | 12 13 14 15 | 16 17 18 19 20 | 21 22 23 24 | tail ahead by at most 9
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

/* Not yet in this liburing's header. */
#define SETUP_CQE_MIXED (1U << 18)
#define CQE_SKIP (1U << 5) /* fills a place that is too small for what comes */
#define CQE_BIG (1U << 15)
#define NOP_BIG (1U << 5)

enum { requests = 24, places = 8 };

static void submit_all(struct io_uring *ring, int (*is_big)(int))
{
	for (int i = 1; i <= requests; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		io_uring_prep_nop(sqe);
		sqe->user_data = i;
		sqe->nop_flags = is_big(i) ? NOP_BIG : 0;
		io_uring_submit(ring);
	}
}

/* read_all returns how many places were there to be read. */
static unsigned read_all(struct io_uring *ring)
{
	unsigned tail = io_uring_smp_load_acquire(ring->cq.ktail), head = *ring->cq.khead, there = tail - head;
	while ((int)(tail - head) > 0) {
		struct io_uring_cqe *cqe = &ring->cq.cqes[head % places];
		if (!(cqe->flags & CQE_SKIP))
			printf(" %llu", cqe->user_data);
		head += cqe->flags & CQE_BIG ? 2 : 1;
	}
	io_uring_smp_store_release(ring->cq.khead, head);
	return there;
}

static void try(const char *name, int (*is_big)(int))
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | SETUP_CQE_MIXED, .cq_entries = places};
	unsigned there, most = 0;
	struct io_uring ring;
	if (io_uring_queue_init_params(4, &ring, &params) < 0) {
		printf("%s this kernel has no such queue\n", name);
		return;
	}
	submit_all(&ring, is_big);
	printf("%-12s", name);
	/* What has waited in the kernel comes when there is room and it is entered. */
	for (int i = 0; i < requests && (there = read_all(&ring)); i++) {
		printf(" |");
		most = there > most ? there : most;
		io_uring_get_events(&ring);
	}
	printf(" tail ahead by at most %u\n", most);
	io_uring_queue_exit(&ring);
}

static int never(int i) { return i < 0; }
static int always(int i) { return i > 0; }
static int if_even(int i) { return i % 2 == 0; }

int main(void)
{
	try("all small:", never);
	try("all big:", always);
	try("even ones:", if_even);
}
EOF
gcc -Wall -Wextra -O1 -pthread -isystem usr/include program.c usr/lib/*/liburing.a -o program
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
