//go:build linux

package main

import (
	"fmt"

	"github.com/go-liburing/liburing"
)

// register makes a register call, as a rule one that the kernel may take.
func (t *twin) register() {
	calls := [][]func() string{t.tables(), t.descriptors(), t.groups(), t.workers(), t.asking(), t.changing()}
	family := one(t, calls...)
	t.printf("%s\n", one(t, family...)())
}

func said(name string, results ...any) string { return name + ": " + fmt.Sprintln(results...) }

func (t *twin) buffers() [][]byte {
	bufs := make([][]byte, 1+t.IntN(3))
	for i := range bufs {
		bufs[i] = t.mem[t.IntN(1<<15):][:1+t.IntN(1<<12)]
	}
	return bufs
}

func (t *twin) files() []int {
	fds := make([]int, 1+t.IntN(3))
	for i := range fds {
		fds[i] = one(t, t.zero, t.null, -1)
	}
	return fds
}

func tags(n int) []uint64 { return make([]uint64, n) }

// tables are those of buffers and files.
func (t *twin) tables() []func() string {
	r, bufs, fds, at := t.ring, t.buffers(), t.files(), t.IntN(4)
	return []func() string{
		func() string { return said("RegisterBuffers", r.RegisterBuffers(bufs)) },
		func() string { return said("RegisterBuffersTags", r.RegisterBuffersTags(bufs, tags(len(bufs)))) },
		func() string { return said("RegisterBuffersSparse", r.RegisterBuffersSparse(at)) },
		func() string {
			n, err := r.RegisterBuffersUpdateTag(at, bufs, tags(len(bufs)))
			return said("RegisterBuffersUpdateTag", n, err)
		},
		func() string { return said("UnregisterBuffers", r.UnregisterBuffers()) },
		func() string { return said("CloneBuffers", r.CloneBuffers(t.other)) },
		func() string { return said("CloneBuffersOffset", r.CloneBuffersOffset(t.other, at, 1, 1, 0)) },
		func() string {
			return said("CloneBuffersRaw", r.CloneBuffersRaw(t.other, liburing.RegisterSrcRegistered|liburing.RegisterDstReplace))
		},
		func() string { return said("RegisterFiles", r.RegisterFiles(fds)) },
		func() string { return said("RegisterFilesTags", r.RegisterFilesTags(fds, tags(len(fds)))) },
		func() string { return said("RegisterFilesSparse", r.RegisterFilesSparse(one(t, at, 64, 1<<22))) },
		func() string {
			n, err := r.RegisterFilesUpdate(at, fds)
			return said("RegisterFilesUpdate", n, err)
		},
		func() string {
			n, err := r.RegisterFilesUpdateTag(at, fds, tags(len(fds)))
			return said("RegisterFilesUpdateTag", n, err)
		},
		func() string { return said("RegisterFileAllocRange", r.RegisterFileAllocRange(at, 2)) },
		func() string { return said("UnregisterFiles", r.UnregisterFiles()) },
	}
}

// descriptors are the ring's own and an eventfd.
func (t *twin) descriptors() []func() string {
	r := t.ring
	return []func() string{
		func() string { return said("RegisterRingFD", r.RegisterRingFD()) },
		func() string { return said("UnregisterRingFD", r.UnregisterRingFD()) },
		func() string {
			if t.IntN(4) != 0 {
				return said("keep the descriptor")
			}
			return said("CloseRingFD", r.CloseRingFD())
		},
		func() string { return said("RegisterEventfd", r.RegisterEventfd(one(t, t.event, -1))) },
		func() string { return said("RegisterEventfdAsync", r.RegisterEventfdAsync(t.event)) },
		func() string { return said("UnregisterEventfd", r.UnregisterEventfd()) },
	}
}

// groups are of provided buffers.
func (t *twin) groups() []func() string {
	r := t.ring
	return []func() string{
		func() string {
			bufs, err := r.SetupBufRing(one(t, 1, 4, 8, 3, 0, 1<<20), uint16(t.IntN(3)), one(t, 0, liburing.PbufRingInc))
			if err == nil && t.bufs == nil {
				t.bufs = bufs
			}
			return said("SetupBufRing", err)
		},
		func() string { return said("UnregisterBufRing", r.UnregisterBufRing(uint16(t.IntN(3)))) },
		func() string {
			if t.bufs == nil {
				return said("no ring of buffers")
			}
			head, err := t.bufs.Head()
			return said("Head", head, err)
		},
		func() string {
			reg := liburing.BufReg{RingEntries: 4, Bgid: 9, Flags: liburing.PbufRingMmap}
			return said("RegisterBufRing", r.RegisterBufRing(reg, 0))
		},
	}
}

// workers are the kernel's threads, and for whom they work.
func (t *twin) workers() []func() string {
	r := t.ring
	return []func() string{
		func() string { return said("RegisterIOWQAff", r.RegisterIOWQAff([]int{0})) },
		func() string { return said("UnregisterIOWQAff", r.UnregisterIOWQAff()) },
		func() string {
			bounded, unbounded, err := r.RegisterIOWQMaxWorkers(4, 8)
			return said("RegisterIOWQMaxWorkers", bounded, unbounded, err)
		},
		func() string {
			id, err := r.RegisterPersonality()
			return said("RegisterPersonality", id, err)
		},
		func() string { return said("UnregisterPersonality", r.UnregisterPersonality(uint16(t.IntN(3)))) },
		func() string { return said("RegisterClock", r.RegisterClock(one(t, 1, 7, 99))) },
		func() string { return said("RegisterNAPI", r.RegisterNAPI(&liburing.NAPI{BusyPollTo: 9})) },
		func() string { return said("UnregisterNAPI", r.UnregisterNAPI(new(liburing.NAPI))) },
		func() string { return said("SetIowait", r.SetIowait(t.IntN(2) == 0)) },
	}
}

// asking does not change the ring.
func (t *twin) asking() []func() string {
	r := t.ring
	return []func() string{
		func() string {
			p, err := r.GetProbe()
			if err != nil {
				return said("GetProbe", err)
			}
			return said("GetProbe", *p)
		},
		func() string { return said("GetQueryOpcode", fmt.Sprint(liburing.GetQueryOpcode())) },
		func() string { return said("GetQuerySCQ", fmt.Sprint(liburing.GetQuerySCQ())) },
		func() string {
			n, err := r.RegisterSyncCancel(liburing.SyncCancelReg{Addr: t.next, FD: -1, Timeout: liburing.NoTimeout})
			return said("RegisterSyncCancel", n, err)
		},
		func() string { return said("Dontfork", r.Dontfork()) },
		func() string { return said("Features", r.Features(), r.Flags(), r.FD() < 0) },
		func() string {
			n, err := liburing.Register(r.FD(), liburing.RegisterOp(999), nil, 0)
			return said("Register", n, err)
		},
		func() string {
			n, err := liburing.Enter(r.FD(), 0, 0, liburing.EnterGetEvents)
			return said("Enter", n, err)
		},
		func() string {
			n, err := liburing.Enter2(r.FD(), 0, 0, liburing.EnterGetEvents|liburing.EnterExtArg, make([]byte, one(t, 24, 8)))
			return said("Enter2", n, err)
		},
	}
}

// changing is what becomes of the ring as a whole.
func (t *twin) changing() []func() string {
	r := t.ring
	return []func() string{
		func() string { return said("EnableRings", r.EnableRings()) },
		func() string {
			p := &liburing.Params{SQEntries: uint32(one(t, 4, 16, 64)), Flags: one(t, 0, liburing.SetupClamp)}
			err := r.ResizeRings(p)
			return said("ResizeRings", err, numbers(p), r.SQEntries(), r.CQEntries())
		},
		func() string {
			if t.IntN(4) != 0 {
				return said("no restrictions")
			}
			return said("RegisterRestrictions", r.RegisterRestrictions(
				liburing.AllowOnly([]liburing.Op{liburing.OpNop}, []liburing.RegisterOp{liburing.RegisterProbe})))
		},
		func() string {
			waits, err := r.RegisterWaitRegion(1)
			if err == nil {
				waits[1] = liburing.RegWait{Timeout: liburing.Timespec{Nsec: 1e6}, Flags: liburing.RegWaitTS}
				waits[0] = waits[1]
			}
			return said("RegisterWaitRegion", len(waits), err)
		},
	}
}
