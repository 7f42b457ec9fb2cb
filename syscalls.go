package liburing

import "cmp"

// The three system calls themselves, for programs that do without a Ring.

// Setup makes a ring and returns its descriptor; mapping its queues, by the
// offsets that it stores in p, is up to the caller (io_uring_setup). Needs
// Linux 5.1.
func Setup(entries int, p *Params) (fd int, err error) {
	if err := checkEntries("io_uring_setup", entries); err != nil {
		return -1, err
	}
	if p == nil {
		return -1, badInput("io_uring_setup", "there are no Params to store the offsets in")
	}
	asked := *p
	ret := cSetup(uint32(entries), p)
	if ret < 0 {
		return -1, explainSetup(entries, &asked, ret)
	}
	return int(ret), nil
}

// Enter submits requests and waits for completions; it returns how many
// requests were taken (io_uring_enter). EINTR after a signal. Needs Linux 5.1.
func Enter(fd int, toSubmit, minComplete int, flags EnterFlags) (int, error) {
	return Enter2(fd, toSubmit, minComplete, flags, nil)
}

// Enter2 is Enter with an argument, the bytes of a struct such as
// io_uring_getevents_arg, as the flags say (io_uring_enter2). What it points to
// must be on the heap, and reachable. Needs Linux 5.11.
func Enter2(fd int, toSubmit, minComplete int, flags EnterFlags, arg []byte) (int, error) {
	const op = "io_uring_enter"
	if err := cmp.Or(checkCount(op, toSubmit), checkCount(op, minComplete)); err != nil {
		return 0, err
	}
	ret := cEnter2(descriptor(fd), uint32(toSubmit), uint32(minComplete), flags, arg)
	return int(max(ret, 0)), opError(op, min(ret, 0))
}

// Register carries out a register operation whose argument is the bytes of arg;
// it returns the kernel's result (io_uring_register). What the kernel keeps of
// arg must be on the heap, and live as long as it does. Needs Linux 5.1.
func Register(fd int, op RegisterOp, arg []byte, nrArgs int) (int, error) {
	const name = "io_uring_register"
	if err := checkCount(name, nrArgs); err != nil {
		return 0, err
	}
	ret := cRegister(descriptor(fd), op, arg, uint32(nrArgs))
	return int(max(ret, 0)), opError(name, min(ret, 0))
}
