package liburing

import (
	"cmp"
	"syscall"
)

// Registered buffers: memory that the kernel maps once, for the Fixed operations
// to name by its place in the ring's table.

// RegisterBuffers makes the kernel map buffers once, for PrepReadFixed and
// PrepWriteFixed to name them by their place in the list
// (io_uring_register_buffers). The ring keeps them alive until
// UnregisterBuffers or Close; memory outside the Go heap (BufferPool) must
// outlive that itself.
//
// ENOMEM means the memlock limit, EBUSY that buffers are registered already,
// EFAULT that one is not ordinary memory. At most 16384 buffers (1024 before
// Linux 5.13) of at most 1 GiB each. Needs Linux 5.1.
func (r *Ring) RegisterBuffers(buffers [][]byte) error {
	return r.registerBuffers("io_uring_register_buffers", buffers, cRegisterBuffers)
}

// RegisterBuffersTags registers like RegisterBuffers and gives each buffer a
// tag that is not 0: a completion with the tag as its user data comes when the
// kernel has let go of the buffer (io_uring_register_buffers_tags). Kernels
// before 6.13 tell of buffers that an update replaces, not of those that
// UnregisterBuffers takes. Needs Linux 5.13.
func (r *Ring) RegisterBuffersTags(buffers [][]byte, tags []uint64) error {
	const op = "io_uring_register_buffers_tags"
	if err := r.checkTags(op, tags, len(buffers)); err != nil {
		return err
	}
	return r.registerBuffers(op, buffers, func(m *ringMem, iov []rawIovec) int32 {
		return cRegisterBuffersTags(m, iov, tags)
	})
}

func (r *Ring) registerBuffers(op string, buffers [][]byte, register func(*ringMem, []rawIovec) int32) error {
	iov, err := r.rawIovecs(op, buffers, false)
	if err != nil {
		return err
	}
	if err := r.call(op, func(m *ringMem) int32 { return register(m, iov) }); err != nil {
		return explainMemlock(err)
	}
	r.buffers = append([][]byte(nil), buffers...)
	return nil
}

// rawIovecs makes the list for the kernel; a nil buffer is an empty place.
func (r *Ring) rawIovecs(op string, buffers [][]byte, sparse bool) ([]rawIovec, error) {
	iov := make([]rawIovec, len(buffers))
	for i, b := range buffers {
		if len(b) == 0 && !(sparse && b == nil) {
			return nil, r.badInput(op, "buffer %d is empty", i)
		}
		iov[i] = rawIovec{base: data(b), len: uint64(len(b))}
	}
	return iov, nil
}

// RegisterBuffersSparse makes a table of n empty places, to be filled with
// RegisterBuffersUpdateTag or CloneBuffers (io_uring_register_buffers_sparse).
// Needs Linux 5.19.
func (r *Ring) RegisterBuffersSparse(n int) error {
	const op = "io_uring_register_buffers_sparse"
	if err := checkCount(op, n); err != nil {
		return err
	}
	if err := r.call(op, func(m *ringMem) int32 { return cRegisterBuffersSparse(m, uint32(n)) }); err != nil {
		return err
	}
	r.buffers = make([][]byte, n)
	return nil
}

// RegisterBuffersUpdateTag replaces registered buffers from the place off on; a
// nil buffer empties one. tags may be nil, or have one for each buffer, see
// RegisterBuffersTags (io_uring_register_buffers_update_tag). It returns how
// many were replaced. Requests in flight keep the old ones in the kernel: keep
// their memory alive until those have completed. Needs Linux 5.13.
func (r *Ring) RegisterBuffersUpdateTag(off int, buffers [][]byte, tags []uint64) (int, error) {
	const op = "io_uring_register_buffers_update_tag"
	if tags == nil {
		tags = make([]uint64, len(buffers))
	}
	if err := r.checkTags(op, tags, len(buffers)); err != nil {
		return 0, err
	}
	if off < 0 || off > len(r.buffers)-len(buffers) {
		return 0, r.badInput(op, "%d buffers at %d of a table of %d", len(buffers), off, len(r.buffers))
	}
	iov, err := r.rawIovecs(op, buffers, true)
	if err != nil {
		return 0, err
	}
	n, err := r.callCount(op, func(m *ringMem) int32 { return cRegisterBuffersUpdateTag(m, uint32(off), iov, tags) })
	copy(r.buffers[off:], buffers[:n])
	return n, explainMemlock(err)
}

// UnregisterBuffers releases the registered buffers
// (io_uring_unregister_buffers). Requests in flight that use them keep them in
// the kernel until they complete. ENXIO if none are registered. Needs Linux
// 5.1.
func (r *Ring) UnregisterBuffers() error {
	if err := r.call("io_uring_unregister_buffers", cUnregisterBuffers); err != nil {
		return err
	}
	r.buffers = nil
	return nil
}

// CloneBuffers gives this ring the registered buffers of another
// (io_uring_clone_buffers). EBUSY if it has some already, EEXIST if the other has
// SetupSingleIssuer, as a loop's does, and the calling thread is not its own: clone
// there, for a loop in Control. Needs Linux 6.12.
func (r *Ring) CloneBuffers(src *Ring) error {
	return r.clone("io_uring_clone_buffers", src, 0, 0, 0, cCloneBuffers)
}

// CloneBuffersRaw is CloneBuffers with flags, such as RegisterDstReplace
// (__io_uring_clone_buffers). Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersRaw(src *Ring, flags CloneBuffersFlags) error {
	return r.CloneBuffersOffsetRaw(src, 0, 0, 0, flags)
}

// CloneBuffersOffset gives this ring n registered buffers of another, from the
// place srcOff there to dstOff here, all if n is 0; with RegisterDstReplace
// those that are here are replaced (io_uring_clone_buffers_offset). It names the
// other ring by its registered descriptor, which is the calling thread's, only if
// that has no other. Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersOffset(src *Ring, dstOff, srcOff, n int, flags CloneBuffersFlags) error {
	if src != nil && src.FD() < 0 {
		flags |= RegisterSrcRegistered
	}
	return r.CloneBuffersOffsetRaw(src, dstOff, srcOff, n, flags)
}

// CloneBuffersOffsetRaw is CloneBuffersOffset that uses the other ring's
// registered descriptor only if the flags have RegisterSrcRegistered
// (__io_uring_clone_buffers_offset). Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersOffsetRaw(src *Ring, dstOff, srcOff, n int, flags CloneBuffersFlags) error {
	const op = "io_uring_clone_buffers_offset"
	if err := cmp.Or(checkCount(op, dstOff), checkCount(op, srcOff), checkCount(op, n)); err != nil {
		return err
	}
	return r.clone(op, src, dstOff, srcOff, n, func(to, from *ringMem) int32 {
		return cCloneBuffersOffset(to, from, uint32(dstOff), uint32(srcOff), uint32(n), uint32(flags))
	})
}

// clone has buffers cloned and keeps alive what this ring has of them then.
func (r *Ring) clone(op string, src *Ring, dstOff, srcOff, n int, clone func(to, from *ringMem) int32) error {
	if src == nil || src.mem == nil {
		return ErrClosed
	}
	if err := r.call(op, func(m *ringMem) int32 { return clone(m, src.mem) }); err != nil {
		return explainIssuer(err)
	}
	if n == 0 {
		n = max(0, len(src.buffers)-srcOff)
	}
	for len(r.buffers) < dstOff+n {
		r.buffers = append(r.buffers, nil)
	}
	if srcOff+n <= len(src.buffers) {
		copy(r.buffers[dstOff:], src.buffers[srcOff:srcOff+n])
	}
	return nil
}

// explainIssuer says what EEXIST means when another ring's buffers are cloned.
func explainIssuer(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.EEXIST {
		e.Hint = "the ring with the buffers has SetupSingleIssuer, so only its own thread may: clone there (for a Loop in Control)"
	}
	return err
}
