// Ublk serves a file as a block device: what programs and file systems read and write
// there goes to the file, without a copy.
//
// It teaches a driver's commands that wait: each completes when the driver asks for
// something, and the next one brings it the answer. The memory of such a request has no
// address in this process: the driver puts it among the registered buffers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: ublk FILE\n\nServes a file as a block device until it is interrupted. Needs root, Linux 6.16 and its module ublk_drv.\n")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "ublk: name the file")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "ublk:", err)
		os.Exit(1)
	}
}

// depth is how many requests the device has under way.
const depth = 64

// server answers what the driver asks of one device.
type server struct {
	loop                  *liburing.Loop
	file, control, device *os.File
	id                    uint32
	asked                 []request // by their tags; the driver writes them
}

func serve(ctx context.Context, name string) (err error) {
	s := &server{}
	if s.file, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	defer s.file.Close()
	if s.control, err = os.OpenFile("/dev/ublk-control", os.O_RDWR, 0); err != nil {
		return err
	}
	defer s.control.Close()
	// Commands to the control device have 32 bytes.
	if s.loop, err = liburing.NewLoop(depth, liburing.WithFlags(liburing.SetupSQE128)); err != nil {
		return err
	}
	defer s.loop.Close(context.Background())
	if err := s.loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffersSparse(depth) }); err != nil {
		return err
	}
	if err := s.needs(autoBuffers); err != nil {
		return err
	}
	info := deviceInfo{queues: 1, depth: depth, maxBytes: 512 << 10, id: anyID, flags: zeroCopy | autoBuffers}
	if err := s.do(addDevice, anyID, bytesOf(&info), 0); err != nil {
		return err
	}
	s.id = info.id
	defer func() { err = errors.Join(err, s.do(deleteDevice, s.id, nil, 0)) }()
	return s.serve(ctx)
}

// needs returns an error if the driver lacks a feature: it takes a device that asks for
// one, and leaves it out.
func (s *server) needs(feature uint64) error {
	var features uint64
	err := s.do(getFeatures, anyID, bytesOf(&features), 0)
	if errors.Is(err, unix.EOPNOTSUPP) || err == nil && features&feature == 0 {
		return errors.New("this kernel's ublk_drv does not register the memory of requests: Linux 6.16 and newer do")
	}
	return err
}

// serve has the device live until ctx ends.
func (s *server) serve(ctx context.Context) error {
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < sector {
		return fmt.Errorf("%s has no sector of %d bytes", s.file.Name(), sector)
	}
	if err := s.do(setParameters, s.id, bytesOf(newParameters(size)), 0); err != nil {
		return err
	}
	if s.device, err = os.OpenFile(fmt.Sprintf("/dev/ublkc%d", s.id), os.O_RDWR, 0); err != nil {
		return err
	}
	defer s.device.Close()
	page := os.Getpagesize()
	asked, err := unix.Mmap(liburing.FD(s.device), 0, (depth*int(unsafe.Sizeof(request{}))+page-1)/page*page, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(asked)
	s.asked = unsafe.Slice((*request)(unsafe.Pointer(&asked[0])), depth)

	for tag := range uint16(depth) {
		s.command(fetch, tag, 0)
	}
	// It reads the device in search of partitions, which the loop answers meanwhile.
	if err := s.do(startDevice, s.id, nil, uint64(os.Getpid())); err != nil {
		return err
	}
	fmt.Printf("serving on /dev/ublkb%d\n", s.id)
	if err := s.loop.Run(ctx); ctx.Err() == nil {
		return err
	}
	err = s.do(stopDevice, s.id, nil, 0) // which ends the commands that wait
	return errors.Join(err, s.loop.RunUntilIdle(context.Background()))
}

// do has the driver carry out a command to the control device, and answers meanwhile.
func (s *server) do(op, id uint32, data []byte, value uint64) error {
	c := controlCommand{
		id: id, queue: noQueue, value: value,
		addr: liburing.Pointer(unsafe.SliceData(data)), len: uint16(len(data)),
	}
	var failed error
	s.loop.URingCmd(op, liburing.FD(s.control), func(done liburing.Completion) {
		failed = done.Err()
		s.loop.Stop()
	}).CmdBytes(bytesOf(&c)).Keep(data)
	return errors.Join(s.loop.Run(context.Background()), failed)
}

// command tells the driver what has become of a request, and waits for the next one with
// the same tag, whose memory is to be the registered buffer of that number.
func (s *server) command(op uint32, tag uint16, result int32) {
	c := ioCommand{tag: tag, result: result}
	s.loop.URingCmd(op, liburing.FD(s.device), func(done liburing.Completion) {
		if done.Err() == nil { // ENODEV: the device has been stopped
			s.answer(tag)
		}
	}).CmdBytes(bytesOf(&c)).SQE().Addr = uint64(tag)
}

// answer carries out what the driver asks.
func (s *server) answer(tag uint16) {
	r, fd := s.asked[tag], liburing.FD(s.file)
	n, at := int(r.sectors)*sector, r.first*sector
	reply := func(done liburing.Completion) {
		result := done.Res
		if result >= 0 && int(result) != n {
			result = -int32(unix.EIO) // the file has become shorter
		}
		s.command(commitAndFetch, tag, result)
	}
	switch r.op & 0xff {
	case readOp:
		s.loop.ReadFixedRange(fd, 0, n, at, int(tag), reply)
	case writeOp:
		s.loop.WriteFixedRange(fd, 0, n, at, int(tag), reply)
	case flushOp:
		n = 0
		s.loop.Fsync(fd, liburing.FsyncDatasync, reply)
	default:
		s.command(commitAndFetch, tag, -int32(unix.EOPNOTSUPP))
	}
}
