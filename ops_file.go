package liburing

// Operations on files and on the file system.

// PrepReadv2 is PrepReadv with the flags of preadv2(2), RWF_NOWAIT and the like
// (io_uring_prep_readv2). Least kernel: 5.1.
func (s *SQE) PrepReadv2(fd int, iovecs []Iovec, offset uint64, flags int) {
	s.PrepReadv(fd, iovecs, offset)
	s.OpFlags = uint32(flags)
}

// PrepWritev2 is PrepWritev with the flags of pwritev2(2), RWF_APPEND and the
// like (io_uring_prep_writev2). Least kernel: 5.1.
func (s *SQE) PrepWritev2(fd int, iovecs []Iovec, offset uint64, flags int) {
	s.PrepWritev(fd, iovecs, offset)
	s.OpFlags = uint32(flags)
}

// PrepReadvFixed reads like PrepReadv2 into parts of the registered buffer
// bufIndex (io_uring_prep_readv_fixed). Least kernel: 6.15.
func (s *SQE) PrepReadvFixed(fd int, iovecs []Iovec, offset uint64, flags, bufIndex int) {
	s.PrepReadv2(fd, iovecs, offset, flags)
	s.Opcode = OpReadvFixed
	s.BufIndex = bufPlace(bufIndex)
}

// PrepWritevFixed writes like PrepWritev2 from parts of the registered buffer
// bufIndex (io_uring_prep_writev_fixed). Least kernel: 6.15.
func (s *SQE) PrepWritevFixed(fd int, iovecs []Iovec, offset uint64, flags, bufIndex int) {
	s.PrepWritev2(fd, iovecs, offset, flags)
	s.Opcode = OpWritevFixed
	s.BufIndex = bufPlace(bufIndex)
}

// PrepReadMultishot reads again and again, whenever there is something to read,
// into buffers of a group, up to nbytes at a time (io_uring_prep_read_multishot).
// It completes with CQEFMore for each buffer until the end of the file, an
// error, or ENOBUFS when the group has run dry. For pipes and other files that
// can be polled, not for regular ones (EBADFD). Least kernel: 6.7.
func (s *SQE) PrepReadMultishot(fd int, nbytes uint32, offset uint64, bufGroup uint16) {
	s.PrepRW(OpReadMultishot, fd, 0, nbytes, offset)
	s.BufIndex = bufGroup
	s.Flags = SQEBufferSelect
}

// PrepSyncFileRange flushes a range of a file, as sync_file_range(2) does
// (io_uring_prep_sync_file_range). Least kernel: 5.2.
func (s *SQE) PrepSyncFileRange(fd int, length uint32, offset uint64, flags int) {
	s.PrepRW(OpSyncFileRange, fd, 0, length, offset)
	s.OpFlags = uint32(flags)
}

// PrepFallocate reserves, frees or zeroes a range of a file, as mode of
// fallocate(2) says (io_uring_prep_fallocate). Least kernel: 5.6.
func (s *SQE) PrepFallocate(fd, mode int, offset, length uint64) {
	s.PrepRW(OpFallocate, fd, 0, uint32(mode), offset)
	s.Addr = length
}

// PrepFtruncate sets a file's length in bytes (io_uring_prep_ftruncate). Least
// kernel: 6.9.
func (s *SQE) PrepFtruncate(fd int, length int64) {
	s.PrepRW(OpFtruncate, fd, 0, 0, uint64(length))
}

// PrepFadvise announces how a range of a file will be used, as posix_fadvise(2)
// does (io_uring_prep_fadvise). Least kernel: 5.6.
func (s *SQE) PrepFadvise(fd int, offset uint64, length uint32, advice int) {
	s.PrepRW(OpFadvise, fd, 0, length, offset)
	s.OpFlags = uint32(advice)
}

// PrepFadvise64 is PrepFadvise for a range of any length
// (io_uring_prep_fadvise64). Least kernel: 6.11.
func (s *SQE) PrepFadvise64(fd int, offset uint64, length int64, advice int) {
	s.PrepRW(OpFadvise, fd, 0, 0, offset)
	s.Addr = uint64(length)
	s.OpFlags = uint32(advice)
}

// PrepMadvise announces how memory will be used, as madvise(2) does, up to 4 GiB
// of it (io_uring_prep_madvise). It is about whole pages: give it mapped
// memory, not Go's heap. Least kernel: 5.6.
func (s *SQE) PrepMadvise(mem []byte, advice int) {
	const most = 1<<32 - 1<<16 // whole pages, however big they are
	s.PrepRW(OpMadvise, -1, data(mem), uint32(min(uint64(len(mem)), most)), 0)
	s.OpFlags = uint32(advice)
}

// PrepMadvise64 is PrepMadvise for memory of any length
// (io_uring_prep_madvise64). Least kernel: 6.11.
func (s *SQE) PrepMadvise64(mem []byte, advice int) {
	s.PrepRW(OpMadvise, -1, data(mem), 0, uint64(len(mem)))
	s.OpFlags = uint32(advice)
}

// PrepSplice moves bytes between a pipe and another file without copying them
// to user space; one of the two must be a pipe (io_uring_prep_splice). The
// offset of a pipe must be -1; with -1 another file's position is used and
// advanced. Flags are those of splice(2), and SpliceFFDInFixed. Least kernel:
// 5.7.
func (s *SQE) PrepSplice(fdIn int, offIn int64, fdOut int, offOut int64, nbytes uint32, flags SpliceFlags) {
	s.PrepRW(OpSplice, fdOut, 0, nbytes, uint64(offOut))
	s.Addr = uint64(offIn)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = uint32(flags)
}

// PrepTee copies bytes from one pipe to another without taking them out of the
// first (io_uring_prep_tee). Least kernel: 5.8.
func (s *SQE) PrepTee(fdIn, fdOut int, nbytes uint32, flags SpliceFlags) {
	s.PrepRW(OpTee, fdOut, 0, nbytes, 0)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = uint32(flags)
}

// PrepOpen opens a file; a relative path begins at the working directory
// (io_uring_prep_open). See PrepOpenat. Least kernel: 5.6.
func (s *SQE) PrepOpen(path *byte, flags int, mode uint32) {
	s.PrepOpenat(atFDCWD, path, flags, mode)
}

// PrepOpenatDirect opens a file into a place of the registered files, without
// an ordinary descriptor; with FileIndexAlloc the kernel picks the place and
// the result is its number (io_uring_prep_openat_direct). ENFILE if none is
// free. Least kernel: 5.15.
func (s *SQE) PrepOpenatDirect(dfd int, path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenat(dfd, path, flags, mode)
	s.setAllocatedFile(fileIndex)
}

// PrepOpenDirect is PrepOpenatDirect for a path that begins at the working
// directory (io_uring_prep_open_direct). Least kernel: 5.15.
func (s *SQE) PrepOpenDirect(path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenatDirect(atFDCWD, path, flags, mode, fileIndex)
}

// PrepOpenat2 opens a file as how says, see openat2(2); the result is the
// descriptor (io_uring_prep_openat2). Path and how need to live until the
// request is submitted. Least kernel: 5.6.
func (s *SQE) PrepOpenat2(dfd int, path *byte, how *OpenHow) {
	s.PrepRW(OpOpenat2, dfd, addr(path), sizeofOpenHow, addr(how))
}

// PrepOpenat2Direct opens as PrepOpenat2 does, into a place of the registered
// files as PrepOpenatDirect does (io_uring_prep_openat2_direct). Least kernel:
// 5.15.
func (s *SQE) PrepOpenat2Direct(dfd int, path *byte, how *OpenHow, fileIndex uint32) {
	s.PrepOpenat2(dfd, path, how)
	s.setAllocatedFile(fileIndex)
}

// PrepCloseDirect empties a place of the registered files
// (io_uring_prep_close_direct). Least kernel: 5.15.
func (s *SQE) PrepCloseDirect(fileIndex uint32) {
	s.PrepClose(0)
	s.setTargetFixedFile(fileIndex)
}

// PrepUnlinkat removes a name, with AT_REMOVEDIR an empty directory
// (io_uring_prep_unlinkat). Least kernel: 5.11.
func (s *SQE) PrepUnlinkat(dfd int, path *byte, flags int) {
	s.PrepRW(OpUnlinkat, dfd, addr(path), 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepUnlink is PrepUnlinkat for a path that begins at the working directory
// (io_uring_prep_unlink). Least kernel: 5.11.
func (s *SQE) PrepUnlink(path *byte, flags int) {
	s.PrepUnlinkat(atFDCWD, path, flags)
}

// PrepRenameat renames a file; flags are those of renameat2(2)
// (io_uring_prep_renameat). Least kernel: 5.11.
func (s *SQE) PrepRenameat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags uint32) {
	s.PrepRW(OpRenameat, oldDfd, addr(oldPath), uint32(newDfd), addr(newPath))
	s.OpFlags = flags
}

// PrepRename is PrepRenameat for paths that begin at the working directory
// (io_uring_prep_rename). Least kernel: 5.11.
func (s *SQE) PrepRename(oldPath, newPath *byte) {
	s.PrepRenameat(atFDCWD, oldPath, atFDCWD, newPath, 0)
}

// PrepMkdirat makes a directory (io_uring_prep_mkdirat). Least kernel: 5.15.
func (s *SQE) PrepMkdirat(dfd int, path *byte, mode uint32) {
	s.PrepRW(OpMkdirat, dfd, addr(path), mode, 0)
}

// PrepMkdir is PrepMkdirat for a path that begins at the working directory
// (io_uring_prep_mkdir). Least kernel: 5.15.
func (s *SQE) PrepMkdir(path *byte, mode uint32) {
	s.PrepMkdirat(atFDCWD, path, mode)
}

// PrepSymlinkat makes a symbolic link at linkPath that points to target
// (io_uring_prep_symlinkat). Least kernel: 5.15.
func (s *SQE) PrepSymlinkat(target *byte, newDfd int, linkPath *byte) {
	s.PrepRW(OpSymlinkat, newDfd, addr(target), 0, addr(linkPath))
}

// PrepSymlink is PrepSymlinkat for a path that begins at the working directory
// (io_uring_prep_symlink). Least kernel: 5.15.
func (s *SQE) PrepSymlink(target, linkPath *byte) {
	s.PrepSymlinkat(target, atFDCWD, linkPath)
}

// PrepLinkat gives a file another name; flags are those of linkat(2)
// (io_uring_prep_linkat). Least kernel: 5.15.
func (s *SQE) PrepLinkat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags int) {
	s.PrepRW(OpLinkat, oldDfd, addr(oldPath), uint32(newDfd), addr(newPath))
	s.OpFlags = uint32(flags)
}

// PrepLink is PrepLinkat for paths that begin at the working directory
// (io_uring_prep_link). Least kernel: 5.15.
func (s *SQE) PrepLink(oldPath, newPath *byte, flags int) {
	s.PrepLinkat(atFDCWD, oldPath, atFDCWD, newPath, flags)
}

// PrepGetxattr reads an extended attribute of the file at path into value; the
// result is its length (io_uring_prep_getxattr). Least kernel: 5.19.
func (s *SQE) PrepGetxattr(name *byte, value []byte, path *byte) {
	s.PrepRW(OpGetxattr, 0, addr(name), rwLen(value), data(value))
	s.Addr3 = addr(path)
	s.OpFlags = 0
}

// PrepSetxattr sets an extended attribute of the file at path; flags are those
// of setxattr(2) (io_uring_prep_setxattr). Least kernel: 5.19.
func (s *SQE) PrepSetxattr(name *byte, value []byte, path *byte, flags int) {
	s.PrepRW(OpSetxattr, 0, addr(name), rwLen(value), data(value))
	s.Addr3 = addr(path)
	s.OpFlags = uint32(flags)
}

// PrepFgetxattr reads an extended attribute of an open file into value; the
// result is its length (io_uring_prep_fgetxattr). Least kernel: 5.19.
func (s *SQE) PrepFgetxattr(fd int, name *byte, value []byte) {
	s.PrepRW(OpFgetxattr, fd, addr(name), rwLen(value), data(value))
	s.OpFlags = 0
}

// PrepFsetxattr sets an extended attribute of an open file; flags are those of
// fsetxattr(2) (io_uring_prep_fsetxattr). Least kernel: 5.19.
func (s *SQE) PrepFsetxattr(fd int, name *byte, value []byte, flags int) {
	s.PrepRW(OpFsetxattr, fd, addr(name), rwLen(value), data(value))
	s.OpFlags = uint32(flags)
}

// PrepPipe makes a pipe and stores the descriptors of its reading and its
// writing end in fds (io_uring_prep_pipe). Flags are those of pipe2(2). Least
// kernel: 6.16.
func (s *SQE) PrepPipe(fds *[2]int32, flags int) {
	s.PrepRW(OpPipe, 0, addr(fds), 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepPipeDirect makes a pipe whose ends take two places of the registered
// files, fileIndex and the next, or with FileIndexAlloc two that the kernel
// picks; fds has their numbers (io_uring_prep_pipe_direct). Least kernel: 6.16.
func (s *SQE) PrepPipeDirect(fds *[2]int32, flags int, fileIndex uint32) {
	s.PrepPipe(fds, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepCmdDiscard discards a range of a block device (io_uring_prep_cmd_discard).
// Least kernel: 6.12.
func (s *SQE) PrepCmdDiscard(fd int, offset, nbytes uint64) {
	s.PrepURingCmd(BlockCmdDiscard, fd)
	s.Addr = offset
	s.Addr3 = nbytes
}
