package liburing

// Fixed is a place in the ring's table of registered files: a direct descriptor.
// The kernel finds the file there without looking it up in the process's table.
// Operations such as AcceptDirect, with FileIndexAlloc, return one; those that are
// for places of the table take one.
//
//	loop.Recv(liburing.Fixed(place).FD(), buf, 0, cb)
type Fixed uint32

// FD returns what names the file to a Loop's requests, wherever they take a
// descriptor; CloseFD then empties the place. It is a number that no descriptor
// of a process has, so system calls and a Ring's requests refuse it (EBADF).
func (f Fixed) FD() int { return int(min(uint(f), fixedFD-1) | fixedFD) } // no table is as large

// fixedFD is the bit of an int that tells a registered file from a descriptor:
// Linux's descriptors are smaller.
const fixedFD = 1 << 30

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

// HandOver moves a registered file from this loop's table to another's, by a
// message between their rings: f is called on the other loop with the file's
// place there. If that fails, f is called on this loop with the error, and the
// file stays. The other loop needs a table with a free place and must not be
// closed meanwhile. Needs Linux 6.0.
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
