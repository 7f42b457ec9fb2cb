package liburing

import "fmt"

// ResizeRings gives the ring queues of other sizes; p has SQEntries, and with
// SetupCQSize CQEntries; SetupClamp is the only other flag
// (io_uring_resize_rings). What is not given stays: without SQEntries the submission
// queue, without SetupCQSize the completion queue, unless the other has to grow with
// it; a completion queue that is given must not be the smaller. Entries and
// completions that are there are kept, but in other memory: an SQE or CQE got before
// must not be used any more. EOVERFLOW if they don't fit.
//
// The ring must have been set up with SetupDeferTaskrun, still have its descriptor,
// and queues that are not the caller's memory. With SetupSQRewind the kernel does not
// know of entries that are prepared: submit them first. Should the kernel's new
// memory not get mapped (ENOMEM; whether it can be is tried first), the ring can't be
// used any more. Needs Linux 6.13.
func (r *Ring) ResizeRings(p *Params) error {
	if r.mem == nil {
		return ErrClosed
	}
	if r.loop != nil {
		return r.loop.replaceQueues(func() error { return r.resize(p) })
	}
	return r.resize(p)
}

func (r *Ring) resize(p *Params) error {
	if err := r.checkResize(p); err != nil {
		return err
	}
	if p.SQEntries == 0 {
		p.SQEntries = r.mem.sq.ringEntries
	}
	if p.Flags&SetupCQSize == 0 {
		p.Flags |= SetupCQSize
		p.CQEntries = max(r.mem.cq.ringEntries, p.SQEntries)
	}
	if nextPow2(p.CQEntries) < nextPow2(p.SQEntries) {
		return badInput(opResize, "the completion queue (%d) may not be smaller than the submission queue (%d)", p.CQEntries, p.SQEntries)
	}
	if err := canMap(p); err != nil {
		return err
	}
	return r.call(opResize, func(m *ringMem) int32 {
		// What is queued goes along into the other memory only if the kernel
		// has been handed it, which liburing does when it submits. Rings that
		// can be resized have no thread that would begin with it.
		if m.flags&SetupSQRewind == 0 {
			m.flushSQ()
		}
		return cResizeRings(m, p)
	})
}

const opResize = "io_uring_resize_rings"

// checkResize looks for what the kernel would refuse without saying why, or do and
// lose entries or the ring.
func (r *Ring) checkResize(p *Params) error {
	m := r.mem
	switch {
	case p == nil:
		return badInput(opResize, "there are no Params to say how large")
	case m.flags&SetupDeferTaskrun == 0:
		return badInput(opResize, "only a ring with SetupDeferTaskrun can be resized")
	case m.flags&SetupNoMmap != 0:
		return badInput(opResize, "the queues are in the caller's memory: make another ring")
	case m.ringFD < 0:
		return badInput(opResize, "the ring's descriptor is closed, and the new queues are mapped by it")
	case m.flags&SetupSQRewind != 0 && m.sq.sqeTail != m.sq.sqeHead:
		return badInput(opResize, "with SetupSQRewind the kernel would lose the entries that are prepared: submit them first")
	}
	return nil
}

// canMap reports whether there is room for the queues in the process: the kernel
// would change the ring, and only then liburing find that there is none.
func canMap(p *Params) error {
	sizes := *p
	size, err := MemorySizeParams(int(p.SQEntries), &sizes)
	if err != nil { // an older liburing, or sizes that the kernel is going to refuse
		return nil
	}
	mem, err := mapMemory(int(size))
	if err != nil {
		return &OpError{Op: opResize, Err: err, Hint: fmt.Sprintf("%d bytes could not be mapped; the ring is as it was", size)}
	}
	return unmapMemory(mem)
}
