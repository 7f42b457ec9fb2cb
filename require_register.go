package liburing

import (
	"errors"
	"os"
	"slices"
	"syscall"
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
var registerTries = map[RegisterOp]registerTry{
	UnregisterBuffers:      {noMemory: true},
	UnregisterFiles:        {noMemory: true},
	UnregisterEventfd:      {noMemory: true},
	RegisterPersonality:    {noMemory: true},
	RegisterEnableRings:    {noMemory: true},
	RegisterFiles2:         {nr: rsrcRegisterSize},
	RegisterFilesUpdate2:   {nr: rsrcUpdateSize},
	RegisterBuffers2:       {nr: rsrcRegisterSize},
	RegisterBuffersUpdate:  {nr: rsrcUpdateSize},
	UnregisterIOWQAff:      {noMemory: true},
	RegisterIOWQMaxWorkers: {nr: 2},
	RegisterFileAllocRange: {nr: 0},
	RegisterClock:          {nr: 0},
	RegisterQuery:          {noMemory: true},
	RegisterZCRXCtrl:       {nr: 0},
}

func (v RegisterOp) lackedBy(k *kernel) error {
	if k.blind != nil && !errors.Is(k.blind, syscall.EINVAL) {
		return k.blind // the system call does not get through
	}
	if v >= RegisterLast {
		return lacking(v.String(), "")
	}
	known, err := k.knowsCall(v)
	if err != nil || known {
		return err
	}
	return lacking(v.String(), registerCame[v])
}

// knowsCall tries a register call.
func (k *kernel) knowsCall(op RegisterOp) (bool, error) {
	if op == UnregisterPersonality {
		id, err := k.ring.RegisterPersonality()
		if err != nil {
			return unlessUnknown(err)
		}
		return true, k.ring.UnregisterPersonality(id)
	}
	// The workers that some calls are about exist from the first request on.
	if _, err := k.try((*SQE).PrepNop); err != nil {
		return false, err
	}
	unreadable, err := mapUnreadable(os.Getpagesize())
	if err != nil {
		return false, err
	}
	defer unmapMemory(unreadable)
	try, special := registerTries[op]
	if !special {
		try.nr = 1
	}
	fd, arg := k.ring.FD(), unreadable
	if op == RegisterSendMsgRing {
		fd = -1 // it is for programs without a ring
	}
	if try.noMemory {
		arg = nil
	}
	result, err := Register(fd, op, arg, try.nr)
	if op == RegisterPersonality && err == nil {
		return true, k.ring.UnregisterPersonality(uint16(result))
	}
	return !slices.ContainsFunc(unknownCall, func(u error) bool { return errors.Is(err, u) }), nil
}

// unknownCall are the errors of a call that the kernel does not know, was built
// without, or that is for a ring only where it is now for none too.
var unknownCall = []error{syscall.EINVAL, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EBADF}
