// Nvme asks an NVMe drive to identify itself and reads its first blocks, with commands
// that go to the drive directly, past the block layer.
//
// It teaches the commands of drivers: entries and completions of twice the size, a
// command with an address among its bytes, a status above zero that is a failure,
// registered buffers, and with -poll a ring that polls the drive for completions.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/go-liburing/liburing"
)

func main() {
	poll := flag.Bool("poll", false, "poll the drive, which must have queues for it (nvme.poll_queues=1)")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: nvme [-poll] /dev/ng0n1\n\nIdentifies an NVMe drive and reads its first blocks. It writes nothing.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "nvme: name the character device of one namespace")
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *poll); err != nil {
		fmt.Fprintln(os.Stderr, "nvme:", err)
		os.Exit(1)
	}
}

func run(name string, poll bool) (err error) {
	namespace, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer namespace.Close()
	id, err := unix.IoctlRetInt(liburing.FD(namespace), ioctlID)
	if err != nil {
		return fmt.Errorf("%s is no namespace of an NVMe drive: %w", name, err)
	}
	pool, err := liburing.NewBufferPool(2, dataLen)
	if err != nil {
		return err
	}
	defer pool.Close()

	blockSize, err := identify(controllerOf(name), uint32(id), pool.Buffers()[0])
	if err != nil {
		return err
	}
	return readTwice(namespace, uint32(id), blockSize, poll, pool.Buffers())
}

// controllerOf returns the device of the drive that a namespace is of: /dev/nvme0 of
// /dev/ng0n1.
func controllerOf(namespace string) string {
	dir, file, _ := strings.Cut(namespace, "/ng")
	number, _, _ := strings.Cut(file, "n")
	return dir + "/nvme" + number
}

// identify prints what the drive says of itself, and returns the size of its blocks.
func identify(controller string, id uint32, data []byte) (blockSize int, err error) {
	file, err := os.OpenFile(controller, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	d, err := newDrive(file, 0)
	if err != nil {
		return 0, err
	}
	defer d.loop.Close(context.Background())

	const ofController, ofNamespace = 1, 0
	if err := d.do(commandAdmin, &command{opcode: identifyOp, cdw10: ofController}, data, noBuffer); err != nil {
		return 0, err
	}
	fmt.Printf("%s, serial number %s\n", bytes.TrimSpace(data[24:64]), bytes.TrimSpace(data[4:24]))
	if err := d.do(commandAdmin, &command{opcode: identifyOp, nsid: id, cdw10: ofNamespace}, data, noBuffer); err != nil {
		return 0, err
	}
	format := data[26] & 0xf
	blockSize = 1 << data[128+4*int(format)+2]
	fmt.Printf("namespace %d: %d blocks of %d bytes\n", id, binary.LittleEndian.Uint64(data), blockSize)
	return blockSize, nil
}

// readTwice reads the first blocks into plain memory and into a registered buffer.
func readTwice(namespace *os.File, id uint32, blockSize int, poll bool, bufs [][]byte) error {
	var flags liburing.SetupFlags
	if poll {
		flags = liburing.SetupIOPoll
	}
	d, err := newDrive(namespace, flags)
	if err != nil {
		return err
	}
	defer d.loop.Close(context.Background())
	if err := d.loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(bufs) }); err != nil {
		return err
	}
	read := command{opcode: readOp, nsid: id, cdw12: uint32(dataLen/blockSize - 1)}
	for i, buffer := range []int{noBuffer, 1} {
		if err := d.do(commandIO, &read, bufs[i], buffer); err != nil {
			return err
		}
	}
	if !bytes.Equal(bufs[0], bufs[1]) {
		return errors.New("the two reads differ: does something write to the drive?")
	}
	fmt.Printf("the first %d bytes begin with % x\n", dataLen, bufs[0][:16])
	return nil
}

// command is struct nvme_uring_cmd of linux/nvme_ioctl.h.
type command struct {
	opcode, flags                            uint8
	_                                        uint16
	nsid, cdw2, cdw3                         uint32
	metadata, addr                           uint64
	metadataLen, dataLen                     uint32
	cdw10, cdw11, cdw12, cdw13, cdw14, cdw15 uint32
	timeout, _                               uint32
}

// Of the same header, and of the NVMe specification.
const (
	ioctlID      = 'N'<<8 | 0x40
	commandIO    = 3<<30 | uint32(unsafe.Sizeof(command{}))<<16 | 'N'<<8 | 0x80
	commandAdmin = commandIO + 2

	readOp     = 2
	identifyOp = 6

	dataLen  = 4096
	noBuffer = -1
)

// drive makes commands of a file, one at a time.
type drive struct {
	loop *liburing.Loop
	file *os.File
}

func newDrive(file *os.File, flags liburing.SetupFlags) (*drive, error) {
	// The driver's commands have 72 bytes, and its completions a result of their own.
	loop, err := liburing.NewLoop(4, liburing.WithFlags(flags|liburing.SetupSQE128|liburing.SetupCQE32))
	return &drive{loop, file}, err
}

// do has the drive carry out a command on data, which lies in a registered buffer if
// one is given.
func (d *drive) do(op uint32, c *command, data []byte, buffer int) error {
	c.addr, c.dataLen = liburing.Pointer(unsafe.SliceData(data)), uint32(len(data))
	var failed error
	request := d.loop.URingCmd(op, liburing.FD(d.file), func(done liburing.Completion) {
		if failed = done.Err(); failed == nil && done.Res != 0 {
			failed = fmt.Errorf("the drive refuses the command %#x: status %#x", c.opcode, done.Res)
		}
	}).CmdBytes(unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))).Keep(data).Keep(d.file)
	if buffer != noBuffer {
		request.FixedBuffer(buffer)
	}
	if err := d.loop.RunUntilIdle(context.Background()); err != nil {
		return err
	}
	return failed
}
