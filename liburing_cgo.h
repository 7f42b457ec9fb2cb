/*
 * What cgo.go needs in C beside liburing's own functions, and nothing else.
 *
 * A function stands here for one of these reasons, otherwise cgo.go calls
 * liburing directly:
 *
 *  - it is called for every batch, and go_uring is a type without pointers, so
 *    that cgo leaves its pointer check out. The ring always lies in C memory,
 *    there is nothing to check;
 *  - a struct is built from plain numbers, so that no Go memory is handed over;
 *  - the C compiler alone knows;
 *  - the linked liburing may be too old to have the function (GO_NEEDS).
 */
#ifndef GO_LIBURING_CGO_H
#define GO_LIBURING_CGO_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* Written by scripts/vendor-liburing.sh; being in this folder it makes Go's
 * build cache see that another liburing was vendored. `go mod vendor` copies it,
 * but not the library that it speaks of. */
#if __has_include("third_party/liburing/include/liburing.h") && \
	__has_include("liburing_vendored.h")
#include "liburing_vendored.h"
#endif

/* What it says to do must be possible wherever this file lies: in a clone, in
 * the module cache, in a vendor folder, where the script is not beside it. */
#if !__has_include(<liburing.h>)
#error "liburing is missing: install liburing 2.9 or newer (Debian 13: liburing-dev), or build it with scripts/vendor-liburing.sh of github.com/go-liburing/liburing: in a clone without arguments, for a module cache or vendor folder with --prefix DIR; or build without it, with CGO_ENABLED=0 or -tags liburing_go (README, Use it)"
#else

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <liburing.h>

#if !defined(IO_URING_CHECK_VERSION)
#define GO_LIBURING_TOO_OLD
#elif IO_URING_CHECK_VERSION(2, 9)
#define GO_LIBURING_TOO_OLD
#endif

#ifdef GO_LIBURING_TOO_OLD
#error "this liburing is older than 2.9: install liburing 2.9 or newer (Debian 13: liburing-dev), or build it with scripts/vendor-liburing.sh of github.com/go-liburing/liburing: in a clone without arguments, for a module cache or vendor folder with --prefix DIR; or build without it, with CGO_ENABLED=0 or -tags liburing_go (README, Use it)"
#else

/* A liburing function that the linked version does not have answers
 * GO_NEEDS(minor), which errors.go turns into words. */
#define GO_NEEDS(minor) (-(10000 + (minor)))

typedef struct { unsigned char opaque; } go_uring;
#define RING(r) ((struct io_uring *)(void *)(r))

/* Whether Go and liburing are built with the address sanitizer. */
static inline bool go_sanitized(void)
{
#ifdef __SANITIZE_ADDRESS__
	return true;
#else
	return false;
#endif
}

/* With SQ_REWIND liburing begins anew after each submission, whatever the kernel
 * has taken of the queued: what it has not goes to the queue's beginning. */
static inline int go_put_back(struct io_uring *r, unsigned queued, int taken)
{
#ifdef IORING_SETUP_SQ_REWIND
	unsigned left = queued - (taken > 0 ? taken : 0);
	size_t size = sizeof(struct io_uring_sqe);

	if (!(r->flags & IORING_SETUP_SQ_REWIND) || !left)
		return taken;
	if (r->flags & IORING_SETUP_SQE128)
		size *= 2;
	memmove(r->sq.sqes, (char *)r->sq.sqes + (queued - left) * size, left * size);
	r->sq.sqe_tail = left;
#endif
	return taken;
}

static inline int go_submit(go_uring *r)
{
	unsigned queued = RING(r)->sq.sqe_tail;

	return go_put_back(RING(r), queued, io_uring_submit(RING(r)));
}

static inline int go_submit_and_wait(go_uring *r, unsigned wait_nr)
{
	unsigned queued = RING(r)->sq.sqe_tail;

	return go_put_back(RING(r), queued, io_uring_submit_and_wait(RING(r), wait_nr));
}

static inline int go_submit_and_get_events(go_uring *r)
{
	unsigned queued = RING(r)->sq.sqe_tail;

	return go_put_back(RING(r), queued, io_uring_submit_and_get_events(RING(r)));
}

/* The functions that submit and wait no longer than a time do not tell how many
 * requests the kernel took, so with SQ_REWIND these are submitted first. Reports
 * whether the wait is to follow; if not *taken is the result. */
static inline bool go_submit_first(go_uring *r, unsigned wait_nr, int *taken)
{
	*taken = 0;
#ifdef IORING_SETUP_SQ_REWIND
	if (RING(r)->flags & IORING_SETUP_SQ_REWIND && RING(r)->sq.sqe_tail) {
		*taken = go_submit(r);
		return *taken >= 0 && !RING(r)->sq.sqe_tail && wait_nr;
	}
#endif
	return true;
}

/* The result of both, as the kernel has it: what was taken comes before how the wait
 * has ended. */
static inline int go_wait_second(int taken, int waited)
{
	return taken > 0 ? taken : waited;
}

static inline int go_submit_and_wait_timeout(go_uring *r, unsigned wait_nr,
					     long long sec, long long nsec)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	struct io_uring_cqe *cqe;
	int taken;

	if (!go_submit_first(r, wait_nr, &taken))
		return taken;
	return go_wait_second(taken, io_uring_submit_and_wait_timeout(
				     RING(r), &cqe, wait_nr, &ts, NULL));
}

static inline int go_wait_cqe_nr(go_uring *r, unsigned wait_nr)
{
	struct io_uring_cqe *cqe;

	return io_uring_wait_cqe_nr(RING(r), &cqe, wait_nr);
}

static inline int go_wait_cqes(go_uring *r, unsigned wait_nr,
			       long long sec, long long nsec)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	struct io_uring_cqe *cqe;

	return io_uring_wait_cqes(RING(r), &cqe, wait_nr, &ts, NULL);
}

static inline int go_get_events(go_uring *r)
{
	return io_uring_get_events(RING(r));
}

/* The slow path of SubmitGetSQE: the queue is full, so submit what is there
 * and take an entry in one crossing. */
static inline struct io_uring_sqe *go_submit_get_sqe(go_uring *r, int *ret)
{
	*ret = go_submit(r);
	return io_uring_get_sqe(RING(r));
}

static inline int go_submit_and_wait_min_timeout(go_uring *r, unsigned wait_nr,
						 long long sec, long long nsec,
						 unsigned min_wait)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	struct io_uring_cqe *cqe;
	int taken;

	if (!go_submit_first(r, wait_nr, &taken))
		return taken;
	return go_wait_second(taken, io_uring_submit_and_wait_min_timeout(
				     RING(r), &cqe, wait_nr, &ts, min_wait, NULL));
}

static inline int go_wait_cqes_min_timeout(go_uring *r, unsigned wait_nr,
					   long long sec, long long nsec,
					   unsigned min_wait)
{
	struct __kernel_timespec ts = { .tv_sec = sec, .tv_nsec = nsec };
	struct io_uring_cqe *cqe;

	return io_uring_wait_cqes_min_timeout(RING(r), &cqe, wait_nr, &ts,
					      min_wait, NULL);
}

static inline int go_submit_and_wait_reg(go_uring *r, unsigned wait_nr, int index)
{
	struct io_uring_cqe *cqe;
	int taken;

	if (!go_submit_first(r, wait_nr, &taken))
		return taken;
	return go_wait_second(taken, io_uring_submit_and_wait_reg(
				     RING(r), &cqe, wait_nr, index));
}

/* What came after 2.9. */

static inline ssize_t go_memory_size_params(unsigned entries,
					    struct io_uring_params *p)
{
#if IO_URING_CHECK_VERSION(2, 11)
	return GO_NEEDS(11);
#else
	return io_uring_memory_size_params(entries, p);
#endif
}

static inline int go_set_iowait(struct io_uring *r, bool enable)
{
#if IO_URING_CHECK_VERSION(2, 10)
	return GO_NEEDS(10);
#else
	return io_uring_set_iowait(r, enable);
#endif
}

/* The registered descriptor of the source is another ring's, or none, in a thread
 * that has not registered it, so it is for rings that have nothing else. */
static inline int go_clone_buffers(struct io_uring *dst, struct io_uring *src)
{
#if IO_URING_CHECK_VERSION(2, 10)
	return io_uring_clone_buffers(dst, src);
#else
	return src->ring_fd < 0 ? io_uring_clone_buffers(dst, src)
				: __io_uring_clone_buffers(dst, src, 0);
#endif
}

static inline int go_clone_buffers_offset(struct io_uring *dst,
					  struct io_uring *src,
					  unsigned dst_off, unsigned src_off,
					  unsigned nr, unsigned flags)
{
#if IO_URING_CHECK_VERSION(2, 10)
	return GO_NEEDS(10);
#else
	return __io_uring_clone_buffers_offset(dst, src, dst_off, src_off, nr, flags);
#endif
}

static inline int go_register_ifq(struct io_uring *r, void *reg)
{
#if IO_URING_CHECK_VERSION(2, 10)
	return GO_NEEDS(10);
#else
	return io_uring_register_ifq(r, reg);
#endif
}

static inline int go_register_sync_msg(struct io_uring_sqe *sqe)
{
#if IO_URING_CHECK_VERSION(2, 11)
	return GO_NEEDS(11);
#else
	return io_uring_register_sync_msg(sqe);
#endif
}

static inline int go_register_zcrx_ctrl(struct io_uring *r, void *ctrl)
{
#if IO_URING_CHECK_VERSION(2, 15)
	return GO_NEEDS(15);
#else
	return io_uring_register_zcrx_ctrl(r, ctrl);
#endif
}

static inline int go_register_query(void *query)
{
#if IO_URING_CHECK_VERSION(2, 15)
	return GO_NEEDS(15);
#else
	return io_uring_register_query(query);
#endif
}

/* Without a ring the filter is the task's. */
static inline int go_register_bpf_filter(struct io_uring *r, void *bpf)
{
#if IO_URING_CHECK_VERSION(2, 15)
	return GO_NEEDS(15);
#else
	return r ? io_uring_register_bpf_filter(r, bpf)
		 : io_uring_register_bpf_filter_task(bpf);
#endif
}

/* Until 2.10 the argument was declared as a sigset_t. */
static inline int go_enter2(unsigned fd, unsigned to_submit,
			    unsigned min_complete, unsigned flags,
			    void *arg, size_t size)
{
	return io_uring_enter2(fd, to_submit, min_complete, flags, arg, size);
}

#endif /* new enough */
#endif /* there */
#endif
