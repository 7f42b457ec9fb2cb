//go:build linux

package opcodes_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A drive's own commands, through its character devices: what a program does that
// passes them through. They write to the disk.

// nvmeEnv names the namespace of an NVMe drive whose content may go, /dev/ng0n1;
// scripts/kernels.sh has one.
const nvmeEnv = "LIBURING_TEST_NVME"

// nvmeCommand is struct nvme_uring_cmd of linux/nvme_ioctl.h.
type nvmeCommand struct {
	opcode, flags          uint8
	_                      uint16
	nsid                   uint32
	cdw2, cdw3             uint32
	metadata, addr         uint64
	metadataLen, dataLen   uint32
	cdw10, cdw11           uint32
	cdw12, cdw13           uint32
	cdw14, cdw15           uint32
	timeoutMilliseconds, _ uint32
}

// bytes returns the command as the entry has it.
func (c *nvmeCommand) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))
}

// _IOWR('N', …, struct nvme_uring_cmd)
const (
	nvmeIO    = 3<<30 | uint32(unsafe.Sizeof(nvmeCommand{}))<<16 | 'N'<<8 | 0x80
	nvmeAdmin = nvmeIO + 2
)

const (
	nvmeWrite    = 1
	nvmeRead     = 2
	nvmeIdentify = 6
	blockSize    = 512
)

// transfer returns the command that reads or writes whole blocks of the first namespace.
func transfer(opcode uint8, block uint64, data []byte) *nvmeCommand {
	return &nvmeCommand{
		opcode: opcode, nsid: 1,
		addr: liburing.Pointer(unsafe.SliceData(data)), dataLen: uint32(len(data)),
		cdw10: uint32(block), cdw11: uint32(block >> 32), cdw12: uint32(len(data)/blockSize - 1),
	}
}

// drive is an NVMe drive and the loop that its commands go through.
type drive struct {
	*liburing.Loop
	namespace int
	command   func(op uint32, fd int, cb liburing.Callback) liburing.Request
}

// do makes one request, and returns its last completion and the drive's result.
func (d *drive) do(t *testing.T, request func(liburing.Callback) liburing.Request) (res int32, result uint64) {
	t.Helper()
	called := 0
	request(func(c liburing.Completion) {
		require.NoError(t, c.Err())
		called, res, result = called+1, c.Res, c.BigCQE()[0]
	})
	d.run(t)
	require.Equal(t, 1, called)
	return res, result
}

func (d *drive) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, d.RunUntilIdle(ctx))
}

// page returns memory that begins at a page's border.
func page(t *testing.T) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

func openDevice(t *testing.T, name string) int {
	t.Helper()
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		t.Skip("this kernel passes no commands through:", name, err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// overDrives runs a test on the drive with each kind of ring that takes its commands.
func overDrives(t *testing.T, test func(t *testing.T, d *drive)) {
	name := os.Getenv(nvmeEnv)
	if name == "" {
		t.Skipf("%s names no NVMe namespace whose content may go", nvmeEnv)
	}
	for what, flags := range map[string]liburing.SetupFlags{
		"sqe128":    liburing.SetupSQE128 | liburing.SetupCQE32,
		"sqe_mixed": liburing.SetupSQEMixed | liburing.SetupCQE32,
		"mixed":     liburing.SetupSQEMixed | liburing.SetupCQEMixed,
		"iopoll":    liburing.SetupSQE128 | liburing.SetupCQE32 | liburing.SetupIOPoll,
	} {
		t.Run(what, func(t *testing.T) {
			fd := openDevice(t, name)
			l, err := liburing.NewLoop(8, liburing.WithFlags(flags))
			if errors.Is(err, liburing.ErrNotSupported) {
				t.Skip(err)
			}
			require.NoError(t, err)
			d := &drive{l, fd, l.URingCmd}
			if flags&liburing.SetupSQEMixed != 0 {
				d.command = l.URingCmd128
			}
			t.Cleanup(func() { require.NoError(t, l.Close(context.Background())) })
			test(t, d)
		})
	}
}

// What is written by one command another reads, into plain memory and a registered
// buffer.
func TestNVMeReadAndWrite(t *testing.T) {
	overDrives(t, func(t *testing.T, d *drive) {
		from, to, fixed := page(t), page(t), page(t)
		for i := range from {
			from[i] = byte(rand.Uint32())
		}
		require.NoError(t, d.Control(func(r *liburing.Ring) error { return r.RegisterBuffers([][]byte{fixed}) }))
		send := func(c *nvmeCommand) func(liburing.Callback) liburing.Request {
			return func(cb liburing.Callback) liburing.Request {
				return d.command(nvmeIO, d.namespace, cb).CmdBytes(c.bytes())
			}
		}
		for round := range 5 {
			block := uint64(16 * round)
			status, _ := d.do(t, send(transfer(nvmeWrite, block, from)))
			require.Zero(t, status)
			status, _ = d.do(t, send(transfer(nvmeRead, block, to)))
			require.Zero(t, status)
			require.Equal(t, from, to)
			status, _ = d.do(t, func(cb liburing.Callback) liburing.Request {
				return send(transfer(nvmeRead, block, fixed))(cb).FixedBuffer(0)
			})
			require.Zero(t, status)
			require.Equal(t, from, fixed)
			clear(to)
			clear(fixed)
		}
		called := 0
		send(transfer(nvmeRead, 0, to))(func(c liburing.Completion) {
			called++
			require.ErrorIs(t, c.Err(), unix.EFAULT, "it does not lie in the registered buffer")
		}).FixedBuffer(0)
		d.run(t)
		require.Equal(t, 1, called)
	})
}

// The drive tells of itself; its commands need a ring that does not poll.
func TestNVMeIdentify(t *testing.T) {
	overDrives(t, func(t *testing.T, d *drive) {
		if strings.HasSuffix(t.Name(), "iopoll") {
			t.Skip("commands to the controller are not polled")
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(os.Getenv(nvmeEnv), "/dev/ng"), "n")
		controller := openDevice(t, "/dev/nvme"+name)
		const ofController, ofNamespace = 1, 0
		data := page(t)
		identify := func(what uint32) {
			c := &nvmeCommand{opcode: nvmeIdentify, addr: liburing.Pointer(&data[0]), dataLen: 4096, cdw10: what}
			if what == ofNamespace {
				c.nsid = 1
			}
			status, _ := d.do(t, func(cb liburing.Callback) liburing.Request {
				return d.command(nvmeAdmin, controller, cb).CmdBytes(c.bytes())
			})
			require.Zero(t, status)
		}
		identify(ofController)
		serial, err := os.ReadFile("/sys/class/nvme/nvme" + name + "/serial")
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(serial)), strings.TrimSpace(string(data[4:24])))
		identify(ofNamespace)
		require.Positive(t, binary.LittleEndian.Uint64(data), "blocks")
	})
}

// What the drive refuses is a success to the ring, with a status above zero: what is
// linked behind it runs, and all of a chain is told.
func TestNVMeRefuses(t *testing.T) {
	overDrives(t, func(t *testing.T, d *drive) {
		if strings.HasSuffix(t.Name(), "iopoll") {
			t.Skip("a no-op is not polled")
		}
		beyond := transfer(nvmeRead, 1<<40, page(t)).bytes()
		var res []int32
		note := func(c liburing.Completion) {
			require.NoError(t, c.Err())
			res = append(res, c.Res)
		}
		d.Nop(note).LinkNext()
		d.command(nvmeIO, d.namespace, note).CmdBytes(beyond).LinkNext()
		d.Nop(note).SkipSuccess()
		d.run(t)
		require.Len(t, res, 3)
		require.Zero(t, res[0])
		require.Positive(t, res[1], "the drive's status")
		require.Zero(t, res[2])
	})
}
