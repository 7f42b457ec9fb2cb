//go:build linux

package zcrx_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A loop receives a stream that is much larger than the memory it lands in, which is
// given back, and the kernel told of that, whenever it has run out.
func TestStreamThroughFewPages(t *testing.T) {
	needsNodev(t)
	for _, big := range []liburing.SetupFlags{liburing.SetupCQE32, liburing.SetupCQEMixed} {
		t.Run(big.String(), func(t *testing.T) {
			l := ringtest.NewLoop(t, 8, liburing.WithFlags(big))
			s := &stream{t: t, loop: l}
			require.NoError(t, l.Control(func(r *liburing.Ring) (err error) {
				s.instance, err = register(t, r)
				return err
			}))
			sent := ringtest.Pattern(40*areaPages*page+123, 1)
			sender, fd := connection(t)
			s.fd = fd
			wrote := make(chan error, 1)
			go func() {
				_, err := sender.Write(sent)
				wrote <- errors.Join(err, sender.Close())
			}()
			s.receive()
			ringtest.RunIdle(t, l)
			require.NoError(t, <-wrote)
			require.True(t, bytes.Equal(sent, s.got), "%d bytes instead of %d, or others", len(s.got), len(sent))
			require.GreaterOrEqual(t, s.flushes, 30, "the memory has gone round")
		})
	}
}

// stream collects what a connection brings.
type stream struct {
	*instance
	t       *testing.T
	loop    *liburing.Loop
	fd      int
	got     []byte
	flushes int
}

func (s *stream) receive() {
	s.uses(s.loop.RecvMultishot(s.fd, nil, 0, s.received).SQE())
}

func (s *stream) received(c liburing.Completion) {
	_, err := c.Result()
	switch {
	case c.More():
		require.NoError(s.t, err)
		off := c.BigCQE()[0]
		s.got = append(s.got, s.bytes(off, c.Res)...)
		s.refill(off, c.Res)
	case errors.Is(err, unix.ENOMEM): // all of the memory is in use, as far as the kernel knows
		require.NoError(s.t, s.loop.Control(s.flush))
		s.flushes++
		s.receive()
	case errors.Is(err, unix.ENOSPC): // the completion queue was full
		s.receive()
	default:
		require.NoError(s.t, err)
		require.Zero(s.t, c.Res, "the end of the stream")
	}
}

// receiveAll receives until the kernel ends the request and returns the bytes, in
// one piece, with each completion's part of them.
func receiveAll(t *testing.T, r *liburing.Ring, i *instance, fd int) (got []byte, landed []refillEntry, end error) {
	t.Helper()
	sqe := ringtest.NextSQE(t, r)
	sqe.PrepRecvMultishot(fd, nil, 0)
	i.uses(sqe)
	for {
		_, err := r.SubmitAndWait(1)
		require.NoError(t, err)
		cqe, err := r.PeekCQE()
		require.NoError(t, err)
		more, end := cqe.Flags&liburing.CQEFMore != 0, cqe.Err()
		if more {
			off := cqe.BigCQE()[0]
			got = append(got, i.bytes(off, cqe.Res)...)
			landed = append(landed, refillEntry{off: off, len: uint32(cqe.Res)})
		}
		r.CQESeen(cqe)
		if !more {
			return got, landed, end
		}
	}
}

// Without a device the kernel reads the refill queue only when it is told to.
func TestRefillWaitsForTheFlush(t *testing.T) {
	needsNodev(t)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(deferring|liburing.SetupCQE32))
	i, err := register(t, r)
	require.NoError(t, err)
	sender, fd := connection(t)
	sent := ringtest.Pattern(2*areaPages*page, 2)
	_, err = sender.Write(sent)
	require.NoError(t, err)

	got, landed, err := receiveAll(t, r, i, fd)
	require.ErrorIs(t, err, unix.ENOMEM, "there is no memory left")
	require.True(t, bytes.Equal(sent[:len(got)], got))
	require.Len(t, landed, areaPages)
	for _, at := range landed {
		i.refill(at.off, int32(at.len))
	}
	_, landed, err = receiveAll(t, r, i, fd)
	require.ErrorIs(t, err, unix.ENOMEM)
	require.Empty(t, landed, "it was not told")
	require.EqualValues(t, areaPages, i.waiting())

	require.NoError(t, i.flush(r))
	require.Zero(t, i.waiting())
	more, landed, err := receiveAll(t, r, i, fd)
	require.True(t, err == nil || errors.Is(err, unix.ENOMEM), "%v", err)
	require.NotEmpty(t, landed)
	require.True(t, bytes.Equal(sent[len(got):][:len(more)], more))
	require.ErrorIs(t, r.RegisterZCRXCtrl(&liburing.ZCRXCtrl{ZCRXID: i.id + 1, Op: liburing.ZCRXCtrlFlushRQ}), unix.ENXIO)
}

// A second ring imports what the first has exported, and receives into its memory,
// also when the first is gone.
func TestExportAndImport(t *testing.T) {
	needsNodev(t)
	ringtest.LockThread(t)
	first := ringtest.NewRing(t, 8, liburing.WithFlags(deferring|liburing.SetupCQE32))
	i, err := register(t, first)
	require.NoError(t, err)
	export := &liburing.ZCRXCtrl{ZCRXID: i.id, Op: liburing.ZCRXCtrlExport}
	require.NoError(t, first.RegisterZCRXCtrl(export))

	second := ringtest.NewRing(t, 8, liburing.WithFlags(deferring|liburing.SetupCQE32))
	_, err = register(t, second) // so that the numbers differ
	require.NoError(t, err)
	imported := &liburing.ZCRXIFQReg{IfIdx: export.FD, Flags: liburing.ZCRXRegImport}
	require.NoError(t, second.RegisterIFQ(imported, nil, nil))
	require.NotEqual(t, i.id, imported.ZCRXID, "a ring has numbers of its own")
	require.NoError(t, unix.Close(int(export.FD)))
	require.ErrorIs(t, second.RegisterIFQ(&liburing.ZCRXIFQReg{IfIdx: export.FD, Flags: liburing.ZCRXRegImport}, nil, nil), unix.EBADF)
	require.NoError(t, first.Close())

	i.id = imported.ZCRXID
	sender, fd := connection(t)
	sent := ringtest.Pattern(2*areaPages*page, 3)
	_, err = sender.Write(sent)
	require.NoError(t, err)
	require.NoError(t, sender.Close())
	var all []byte
	for len(all) < len(sent) {
		got, landed, err := receiveAll(t, second, i, fd)
		require.True(t, err == nil || errors.Is(err, unix.ENOMEM), "%v", err)
		require.NotEmpty(t, landed)
		all = append(all, got...)
		for _, at := range landed {
			i.refill(at.off, int32(at.len))
		}
		require.NoError(t, i.flush(second))
	}
	require.True(t, bytes.Equal(sent, all))
}

// What the kernel says no to, and how.
func TestRefusals(t *testing.T) {
	needsNodev(t)
	ringtest.LockThread(t)
	for name, c := range map[string]struct {
		flags liburing.SetupFlags
		reg   liburing.ZCRXIFQReg
		want  error
	}{
		"no such device":       {deferring | liburing.SetupCQE32, liburing.ZCRXIFQReg{IfIdx: 1 << 20, RqEntries: 64}, unix.ENODEV},
		"loopback can't":       {deferring | liburing.SetupCQE32, liburing.ZCRXIFQReg{IfIdx: 1, RqEntries: 64}, unix.EOPNOTSUPP},
		"no device, and one":   {deferring | liburing.SetupCQE32, liburing.ZCRXIFQReg{IfIdx: 1, RqEntries: 64, Flags: liburing.ZCRXRegNodev}, unix.EINVAL},
		"large buffers":        {deferring | liburing.SetupCQE32, liburing.ZCRXIFQReg{RqEntries: 64, RxBufLen: uint32(2 * page), Flags: liburing.ZCRXRegNodev}, unix.EOPNOTSUPP},
		"a small region":       {deferring | liburing.SetupCQE32, liburing.ZCRXIFQReg{RqEntries: 4096, Flags: liburing.ZCRXRegNodev}, unix.EINVAL},
		"small completions":    {deferring, liburing.ZCRXIFQReg{RqEntries: 64, Flags: liburing.ZCRXRegNodev}, unix.EINVAL},
		"no deferred taskwork": {liburing.SetupCQE32, liburing.ZCRXIFQReg{RqEntries: 64, Flags: liburing.ZCRXRegNodev}, unix.EINVAL},
	} {
		r := ringtest.NewRing(t, 4, liburing.WithFlags(c.flags))
		area := &liburing.ZCRXArea{Mem: ringtest.Memory(t, areaPages*page)}
		require.ErrorIs(t, r.RegisterIFQ(&c.reg, area, ringtest.Memory(t, 2*page)), c.want, name)
		require.NoError(t, r.Close())
	}
}

// It takes the right to set network cards up, although there is none.
func TestTakesNetAdmin(t *testing.T) {
	needsNodev(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its rights
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&hdr, &make([]unix.CapUserData, 2)[0]); err != nil {
			done <- err
			return
		}
		r, err := liburing.New(4, liburing.WithFlags(deferring|liburing.SetupCQE32))
		if err == nil {
			_, err = register(t, r)
			r.Close()
		}
		done <- err
	}()
	require.ErrorIs(t, <-done, unix.EPERM)
}
