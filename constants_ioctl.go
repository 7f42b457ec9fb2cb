//go:build !(mips || mipsle || mips64 || mips64le || ppc64 || ppc64le || sparc64)

package liburing

// BlockCmdDiscard is the command that discards a range of a block device. It is
// an ioctl number, and those differ by architecture.
const BlockCmdDiscard = 0x12 << 8 // BLOCK_URING_CMD_DISCARD
