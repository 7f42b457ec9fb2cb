package liburing

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What programs need of io_uring, found out when they start.

// Feature is something that a program may need from io_uring: an Op, a RegisterOp,
// SetupFlags, Features, or an Ability.
type Feature interface {
	fmt.Stringer

	// lackedBy returns why it can't be used, nil if it can.
	lackedBy(k *kernel) error
}

// Require returns nil if all features are there, and otherwise one error, a
// *RequireError, with the reason and the remedy for each that is missing. Call it when a
// program starts:
//
//	err := liburing.Require(liburing.MultishotRecv, liburing.BufRings, liburing.OpFutexWait)
//
// It tries what can be tried: what counts is what the kernel does, not its version. The
// meaning of its errors is fixed:
//
//   - ErrNotSupported: another kernel, liburing or build of the program is needed;
//   - os.ErrPermission: it exists, but the administrator or a sandbox forbids it;
//   - anything else: it could not be determined, or there is no memory for a ring
//     (ENOMEM).
//
// A seccomp filter that kills programs for using io_uring kills them in Require too:
// package doctor finds that out safely. Without features it requires that rings can be
// made and used.
func Require(features ...Feature) error {
	runtime.LockOSThread() // the ring takes calls from one thread only
	defer runtime.UnlockOSThread()
	k, err := newKernel()
	if err != nil {
		return &RequireError{Missing: []Missing{{features, err}}}
	}
	defer k.close()
	all := new(RequireError)
	for _, f := range features {
		if f == nil {
			continue
		}
		if err := f.lackedBy(k); err != nil {
			all.add(f, err)
		}
	}
	if len(all.Missing) == 0 {
		return nil
	}
	return all
}

// RequireError is the error of Require.
type RequireError struct {
	Missing []Missing // one for each reason
}

// Missing lists the features that are missing for one reason.
type Missing struct {
	Features []Feature // none: rings can't be used at all, and nothing was asked for
	Err      error     // as a rule an *OpError
}

// add adds a feature that is missing, to those with the same reason if there are any.
func (e *RequireError) add(f Feature, err error) {
	for i, m := range e.Missing {
		if m.Err.Error() == err.Error() {
			e.Missing[i].Features = append(m.Features, f)
			return
		}
	}
	e.Missing = append(e.Missing, Missing{[]Feature{f}, err})
}

// Error returns a line for each reason, with the features concerned.
func (e *RequireError) Error() string {
	var b strings.Builder
	b.WriteString("liburing: what is required of io_uring is not there:")
	for _, m := range e.Missing {
		b.WriteString("\n  ")
		b.WriteString(m.String())
	}
	return b.String()
}

// Unwrap returns the reasons.
func (e *RequireError) Unwrap() []error {
	errs := make([]error, len(e.Missing))
	for i, m := range e.Missing {
		errs[i] = m.Err
	}
	return errs
}

// String returns the features and the reason.
func (m Missing) String() string {
	names := make([]string, len(m.Features))
	for i, f := range m.Features {
		names[i] = f.String()
	}
	text := m.Err.Error()
	if joined := strings.Join(names, ", "); joined != "" && !strings.HasPrefix(text, joined+": ") {
		text = joined + ": " + text
	}
	return text
}

// kernel is what features are looked for in.
type kernel struct {
	ring  *Ring
	probe *Probe
	blind error // why there is no probe
}

// newKernel makes a ring to try things on, and uses the three system calls.
func newKernel() (*kernel, error) {
	r, err := ablestRing()
	if err != nil {
		return nil, err
	}
	k := &kernel{ring: r}
	if _, err := Enter(r.FD(), 0, 0, 0); err != nil {
		k.close()
		return nil, err
	}
	k.probe, k.blind = r.GetProbe()
	return k, nil
}

func (k *kernel) close() { k.ring.Close() }

// ablestRing sets a ring up with the flags that some register calls ask for, unless the
// kernel is older than these flags, and then than those calls.
func ablestRing() (*Ring, error) {
	if r, err := QueueInit(2, SetupSingleIssuer|SetupDeferTaskrun|SetupCQE32); err == nil {
		return r, nil
	}
	return New(2)
}

// try makes a request and returns its completion.
func (k *kernel) try(prep func(*SQE)) (CQE, error) {
	sqe := k.ring.GetSQE()
	if sqe == nil {
		return CQE{}, errors.New("liburing: an earlier trial has not ended")
	}
	prep(sqe)
	if _, err := k.ring.SubmitAndWaitTimeout(1, time.Second); err != nil {
		return CQE{}, err
	}
	cqe, err := k.ring.PeekCQE()
	if err != nil {
		return CQE{}, err
	}
	defer k.ring.CQESeen(cqe)
	return CQE{Res: cqe.Res, Flags: cqe.Flags}, nil
}

// lacking is the error of what this kernel has not.
func lacking(name, since string) error {
	release := kernelRelease()
	hint := fmt.Sprintf("it came with Linux %s, and this is %s: use a newer kernel", since, release)
	switch {
	case since == "":
		hint = fmt.Sprintf("this kernel (%s) does not know it: use a newer one", release)
	case !olderThan(release, since):
		hint = fmt.Sprintf("it came with Linux %s, and this kernel (%s) was built without it, or something else answers in its place",
			since, release)
	}
	return &OpError{Op: name, Err: ErrNotSupported, Hint: hint}
}

// olderThan reports whether a kernel's release comes before a version.
func olderThan(release, version string) bool {
	var a, b [2]int
	fmt.Sscanf(release, "%d.%d", &a[0], &a[1])
	fmt.Sscanf(version, "%d.%d", &b[0], &b[1])
	return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
}

func (v Op) lackedBy(k *kernel) error {
	switch {
	case k.blind != nil:
		return k.blind
	case !k.probe.OpcodeSupported(v):
		return lacking(v.String(), v.facts().kernel)
	}
	return nil
}

func (v Features) lackedBy(k *kernel) error {
	if missing := v &^ k.ring.Features(); missing != 0 {
		return lacking(missing.String(), newest(featuresCame[:], uint32(missing)))
	}
	return nil
}

func (v SetupFlags) lackedBy(k *kernel) error {
	p := Params{Flags: v, CQEntries: 8, WQFD: uint32(k.ring.FD())}
	for _, r := range flagRules {
		if p.Flags&r.flag != 0 && p.Flags&r.needs == 0 {
			p.Flags |= r.needs & -r.needs
		}
	}
	r, err := QueueInitParams(2, &p)
	if err == nil {
		return r.Close()
	}
	if errors.Is(err, ErrNotSupported) {
		if unknown := unknownFlags(v); unknown != 0 {
			return lacking(unknown.String(), newest(setupCame[:], uint32(unknown)))
		}
	}
	return err
}

// newest returns the kernel with which the newest of some flags came, "" if one of them
// is not in the list.
func newest(came []string, flags uint32) string {
	latest := "5.1"
	for ; flags != 0; flags &= flags - 1 {
		bit := bits.TrailingZeros32(flags)
		if bit >= len(came) {
			return ""
		}
		if olderThan(latest, came[bit]) {
			latest = came[bit]
		}
	}
	return latest
}

// The kernels with which flags and calls came, by bit or number.
var (
	setupCame = [...]string{"5.1", "5.1", "5.1", "5.5", "5.6", "5.6", "5.10", "5.18", "5.19", "5.19", "5.19", "5.19",
		"6.0", "6.1", "6.5", "6.5", "6.6", "6.13", "6.18", "6.19", "7.0"}
	featuresCame = [...]string{"5.4", "5.5", "5.5", "5.6", "5.6", "5.7", "5.9", "5.11", "5.11", "5.12", "5.13", "5.17",
		"5.17", "6.3", "6.10", "6.12", "6.14", "6.15"}
	registerCame = [RegisterLast]string{"5.1", "5.1", "5.1", "5.1", "5.2", "5.2", "5.5", "5.6", "5.6", "5.6", "5.6", "5.10",
		"5.10", "5.13", "5.13", "5.13", "5.13", "5.14", "5.14", "5.15", "5.18", "5.18", "5.19", "5.19", "6.0", "6.0", "6.8",
		"6.9", "6.9", "6.12", "6.12", "6.13", "6.15", "6.13", "6.13", "6.18", "6.19", "7.0"}
)

// Ability is something the kernel can do with operations that it may have had before.
type Ability uint8

const (
	MultishotPoll    Ability = iota // polls that go on (PollMultishot). Needs Linux 5.13.
	MultishotAccept                 // accepts that go on (MultishotAccept). Needs Linux 5.19.
	MultishotRecv                   // receives that go on (RecvMultishot). Needs Linux 6.0.
	MultishotTimeout                // timeouts that go on (TimeoutMultishot), which Every uses. Needs Linux 6.4.
	MultishotRead                   // reads that go on (ReadMultishot). Needs Linux 6.7.
	SendZC                          // sends without a copy (SendZC and SendmsgZC). Needs Linux 6.1.
	BufRings                        // rings of provided buffers (BufGroup, SetupBufRing). Needs Linux 5.19.
	IncrementalBufs                 // provided buffers that are used up bit by bit (PbufRingInc). Needs Linux 6.12.
	Bundles                         // several provided buffers at once (RecvSendBundle). Needs Linux 6.10.
	SparseFiles                     // tables of registered files with free places (RegisterFilesSparse). Needs Linux 5.19.
	AbilityLast                     // not one: their number
)

// abilities tells the name of each, its kernel, and how it is tried.
var abilities = [AbilityLast]struct {
	name  string
	since string
	can   func(k *kernel) (bool, error)
}{
	MultishotPoll:    {"multishot_poll", "5.13", (*kernel).canPollAgain},
	MultishotAccept:  {"multishot_accept", "5.19", (*kernel).canAcceptAgain},
	MultishotRecv:    {"multishot_recv", "6.0", (*kernel).canReceiveAgain},
	MultishotTimeout: {"multishot_timeout", "6.4", (*kernel).canTimeoutAgain},
	MultishotRead:    {"multishot_read", "6.7", func(k *kernel) (bool, error) { return k.knows(OpReadMultishot) }},
	SendZC:           {"send_zc", "6.1", func(k *kernel) (bool, error) { return k.knows(OpSendZC, OpSendmsgZC) }},
	BufRings:         {"buf_rings", "5.19", func(k *kernel) (bool, error) { return k.hasBufRings(0) }},
	IncrementalBufs:  {"incremental_bufs", "6.12", func(k *kernel) (bool, error) { return k.hasBufRings(PbufRingInc) }},
	Bundles:          {"bundles", "6.10", func(k *kernel) (bool, error) { return k.ring.Features()&FeatRecvSendBundle != 0, nil }},
	SparseFiles:      {"sparse_files", "5.19", (*kernel).hasSparseFiles},
}

// String returns the ability's name in lower case.
func (v Ability) String() string {
	if v >= AbilityLast {
		return fmt.Sprintf("Ability(%d)", uint8(v))
	}
	return abilities[v].name
}

func (v Ability) lackedBy(k *kernel) error {
	if v >= AbilityLast {
		return badInput(v.String(), "there is no such ability")
	}
	a := &abilities[v]
	can, err := a.can(k)
	if err != nil || can {
		return err
	}
	return lacking(a.name, a.since)
}

func (k *kernel) knows(ops ...Op) (bool, error) {
	for _, op := range ops {
		if k.blind != nil || !k.probe.OpcodeSupported(op) {
			return false, k.blind
		}
	}
	return true, nil
}

// takes reports whether a request is valid: what it is tried on is a descriptor for
// which it can't succeed, so that nothing comes of it.
func (k *kernel) takes(prep func(s *SQE, fd int)) (CQE, bool, error) {
	var w waker
	if err := w.open(); err != nil {
		return CQE{}, false, err
	}
	defer w.close()
	w.signal()
	cqe, err := k.try(func(s *SQE) { prep(s, w.fd) })
	return cqe, cqe.Res != -int32(syscall.EINVAL), err
}

// canPollAgain has a ring of its own, which ends the poll.
func (k *kernel) canPollAgain() (bool, error) {
	r, err := New(2)
	if err != nil {
		return false, err
	}
	defer r.Close()
	own := &kernel{ring: r}
	cqe, can, err := own.takes(func(s *SQE, fd int) { s.PrepPollMultishot(fd, 1) }) // POLLIN
	return can && cqe.Res >= 0 && cqe.Flags&CQEFMore != 0, err
}

func (k *kernel) canAcceptAgain() (bool, error) {
	_, can, err := k.takes(func(s *SQE, fd int) { s.PrepMultishotAccept(fd, nil, 0) })
	return can, err
}

// canReceiveAgain asks first for what came with the same kernel, because old ones do not
// look at the flag.
func (k *kernel) canReceiveAgain() (bool, error) {
	if can, err := k.knows(OpSendZC); err != nil || !can {
		return false, err
	}
	_, can, err := k.takes(func(s *SQE, fd int) {
		s.PrepRecvMultishot(fd, nil, 0)
		s.Flags |= SQEBufferSelect
	})
	return can, err
}

func (k *kernel) canTimeoutAgain() (bool, error) {
	ts := NewTimespec(1)
	_, can, err := k.takes(func(s *SQE, _ int) { s.PrepTimeout(&ts, 1, TimeoutMultishot) })
	runtime.KeepAlive(&ts) // the entry has it as a number
	return can, err
}

func (k *kernel) hasBufRings(flags BufRingFlags) (bool, error) {
	br, err := k.ring.SetupBufRing(2, 0, flags)
	if err != nil {
		return unlessUnknown(err)
	}
	return true, br.Free()
}

func (k *kernel) hasSparseFiles() (bool, error) {
	if err := k.ring.RegisterFilesSparse(1); err != nil {
		return unlessUnknown(err)
	}
	return true, k.ring.UnregisterFiles()
}

// unlessUnknown takes EINVAL for what a kernel says that does not know a call.
func unlessUnknown(err error) (bool, error) {
	if errors.Is(err, syscall.EINVAL) {
		return false, nil
	}
	return false, err
}

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
