package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// receiver is a registered receive queue.
type receiver struct {
	id     uint32
	area   []byte // where data lands
	refill *refill
}

// newReceiver registers the queue that s names with memory to receive into. The
// error says what is missing for that.
func newReceiver(loop *liburing.Loop, s settings) (r *receiver, err error) {
	if err := checkKernel(loop); err != nil {
		return nil, err
	}
	fmt.Println("the kernel knows zero-copy receive")
	ifIndex, err := findQueue(s.ifName, s.queue)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%s has the receive queue %d\n", s.ifName, s.queue)
	reg := &liburing.ZCRXIFQReg{IfIdx: uint32(ifIndex), IfRxq: uint32(s.queue), RqEntries: uint32(s.rqEntries)}
	r, err = register(loop, reg, s.areaSize)
	if err != nil {
		return nil, explain(err, s)
	}
	return r, nil
}

// checkKernel checks that the kernel knows the request and the registration.
func checkKernel(loop *liburing.Loop) error {
	const needs = "the kernel does not know zero-copy receive (%s): it takes Linux 6.15 built with CONFIG_IO_URING_ZCRX"
	var probe *liburing.Probe
	err := loop.Control(func(ring *liburing.Ring) (err error) {
		probe, err = ring.GetProbe()
		return err
	})
	if err != nil {
		return err
	}
	if !probe.OpcodeSupported(liburing.OpRecvZC) {
		return fmt.Errorf(needs, "the request")
	}
	// An interface that does not exist: a kernel that knows the call says so.
	_, err = register(loop, &liburing.ZCRXIFQReg{IfIdx: math.MaxInt32, RqEntries: 1}, os.Getpagesize())
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf(needs+": %w", "the registration", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("to register a receive queue takes CAP_NET_ADMIN: run as root: %w", err)
	}
	return err
}

// findQueue returns the index of an interface that has the receive queue.
func findQueue(name string, queue int) (index int, err error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("there is no interface %s (ip link lists them): %w", name, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/sys/class/net/%s/queues/rx-%d", name, queue)); err != nil {
		return 0, fmt.Errorf("%s has no receive queue %d: %w", name, queue, err)
	}
	return i.Index, nil
}

// explain says what a refused registration lacks.
func explain(err error, s settings) error {
	why := "the kernel does not register it"
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		why = "its driver cannot have the card put data into a program's memory; few drivers can, such as mlx5_core and bnxt_en"
	case errors.Is(err, unix.EINVAL):
		why = fmt.Sprintf("headers and data are not split, or a setting does not suit: ethtool -G %s tcp-data-split on", s.ifName)
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.EBUSY):
		why = "another program has the queue, or an XDP program is attached to the interface"
	case errors.Is(err, unix.ERANGE):
		why = "the queue is switched off: ethtool -L tells how many are on"
	case errors.Is(err, unix.ENOMEM):
		why = "there is not enough memory, or RLIMIT_MEMLOCK is too low for -area"
	}
	return fmt.Errorf("queue %d of %s: %s: %w", s.queue, s.ifName, why, err)
}

// register maps memory and registers the queue with it.
func register(loop *liburing.Loop, reg *liburing.ZCRXIFQReg, areaSize int) (*receiver, error) {
	area, err := mapPages(areaSize)
	if err != nil {
		return nil, err
	}
	// The queue's head has a page of its own, which is more than it needs.
	shared, err := mapPages(os.Getpagesize() + int(reg.RqEntries)*int(unsafe.Sizeof(refillEntry{})))
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(area))
	}
	zc := &liburing.ZCRXArea{Mem: area}
	if err := loop.Control(func(ring *liburing.Ring) error { return ring.RegisterIFQ(reg, zc, shared) }); err != nil {
		return nil, errors.Join(err, unix.Munmap(area), unix.Munmap(shared))
	}
	return &receiver{id: reg.ZCRXID, area: area, refill: newRefill(shared, reg, zc.RqAreaToken)}, nil
}

// mapPages maps whole pages. They stay mapped: the card may write to them as
// long as the ring lives, which is as long as the program does.
func mapPages(size int) ([]byte, error) {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return mem, nil
}
