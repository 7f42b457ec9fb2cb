//go:build mips || mipsle || mips64 || mips64le || ppc64 || ppc64le || sparc64

package liburing

// BlockCmdDiscard is the command that discards a range of a block device. It is
// an ioctl number, and on this architecture those without an argument carry a
// bit that says so.
const BlockCmdDiscard = 1<<29 | 0x12<<8 // BLOCK_URING_CMD_DISCARD
