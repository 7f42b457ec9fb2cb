package liburing

// Operations on files and on the file system.

// PrepRead reads into buf from an offset of the file (io_uring_prep_read). The result
// is the number of bytes, 0 at the end of the file or when the other end of a pipe or a
// connection is closed. CurrentPosition is an offset that is right for every kind of
// descriptor; pipes, sockets and terminals ignore it. Needs Linux 5.6.
func (s *SQE) PrepRead(fd int, buf []byte, offset uint64) {
	s.PrepRW(OpRead, fd, data(buf), rwLen(buf), offset)
}

// PrepWrite writes buf at an offset of the file (io_uring_prep_write). The result is
// the number of bytes, which may be less than all. CurrentPosition is an offset that is
// right for every kind of descriptor; pipes, sockets and terminals ignore it. Several
// writes in flight on a pipe, a socket or at the current position may overtake each
// other: wait for one before you make the next, or link them. On Linux 6.18 at least, a
// write at the current position that is cut short (by a full disk, a limit) leaves the
// position where it was: use offsets where that may happen. Needs Linux 5.6.
func (s *SQE) PrepWrite(fd int, buf []byte, offset uint64) {
	s.PrepRW(OpWrite, fd, data(buf), rwLen(buf), offset)
}

// PrepReadv reads into several buffers, one after the other, 1024 at most
// (io_uring_prep_readv). The result is the number of bytes, 0 at the end of the file or
// when the other end of a pipe or a connection is closed. CurrentPosition is an offset
// that is right for every kind of descriptor; pipes, sockets and terminals ignore it.
// Needs Linux 5.1.
//
// The iovecs need to live until the request is submitted (FeatSubmitStable),
// what they point to until the completion.
func (s *SQE) PrepReadv(fd int, iovecs []Iovec, offset uint64) {
	s.PrepRW(OpReadv, fd, data(iovecs), rwLen(iovecs), offset)
}

// PrepWritev writes several buffers, one after the other, 1024 at most
// (io_uring_prep_writev). The result is the number of bytes, which may be less than
// all. CurrentPosition is an offset that is right for every kind of descriptor; pipes,
// sockets and terminals ignore it. Several writes in flight on a pipe, a socket or at
// the current position may overtake each other: wait for one before you make the next,
// or link them. Needs Linux 5.1.
//
// The iovecs need to live until the request is submitted (FeatSubmitStable),
// what they point to until the completion.
func (s *SQE) PrepWritev(fd int, iovecs []Iovec, offset uint64) {
	s.PrepRW(OpWritev, fd, data(iovecs), rwLen(iovecs), offset)
}

// PrepReadv2 is PrepReadv with the flags of preadv2(2), RWF_NOWAIT and the like
// (io_uring_prep_readv2). Needs Linux 5.1.
func (s *SQE) PrepReadv2(fd int, iovecs []Iovec, offset uint64, flags int) {
	s.PrepReadv(fd, iovecs, offset)
	s.OpFlags = uint32(flags)
}

// PrepWritev2 is PrepWritev with the flags of pwritev2(2), RWF_DSYNC and the
// like (io_uring_prep_writev2). With RWF_APPEND it writes at the end of the
// file, whatever the offset. Needs Linux 5.1.
func (s *SQE) PrepWritev2(fd int, iovecs []Iovec, offset uint64, flags int) {
	s.PrepWritev(fd, iovecs, offset)
	s.OpFlags = uint32(flags)
}

// PrepReadFixed is PrepRead into buf that lies within the registered buffer
// bufIndex, whose pages the kernel need not look up (io_uring_prep_read_fixed).
// EFAULT if it does not lie there. Needs Linux 5.1.
func (s *SQE) PrepReadFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	s.PrepRW(OpReadFixed, fd, data(buf), rwLen(buf), offset)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepWriteFixed is PrepWrite from buf that lies within the registered buffer
// bufIndex, whose pages the kernel need not look up
// (io_uring_prep_write_fixed). EFAULT if it does not lie there. Needs Linux
// 5.1.
func (s *SQE) PrepWriteFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	s.PrepRW(OpWriteFixed, fd, data(buf), rwLen(buf), offset)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepReadvFixed is PrepReadv2 into parts of the registered buffer bufIndex
// (io_uring_prep_readv_fixed). EFAULT if one does not lie there or is empty.
// Needs Linux 6.15.
func (s *SQE) PrepReadvFixed(fd int, iovecs []Iovec, offset uint64, flags, bufIndex int) {
	s.PrepReadv2(fd, iovecs, offset, flags)
	s.Opcode = OpReadvFixed
	s.BufIndex = bufPlace(bufIndex)
}

// PrepWritevFixed is PrepWritev2 from parts of the registered buffer bufIndex
// (io_uring_prep_writev_fixed). EFAULT if one does not lie there or is empty.
// Needs Linux 6.15.
func (s *SQE) PrepWritevFixed(fd int, iovecs []Iovec, offset uint64, flags, bufIndex int) {
	s.PrepWritev2(fd, iovecs, offset, flags)
	s.Opcode = OpWritevFixed
	s.BufIndex = bufPlace(bufIndex)
}

// PrepReadMultishot reads repeatedly, whenever there is something to read, into buffers
// of a group (io_uring_prep_read_multishot): each time up to nbytes, or with 0 as much
// as a buffer holds. It completes with CQEFMore for each buffer until the end of the
// file, an error, or ENOBUFS when the group has run out. For pipes, terminals and other
// descriptors that can be polled, which regular files can't (EBADFD). Needs Linux 6.7.
//
//loop:doc Request.Buffers names the group instead of bufGroup.
func (s *SQE) PrepReadMultishot(fd int, nbytes uint32, offset uint64, bufGroup uint16) {
	s.PrepRW(OpReadMultishot, fd, 0, nbytes, offset)
	s.BufIndex = bufGroup
	s.Flags = SQEBufferSelect
}

// PrepFsync flushes a file to its device; with FsyncDatasync it skips metadata that is
// not needed to read the data back (io_uring_prep_fsync). It does not wait for writes
// in flight: link it after them. Pipes and sockets can't be flushed (EINVAL). It always
// takes a worker thread. Needs Linux 5.1.
func (s *SQE) PrepFsync(fd int, flags FsyncFlags) {
	s.PrepRW(OpFsync, fd, 0, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepSyncFileRange flushes length bytes of a file's data from offset on, or
// with length 0 all from there, as flags of sync_file_range(2) say
// (io_uring_prep_sync_file_range). Regular files, directories and block devices
// only (ESPIPE). It always takes a worker thread. Needs Linux 5.2.
func (s *SQE) PrepSyncFileRange(fd int, length uint32, offset uint64, flags int) {
	s.PrepRW(OpSyncFileRange, fd, 0, length, offset)
	s.OpFlags = uint32(flags)
}

// PrepFallocate reserves, frees or zeroes a range of a regular file, as mode of
// fallocate(2) says (io_uring_prep_fallocate). EOPNOTSUPP if the file system
// can't. It always takes a worker thread. Needs Linux 5.6.
func (s *SQE) PrepFallocate(fd, mode int, offset, length uint64) {
	s.PrepRW(OpFallocate, fd, 0, uint32(mode), offset)
	s.Addr = length
}

// PrepFtruncate sets the length of a regular file in bytes
// (io_uring_prep_ftruncate). EINVAL if fd is not open for writing. It always
// takes a worker thread. Needs Linux 6.9.
func (s *SQE) PrepFtruncate(fd int, length int64) {
	s.PrepRW(OpFtruncate, fd, 0, 0, uint64(length))
}

// PrepFadvise announces how length bytes of a file from offset on, or with length 0 all
// from there, will be used, like posix_fadvise(2) (io_uring_prep_fadvise). Not for
// pipes (ESPIPE). Needs Linux 5.6.
func (s *SQE) PrepFadvise(fd int, offset uint64, length uint32, advice int) {
	s.PrepRW(OpFadvise, fd, 0, length, offset)
	s.OpFlags = uint32(advice)
}

// PrepFadvise64 is PrepFadvise for a range of any length
// (io_uring_prep_fadvise64). Needs Linux 6.11.
func (s *SQE) PrepFadvise64(fd int, offset uint64, length int64, advice int) {
	s.PrepRW(OpFadvise, fd, 0, 0, offset)
	s.Addr = uint64(length)
	s.OpFlags = uint32(advice)
}

// PrepMadvise announces how memory will be used, like madvise(2), up to 4 GiB of it
// (io_uring_prep_madvise). It works on whole pages: give it mapped memory, not Go's
// heap. It always takes a worker thread. Needs Linux 5.6.
func (s *SQE) PrepMadvise(mem []byte, advice int) {
	const most = 1<<32 - 1<<16 // whole pages, however big they are
	s.PrepRW(OpMadvise, -1, data(mem), uint32(min(uint64(len(mem)), most)), 0)
	s.OpFlags = uint32(advice)
}

// PrepMadvise64 is PrepMadvise for memory of any length
// (io_uring_prep_madvise64). It always takes a worker thread. Needs Linux 6.11.
func (s *SQE) PrepMadvise64(mem []byte, advice int) {
	s.PrepRW(OpMadvise, -1, data(mem), 0, uint64(len(mem)))
	s.OpFlags = uint32(advice)
}

// PrepSplice moves up to nbytes between a pipe and another file without copying them to
// user space; one of the two must be a pipe (io_uring_prep_splice). The result is the
// number of bytes, 0 at the end. The offset of a pipe or a socket must be -1; for
// another file -1 means its position, which moves on. flags are those of splice(2);
// with SpliceFFDInFixed, fdIn is a place of the registered files. It always takes a
// worker thread, which a pipe without data or room blocks. Needs Linux 5.7.
func (s *SQE) PrepSplice(fdIn int, offIn int64, fdOut int, offOut int64, nbytes uint32, flags SpliceFlags) {
	s.PrepRW(OpSplice, fdOut, 0, nbytes, uint64(offOut))
	s.Addr = uint64(offIn)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = uint32(flags)
}

// PrepTee copies up to nbytes from one pipe to another without taking them out of the
// first (io_uring_prep_tee). The result is the number of bytes, 0 at the end. flags are
// those of PrepSplice. It always takes a worker thread, which a pipe without data or
// room blocks. Needs Linux 5.8.
func (s *SQE) PrepTee(fdIn, fdOut int, nbytes uint32, flags SpliceFlags) {
	s.PrepRW(OpTee, fdOut, 0, nbytes, 0)
	s.FileIndex = uint32(fdIn)
	s.OpFlags = uint32(flags)
}

// PrepOpenat opens a file; the result is the descriptor (io_uring_prep_openat). A
// relative path begins at the directory dfd, or with AT_FDCWD at the working directory.
// flags and mode are those of openat(2): the process's umask applies; ask for O_CLOEXEC
// if you want it. With O_CREAT, O_TRUNC or O_TMPFILE it needs a worker thread. Needs
// Linux 5.6.
//
// The path needs to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepOpenat(dfd int, path *byte, flags int, mode uint32) {
	s.PrepRW(OpOpenat, dfd, addr(path), mode, 0)
	s.OpFlags = uint32(flags)
}

// PrepOpen is PrepOpenat for a path that begins at the working directory
// (io_uring_prep_open). Needs Linux 5.6.
func (s *SQE) PrepOpen(path *byte, flags int, mode uint32) {
	s.PrepOpenat(atFDCWD, path, flags, mode)
}

// PrepOpenatDirect is PrepOpenat into the place fileIndex of the registered
// files, without a descriptor of the process (io_uring_prep_openat_direct). The
// result is 0; with FileIndexAlloc the kernel picks the place and the result is
// its number, or ENFILE if none is free. EINVAL with O_CLOEXEC. Needs Linux
// 5.15.
func (s *SQE) PrepOpenatDirect(dfd int, path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenat(dfd, path, flags, mode)
	s.setAllocatedFile(fileIndex)
}

// PrepOpenDirect is PrepOpenatDirect for a path that begins at the working
// directory (io_uring_prep_open_direct). Needs Linux 5.15.
func (s *SQE) PrepOpenDirect(path *byte, flags int, mode, fileIndex uint32) {
	s.PrepOpenatDirect(atFDCWD, path, flags, mode, fileIndex)
}

// PrepOpenat2 opens a file as how says, see openat2(2); the result is the descriptor
// (io_uring_prep_openat2). With O_CREAT, O_TRUNC or O_TMPFILE it needs a worker thread.
// Needs Linux 5.6.
//
// Path and how need to live until the request is submitted.
func (s *SQE) PrepOpenat2(dfd int, path *byte, how *OpenHow) {
	s.PrepRW(OpOpenat2, dfd, addr(path), sizeofOpenHow, addr(how))
}

// PrepOpenat2Direct is PrepOpenat2 into a place of the registered files, as with
// PrepOpenatDirect (io_uring_prep_openat2_direct). Needs Linux 5.15.
func (s *SQE) PrepOpenat2Direct(dfd int, path *byte, how *OpenHow, fileIndex uint32) {
	s.PrepOpenat2(dfd, path, how)
	s.setAllocatedFile(fileIndex)
}

// PrepClose closes a descriptor (io_uring_prep_close). Requests in flight on it go on
// and keep the file open, so a connection is not hung up before they have ended: cancel
// them first. Needs Linux 5.6.
func (s *SQE) PrepClose(fd int) {
	s.PrepRW(OpClose, fd, 0, 0, 0)
}

// PrepCloseDirect empties a place of the registered files (io_uring_prep_close_direct).
// EBADF if it is empty. Requests in flight on the file go on. Linux 6.12 and older
// release the file only when all earlier requests on registered files have ended, 6.1
// and older a second later: use PrepShutdown first to tell the other end of a
// connection. Needs Linux 5.15.
func (s *SQE) PrepCloseDirect(fileIndex uint32) {
	s.PrepClose(0)
	s.setTargetFixedFile(fileIndex)
}

// PrepStatx stores in statx what statx(2) tells about a file, as far as mask asks for
// it (io_uring_prep_statx). With AT_EMPTY_PATH in flags and an empty path it is about
// the file dfd itself. It always takes a worker thread. Needs Linux 5.6.
//
// The path needs to live until the request is submitted, statx until the
// completion.
func (s *SQE) PrepStatx(dfd int, path *byte, flags int, mask uint32, statx *Statx) {
	s.PrepRW(OpStatx, dfd, addr(path), mask, addr(statx))
	s.OpFlags = uint32(flags)
}

// PrepUnlinkat removes a name, with AT_REMOVEDIR an empty directory
// (io_uring_prep_unlinkat). It always takes a worker thread. Needs Linux 5.11.
//
// The path needs to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepUnlinkat(dfd int, path *byte, flags int) {
	s.PrepRW(OpUnlinkat, dfd, addr(path), 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepUnlink is PrepUnlinkat for a path that begins at the working directory
// (io_uring_prep_unlink). It always takes a worker thread. Needs Linux 5.11.
func (s *SQE) PrepUnlink(path *byte, flags int) {
	s.PrepUnlinkat(atFDCWD, path, flags)
}

// PrepRenameat renames a file; flags are those of renameat2(2)
// (io_uring_prep_renameat). It always takes a worker thread. Needs Linux 5.11.
//
// The paths need to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepRenameat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags uint32) {
	s.PrepRW(OpRenameat, oldDfd, addr(oldPath), uint32(newDfd), addr(newPath))
	s.OpFlags = flags
}

// PrepRename is PrepRenameat for paths that begin at the working directory,
// without flags (io_uring_prep_rename). It always takes a worker thread. Needs
// Linux 5.11.
func (s *SQE) PrepRename(oldPath, newPath *byte) {
	s.PrepRenameat(atFDCWD, oldPath, atFDCWD, newPath, 0)
}

// PrepMkdirat makes a directory; the process's umask applies to mode
// (io_uring_prep_mkdirat). It always takes a worker thread. Needs Linux 5.15.
//
// The path needs to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepMkdirat(dfd int, path *byte, mode uint32) {
	s.PrepRW(OpMkdirat, dfd, addr(path), mode, 0)
}

// PrepMkdir is PrepMkdirat for a path that begins at the working directory
// (io_uring_prep_mkdir). It always takes a worker thread. Needs Linux 5.15.
func (s *SQE) PrepMkdir(path *byte, mode uint32) {
	s.PrepMkdirat(atFDCWD, path, mode)
}

// PrepSymlinkat makes a symbolic link at linkPath that points to target
// (io_uring_prep_symlinkat). It always takes a worker thread. Needs Linux 5.15.
//
// The paths need to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepSymlinkat(target *byte, newDfd int, linkPath *byte) {
	s.PrepRW(OpSymlinkat, newDfd, addr(target), 0, addr(linkPath))
}

// PrepSymlink is PrepSymlinkat for a link whose path begins at the working
// directory (io_uring_prep_symlink). It always takes a worker thread. Needs
// Linux 5.15.
func (s *SQE) PrepSymlink(target, linkPath *byte) {
	s.PrepSymlinkat(target, atFDCWD, linkPath)
}

// PrepLinkat gives a file another name; flags are those of linkat(2)
// (io_uring_prep_linkat). It always takes a worker thread. Needs Linux 5.15.
//
// The paths need to live until the request is submitted (FeatSubmitStable).
func (s *SQE) PrepLinkat(oldDfd int, oldPath *byte, newDfd int, newPath *byte, flags int) {
	s.PrepRW(OpLinkat, oldDfd, addr(oldPath), uint32(newDfd), addr(newPath))
	s.OpFlags = uint32(flags)
}

// PrepLink is PrepLinkat for paths that begin at the working directory
// (io_uring_prep_link). It always takes a worker thread. Needs Linux 5.15.
//
//loop:doc To make a chain of requests, see Request.LinkNext.
func (s *SQE) PrepLink(oldPath, newPath *byte, flags int) {
	s.PrepLinkat(atFDCWD, oldPath, atFDCWD, newPath, flags)
}

// PrepGetxattr reads the extended attribute name of the file at path into value; the
// result is its length, which an empty value can be used to ask for
// (io_uring_prep_getxattr). ENODATA if there is none, ERANGE if value is too short. It
// always takes a worker thread. Needs Linux 5.19.
func (s *SQE) PrepGetxattr(name *byte, value []byte, path *byte) {
	s.PrepRW(OpGetxattr, 0, addr(name), rwLen(value), data(value))
	s.Addr3 = addr(path)
	s.OpFlags = 0
}

// PrepSetxattr sets the extended attribute name of the file at path to value;
// flags are those of setxattr(2) (io_uring_prep_setxattr). It always takes a
// worker thread. Needs Linux 5.19.
func (s *SQE) PrepSetxattr(name *byte, value []byte, path *byte, flags int) {
	s.PrepRW(OpSetxattr, 0, addr(name), rwLen(value), data(value))
	s.Addr3 = addr(path)
	s.OpFlags = uint32(flags)
}

// PrepFgetxattr is PrepGetxattr for an open file (io_uring_prep_fgetxattr). It
// always takes a worker thread. Needs Linux 5.19.
func (s *SQE) PrepFgetxattr(fd int, name *byte, value []byte) {
	s.PrepRW(OpFgetxattr, fd, addr(name), rwLen(value), data(value))
	s.OpFlags = 0
}

// PrepFsetxattr is PrepSetxattr for an open file (io_uring_prep_fsetxattr). It
// always takes a worker thread. Needs Linux 5.19.
func (s *SQE) PrepFsetxattr(fd int, name *byte, value []byte, flags int) {
	s.PrepRW(OpFsetxattr, fd, addr(name), rwLen(value), data(value))
	s.OpFlags = uint32(flags)
}

// PrepPipe makes a pipe and stores the descriptors of its reading and its writing end
// in fds (io_uring_prep_pipe). flags are those of pipe2(2): ask for O_CLOEXEC if you
// want it. Needs Linux 6.16.
func (s *SQE) PrepPipe(fds *[2]int32, flags int) {
	s.PrepRW(OpPipe, 0, addr(fds), 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepPipeDirect makes a pipe whose ends take two places of the registered files,
// fileIndex and the next, or with FileIndexAlloc two that the kernel picks; fds gets
// their numbers (io_uring_prep_pipe_direct). Needs Linux 6.16.
func (s *SQE) PrepPipeDirect(fds *[2]int32, flags int, fileIndex uint32) {
	s.PrepPipe(fds, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepCmdDiscard discards a range of a block device, in bytes that are whole
// blocks (io_uring_prep_cmd_discard). What was there is lost. Needs Linux 6.12.
func (s *SQE) PrepCmdDiscard(fd int, offset, nbytes uint64) {
	s.PrepURingCmd(BlockCmdDiscard, fd)
	s.Addr = offset
	s.Addr3 = nbytes
}
