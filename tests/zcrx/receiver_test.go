//go:build linux

package zcrx_test

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Where data lands: few pages, so that they go round and round.
const (
	areaPages = 16
	rqEntries = 64
)

// page is the size of the buffers where nothing else is asked for.
var page = os.Getpagesize()

// deferring is what zero-copy receive asks of a ring, beside big completions.
const deferring = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun

// needsNodev skips on kernels that want a network card.
func needsNodev(t testing.TB) {
	t.Helper()
	info, err := liburing.GetQueryZCRX()
	if errors.Is(err, liburing.ErrNotSupported) || ringtest.IsAny(err, unix.EINVAL, unix.EOPNOTSUPP) {
		t.Skipf("zero-copy receive without a device is unknown: %v", err)
	}
	require.NoError(t, err)
	if flags := liburing.ZCRXRegFlags(info.RegisterFlags); flags&liburing.ZCRXRegNodev == 0 {
		t.Skipf("this kernel has no zero-copy receive without a device, only %v", flags)
	}
}

// instance is a registration: the memory that data lands in and the refill queue.
type instance struct {
	id         uint32
	area       []byte
	token      uint64
	head, tail *uint32
	entries    []refillEntry
}

// refillEntry is struct io_uring_zcrx_rqe.
type refillEntry struct {
	off uint64
	len uint32
	_   uint32
}

// register registers fresh memory without a device.
func register(t testing.TB, r *liburing.Ring) (*instance, error) {
	reg := &liburing.ZCRXIFQReg{RqEntries: rqEntries, Flags: liburing.ZCRXRegNodev}
	area := &liburing.ZCRXArea{Mem: ringtest.Memory(t, areaPages*page)}
	region := ringtest.Memory(t, 2*page) // the queue's head, and its entries
	if err := r.RegisterIFQ(reg, area, region); err != nil {
		return nil, err
	}
	require.EqualValues(t, page, reg.RxBufLen)
	return &instance{
		id:      reg.ZCRXID,
		area:    area.Mem,
		token:   area.RqAreaToken,
		head:    (*uint32)(unsafe.Pointer(&region[reg.Offsets.Head])),
		tail:    (*uint32)(unsafe.Pointer(&region[reg.Offsets.Tail])),
		entries: unsafe.Slice((*refillEntry)(unsafe.Pointer(&region[reg.Offsets.Rqes])), reg.RqEntries),
	}, nil
}

// bytes returns what a completion says has landed.
func (i *instance) bytes(off uint64, n int32) []byte {
	return i.area[off&^liburing.ZCRXAreaMask:][:n]
}

// refill gives memory back; it waits in the queue until the kernel looks there.
func (i *instance) refill(off uint64, n int32) {
	i.entries[*i.tail%rqEntries] = refillEntry{off: off&^liburing.ZCRXAreaMask | i.token, len: uint32(n)}
	atomic.AddUint32(i.tail, 1)
}

// waiting returns how many entries the kernel has not read yet.
func (i *instance) waiting() uint32 { return *i.tail - atomic.LoadUint32(i.head) }

// flush has the kernel look.
func (i *instance) flush(r *liburing.Ring) error {
	return r.RegisterZCRXCtrl(&liburing.ZCRXCtrl{ZCRXID: i.id, Op: liburing.ZCRXCtrlFlushRQ})
}

// uses has a multishot receive use the instance. liburing has no function for it: it
// is another opcode and the instance's number.
func (i *instance) uses(sqe *liburing.SQE) {
	sqe.Opcode = liburing.OpRecvZC
	sqe.FileIndex = i.id // zcrx_ifq_idx
}

// connection returns the two ends of a TCP connection, one as a descriptor.
func connection(t testing.TB) (sender net.Conn, receiver int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	sender, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { sender.Close() })
	accepted, err := ln.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	file, err := accepted.(*net.TCPConn).File()
	require.NoError(t, err)
	defer file.Close()
	receiver, err = unix.Dup(int(file.Fd()))
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(receiver) })
	return sender, receiver
}
