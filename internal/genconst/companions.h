/*
 * Constants that an application needs next to liburing and that liburing's own
 * headers leave to the kernel's. Older kernel headers lack some of them; their
 * values are part of the kernel's ABI, so they are given here for that case.
 */
#include <linux/futex.h>
#include <linux/ioctl.h>

#ifndef FUTEX2_SIZE_U8
#define FUTEX2_SIZE_U8		0x00
#endif
#ifndef FUTEX2_SIZE_U16
#define FUTEX2_SIZE_U16		0x01
#endif
#ifndef FUTEX2_SIZE_U32
#define FUTEX2_SIZE_U32		0x02
#endif
#ifndef FUTEX2_SIZE_U64
#define FUTEX2_SIZE_U64		0x03
#endif
#ifndef FUTEX2_NUMA
#define FUTEX2_NUMA		0x04
#endif
#ifndef FUTEX2_MPOL
#define FUTEX2_MPOL		0x08
#endif
#ifndef FUTEX2_PRIVATE
#define FUTEX2_PRIVATE		0x80
#endif
#ifndef FUTEX2_SIZE_MASK
#define FUTEX2_SIZE_MASK	0x03
#endif
#ifndef FUTEX_WAITV_MAX
#define FUTEX_WAITV_MAX		128
#endif
#ifndef FUTEX_BITSET_MATCH_ANY
#define FUTEX_BITSET_MATCH_ANY	0xffffffff
#endif
#ifndef BLOCK_URING_CMD_DISCARD
#define BLOCK_URING_CMD_DISCARD	_IO(0x12, 0)
#endif
