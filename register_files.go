package liburing

import "cmp"

// Registered files: descriptors in the ring's own table, which requests with
// SQEFixedFile name by their place.

// RegisterFiles puts descriptors into the ring's own table; requests with
// SQEFixedFile name them by their place in it, which saves the kernel looking
// them up (io_uring_register_files). The kernel holds the files open until
// UnregisterFiles or Close; -1 leaves a place empty. Needs Linux 5.1.
func (r *Ring) RegisterFiles(fds []int) error {
	const op = "io_uring_register_files"
	if len(fds) == 0 {
		return r.badInput(op, emptyList)
	}
	return explainNofile(r.call(op, func(m *ringMem) int32 { return cRegisterFiles(m, descriptors(fds)) }))
}

// RegisterFilesTags registers like RegisterFiles and gives each file a tag that is not
// 0: a completion with the tag as its user data comes when the kernel has released the
// file (io_uring_register_files_tags). Kernels before 6.13 report files that an update
// replaces, but not those that UnregisterFiles releases. Needs Linux 5.13.
func (r *Ring) RegisterFilesTags(fds []int, tags []uint64) error {
	const op = "io_uring_register_files_tags"
	if len(fds) == 0 {
		return r.badInput(op, emptyList)
	}
	if err := r.checkTags(op, tags, len(fds)); err != nil {
		return err
	}
	return explainNofile(r.call(op, func(m *ringMem) int32 { return cRegisterFilesTags(m, descriptors(fds), tags) }))
}

// RegisterFilesSparse makes a table of n empty places
// (io_uring_register_files_sparse). Needs Linux 5.19.
func (r *Ring) RegisterFilesSparse(n int) error {
	const op = "io_uring_register_files_sparse"
	if err := checkCount(op, n); err != nil {
		return err
	}
	if n == 0 {
		return r.badInput(op, emptyTable)
	}
	return explainNofile(r.call(op, func(m *ringMem) int32 { return cRegisterFilesSparse(m, uint32(n)) }))
}

// RegisterFilesUpdate replaces registered files from the place off on, where -1
// empties a place, and returns how many were replaced
// (io_uring_register_files_update). Needs Linux 5.5.
func (r *Ring) RegisterFilesUpdate(off int, fds []int) (int, error) {
	const op = "io_uring_register_files_update"
	if err := checkCount(op, off); err != nil {
		return 0, err
	}
	return r.callCount(op, func(m *ringMem) int32 { return cRegisterFilesUpdate(m, uint32(off), descriptors(fds)) })
}

// RegisterFilesUpdateTag replaces like RegisterFilesUpdate, with new tags
// (io_uring_register_files_update_tag). Needs Linux 5.13.
func (r *Ring) RegisterFilesUpdateTag(off int, fds []int, tags []uint64) (int, error) {
	const op = "io_uring_register_files_update_tag"
	if err := checkCount(op, off); err != nil {
		return 0, err
	}
	if err := r.checkTags(op, tags, len(fds)); err != nil {
		return 0, err
	}
	return r.callCount(op, func(m *ringMem) int32 { return cRegisterFilesUpdateTag(m, uint32(off), descriptors(fds), tags) })
}

// RegisterFileAllocRange confines the kernel to the n places from off on when
// it picks one itself (FileIndexAlloc) (io_uring_register_file_alloc_range).
// Needs Linux 6.0.
func (r *Ring) RegisterFileAllocRange(off, n int) error {
	const op = "io_uring_register_file_alloc_range"
	if err := cmp.Or(checkCount(op, off), checkCount(op, n)); err != nil {
		return err
	}
	return r.call(op, func(m *ringMem) int32 { return cRegisterFileAllocRange(m, uint32(off), uint32(n)) })
}

// UnregisterFiles releases the registered files (io_uring_unregister_files).
// ENXIO if none are registered. Needs Linux 5.1.
func (r *Ring) UnregisterFiles() error { return r.call("io_uring_unregister_files", cUnregisterFiles) }

// For tables, in which there must be one place.
const (
	emptyTable = "a table has one place at least"
	emptyList  = "the list is empty: " + emptyTable
)

func descriptors(fds []int) []int32 {
	list := make([]int32, len(fds))
	for i, fd := range fds {
		list[i] = descriptor(fd)
	}
	return list
}

// checkTags returns the error of tags that are not one for each of n things, or
// which the loop that the ring is part of would take for a request's.
func (r *Ring) checkTags(op string, tags []uint64, n int) error {
	if len(tags) != n {
		return r.badInput(op, "there are %d tags for %d files or buffers", len(tags), n)
	}
	for _, tag := range tags {
		if r.loop != nil && tag&tokenBit != 0 {
			return r.badInput(op, "the tag %#x has the highest bit set, as the tokens of a Loop's requests have", tag)
		}
	}
	return nil
}

// Fixed is a place in the ring's table of registered files: a direct descriptor. The
// kernel finds the file there without looking it up in the process's table. Operations
// such as AcceptDirect, with FileIndexAlloc, return one; those that work on places of
// the table take one.
//
//	loop.Recv(liburing.Fixed(place).FD(), buf, 0, cb)
type Fixed uint32

// FD returns a number that names the file in a Loop's requests, wherever they take a
// descriptor; CloseFD then empties the place. No descriptor of a process has that
// number, so system calls and a Ring's requests refuse it (EBADF).
func (f Fixed) FD() int { return int(min(uint(f), fixedFD-1) | fixedFD) } // no table is as large

// fixedFD is the bit of an int that tells a registered file from a descriptor:
// Linux's descriptors are smaller.
const fixedFD = 1 << 30

// FixedOf returns the registered file that fd names, if fd comes from Fixed.FD.
func FixedOf(fd int) (f Fixed, ok bool) {
	if !isFixed(fd) {
		return 0, false
	}
	return Fixed(fd % fixedFD), true
}

// isFixed reports whether a descriptor is a registered file's.
func isFixed(fd int) bool { return uint(fd)>>30 == 1 }

// useFixed has a prepared request use a registered file if that is what fd is.
func (s *SQE) useFixed(fd int) {
	if isFixed(fd) {
		s.nameFixed(uint32(fd % fixedFD))
	}
}

// nameFixed says that the request is for a registered file, which an operation
// that empties places is told elsewhere than all others.
func (s *SQE) nameFixed(index uint32) {
	if s.Opcode.facts().fixed == fixedByIndex {
		s.FD = 0
		s.setTargetFixedFile(index)
		return
	}
	s.FD = int32(index)
	s.Flags |= SQEFixedFile
}

// useFixedIn is useFixed for the file that a splice reads from.
func (s *SQE) useFixedIn(fd int) {
	if isFixed(fd) {
		s.FileIndex = uint32(fd % fixedFD)
		s.OpFlags |= uint32(SpliceFFDInFixed)
	}
}

// HandOver moves a registered file from this loop's table to another loop's, by a
// message between their rings: f is called on the other loop with the file's place
// there. If that fails, f is called on this loop with the error, and the file stays.
// The other loop needs a table with a free place and must not be closed meanwhile.
// Needs Linux 6.0.
func (l *Loop) HandOver(file Fixed, to *Loop, f func(Fixed, error)) Request {
	if f == nil {
		f = func(Fixed, error) {}
	}
	if to == nil {
		return l.queueBad(OpMsgRing, func(c Completion) { f(0, c.Err()) }, badInput("msg_ring", "there is no loop to hand the file to"))
	}
	return l.MsgRingFDAlloc(to.ring.FD(), file, 0, MsgRingCQESkip, func(c Completion) {
		if c.Res < 0 {
			f(0, c.Err())
			return
		}
		// It is there, whether a context has ended meanwhile or not.
		place := Fixed(c.Res)
		if err := to.Post(func() { f(place, nil) }); err != nil {
			f(0, err)
			return
		}
		l.CloseFD(file.FD(), nil)
	})
}
