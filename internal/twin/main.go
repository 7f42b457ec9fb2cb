//go:build linux

// Twin runs random programs on rings and prints all that comes of them: results,
// errors, completions, and the rings' memory. Built with liburing and without it
// prints the same; tests/backends compares.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"runtime"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("twin: ")
	seed := flag.Uint64("seed", 1, "of the random numbers")
	programs := flag.Int("programs", 100, "how many to run")
	steps := flag.Int("steps", 40, "of each")
	backend := flag.Bool("backend", false, "print which build this is")
	flag.Parse()
	if *backend {
		fmt.Println(liburing.Backend())
		return
	}
	runtime.LockOSThread()
	t := newTwin()
	defer t.out.Flush()
	for i := range *programs {
		t.Rand = rand.New(rand.NewPCG(*seed, uint64(i)))
		t.printf("program %d\n", i)
		t.sizes()
		t.program(*steps)
	}
}

// twin is what the programs share.
type twin struct {
	*rand.Rand
	out   *bufio.Writer
	mem   []byte // what requests read to
	zero  int    // files that no worker has to wait for
	null  int
	event int

	ring   *liburing.Ring
	other  *liburing.Ring // to clone from
	bufs   *liburing.BufRing
	queued []kind // what is prepared and not submitted
	next   uint64 // user data
}

func newTwin() *twin {
	t := &twin{out: bufio.NewWriter(os.Stdout), mem: mapped(1 << 18)}
	t.zero = must(unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0))
	t.null = must(unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0))
	t.event = must(unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK))
	t.other = must(liburing.New(4))
	if err := t.other.RegisterBuffers([][]byte{t.mem[:4096], t.mem[8192:12288]}); err != nil {
		log.Fatal(err)
	}
	return t
}

func mapped(size int) []byte {
	return must(unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func (t *twin) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// one returns one of several.
func one[T any](t *twin, of ...T) T { return of[t.IntN(len(of))] }

// count is a number of entries, mostly a good one.
func (t *twin) count() int {
	return one(t, 1, 2, 3, 4, 8, 16, 31, 64, 0, 40000, 1<<31-1)
}

func (t *twin) setupFlags() (flags liburing.SetupFlags) {
	for range t.IntN(4) {
		flags |= one(t,
			liburing.SetupIOPoll, liburing.SetupCQSize, liburing.SetupClamp, liburing.SetupRDisabled,
			liburing.SetupSubmitAll, liburing.SetupCoopTaskrun, liburing.SetupTaskrunFlag|liburing.SetupCoopTaskrun,
			liburing.SetupSQE128, liburing.SetupCQE32, liburing.SetupSingleIssuer, liburing.SetupNoMmap,
			liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun, liburing.SetupRegisteredFDOnly,
			liburing.SetupNoSQArray, liburing.SetupHybridIOPoll, liburing.SetupCQEMixed, liburing.SetupSQEMixed,
			liburing.SetupSQRewind, liburing.SetupSQPoll)
	}
	return flags
}

func (t *twin) params() *liburing.Params {
	p := &liburing.Params{Flags: t.setupFlags(), SQThreadIdle: 1000}
	if p.Flags&liburing.SetupCQSize != 0 {
		p.CQEntries = uint32(t.count())
	}
	return p
}

// sizes asks how large a ring would be.
func (t *twin) sizes() {
	n, p := t.count(), t.params()
	size, err := liburing.MemorySizeParams(n, p)
	locked, errLocked := liburing.MlockSizeParams(t.count(), p)
	t.printf("sizes of %d with %v: %d %v, %d %v\n", n, p.Flags, size, err, locked, errLocked)
}

// program sets a ring up, does so many steps with it, and closes it.
func (t *twin) program(steps int) {
	n, p := t.count(), t.params()
	t.printf("set up %d with %v, %d\n", n, p.Flags, p.CQEntries)
	clear(t.mem)
	err := t.setUp(n, p)
	t.printf("%v: %+v\n", err, numbers(p))
	if err != nil {
		return
	}
	polls := p.Flags&liburing.SetupSQPoll != 0
	if p.Flags&liburing.SetupRDisabled != 0 && (polls || t.IntN(4) != 0) {
		t.printf("enable: %v\n", t.ring.EnableRings())
	}
	if polls {
		t.poll()
		steps = 0
	}
	t.queued = t.queued[:0]
	for range steps {
		t.step()
		t.look()
	}
	t.close()
}

func (t *twin) setUp(n int, p *liburing.Params) (err error) {
	if t.IntN(3) != 0 {
		t.ring, err = liburing.QueueInitParams(n, p)
		return err
	}
	var used int
	// Memory that nobody has had: a closed ring's requests may still complete.
	t.ring, used, err = liburing.QueueInitMem(n, p, mapped(one(t, 1<<12, 1<<13, 1<<14, 1<<18)))
	t.printf("%d bytes used\n", used)
	return err
}

func (t *twin) close() {
	if t.bufs != nil && t.IntN(2) == 0 {
		t.printf("free: %v\n", t.bufs.Free())
		t.bufs = nil
	}
	t.printf("close: %v\n", t.ring.Close())
	if t.bufs != nil {
		t.printf("free: %v\n", t.bufs.Free())
		t.bufs = nil
	}
}
