package main

import (
	"errors"
	"os"
	"slices"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// There is a probe for requests, none for register calls. But a call that the
// kernel does not know is always refused as invalid, and one that it knows can
// be refused for another reason: what it asks for is not there, or its argument
// cannot be read. So each is tried in a way that changes nothing.

// registerTry is how a register call is tried.
type registerTry struct {
	noMemory bool // it takes none; the others get some that nobody can read
	nr       int
}

// Sizes of structs whose size is an argument.
const (
	rsrcRegisterSize = 32 // struct io_uring_rsrc_register
	rsrcUpdateSize   = 32 // struct io_uring_rsrc_update2
)

// registerTries are the calls that refuse, before they look at their memory, to
// be tried as the others are: with one unreadable thing.
var registerTries = map[liburing.RegisterOp]registerTry{
	liburing.UnregisterBuffers:      {noMemory: true},
	liburing.UnregisterFiles:        {noMemory: true},
	liburing.UnregisterEventfd:      {noMemory: true},
	liburing.RegisterPersonality:    {noMemory: true},
	liburing.RegisterEnableRings:    {noMemory: true},
	liburing.RegisterFiles2:         {nr: rsrcRegisterSize},
	liburing.RegisterFilesUpdate2:   {nr: rsrcUpdateSize},
	liburing.RegisterBuffers2:       {nr: rsrcRegisterSize},
	liburing.RegisterBuffersUpdate:  {nr: rsrcUpdateSize},
	liburing.UnregisterIOWQAff:      {noMemory: true},
	liburing.RegisterIOWQMaxWorkers: {nr: 2},
	liburing.RegisterFileAllocRange: {nr: 0},
	liburing.RegisterClock:          {nr: 0},
	liburing.RegisterQuery:          {noMemory: true},
	liburing.RegisterZCRXCtrl:       {nr: 0},
}

// registerAbilities tries all register calls on a ring.
func registerAbilities(ring *liburing.Ring) (all []ability, err error) {
	// The workers that some calls are about exist from the first request on.
	if _, err := complete(ring, (*liburing.SQE).PrepNop); err != nil {
		return nil, err
	}
	unreadable, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	defer unix.Munmap(unreadable)
	var personality int
	for op := range liburing.RegisterLast {
		try, special := registerTries[op]
		if !special {
			try.nr = 1
		}
		fd, arg := ring.FD(), unreadable
		switch op {
		case liburing.UnregisterPersonality:
			try = registerTry{noMemory: true, nr: personality}
		case liburing.RegisterSendMsgRing:
			fd = -1 // it is for programs without a ring
		}
		if try.noMemory {
			arg = nil
		}
		result, err := liburing.Register(fd, op, arg, try.nr)
		if op == liburing.RegisterPersonality {
			personality = result
		}
		all = append(all, ability{op.String(), uint32(op), known(err)})
	}
	return all, nil
}

// unknown are the errors of a call that the kernel does not know, was built
// without, or that is for a ring only where it is now for none too.
var unknown = []error{unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS, unix.EBADF}

func known(err error) bool {
	return !slices.ContainsFunc(unknown, func(u error) bool { return errors.Is(err, u) })
}
