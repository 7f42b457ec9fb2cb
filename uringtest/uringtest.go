// Package uringtest is a kernel for the tests of programs that use package liburing: a
// simulation of io_uring which does on purpose what the real one does now and then.
// Transfers are short, completions come late, out of order, or after the request was
// cancelled, provided buffers run out, multishot requests end, waits are interrupted,
// submissions refused for a moment, the completion queue overflows. All of that is
// chance, and the seed decides: the same seed does the same again.
//
//	func TestService(t *testing.T) {
//		loop := uringtest.NewLoop(t, 64, uringtest.AllFaults)
//		…
//	}
//
// A test that fails tells its seed, and URINGTEST_SEED=… replays it. What the program
// does on other goroutines, and what depends on the time, is not a part of that.
//
// The loop, or Ring, is the real one; what it asks the kernel for the simulation does
// with ordinary system calls, on real files and sockets. So neither io_uring has to be
// there nor the right to use it. It takes a build without liburing's C half: CGO_ENABLED=0
// or
//
//	go test -tags liburing_go
//
// It knows the operations and setup flags of Linux 6.1 that have to do with files,
// sockets, polls and timers, the newer ReadMultishot, Ftruncate, Bind and Listen, and
// provided buffers that are used up bit by bit. What it lacks it refuses as an older kernel
// does (EINVAL), and a probe tells: SQPOLL, IOPOLL, queues of big entries, resizing,
// messages between rings, drivers' commands, futexes, bundles. An open of a FIFO to read
// does not wait for a writer. It has a descriptor of its own for each request that waits,
// and makes a system call each time that it looks at one: it is no kernel to measure.
package uringtest

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/seam"
)

// Faults says how often the kernel does what programs have to bear: 0 never, 1 whenever
// it can.
type Faults struct {
	Short        float64 // a transfer is of fewer bytes than it could be
	Late         float64 // a request that could complete is left for later; one that is cancelled too
	Reorder      float64 // what could complete does so in another order
	NoBuffers    float64 // there is no provided buffer (ENOBUFS), though there are some
	EndMultishot float64 // a multishot request ends
	Interrupted  float64 // a wait is interrupted (EINTR)
	Refused      float64 // a submission is refused for the moment (EAGAIN)
	Overflow     float64 // a completion finds no room in the queue
}

// AllFaults has everything happen often, and NoFaults nothing.
var (
	AllFaults = Faults{Short: 0.3, Late: 0.3, Reorder: 0.5, NoBuffers: 0.1, EndMultishot: 0.1, Interrupted: 0.1, Refused: 0.05, Overflow: 0.1}
	NoFaults  = Faults{}
)

// Kernel is a simulated kernel. Its rings share nothing but the seed.
type Kernel struct {
	seed   uint64
	faults Faults

	mu     sync.Mutex
	rings  uint64
	events []Event
}

// maker makes a kernel's rings for package liburing.
type maker struct{ k *Kernel }

// Event is a completion that a kernel has told.
type Event struct {
	Ring  int // the number of the ring, from 0 on
	Op    liburing.Op
	Res   int32
	Flags liburing.CQEFlags
}

// New makes a kernel. In a build whose rings are liburing's the error is
// liburing.ErrNotSupported.
func New(seed uint64, faults Faults) (*Kernel, error) {
	if seam.Option == nil {
		return nil, &liburing.OpError{Op: "uringtest", Err: liburing.ErrNotSupported,
			Hint: "this program's rings are set up by liburing, in C: build the test with -tags liburing_go, or CGO_ENABLED=0, on Linux"}
	}
	return &Kernel{seed: seed, faults: faults}, nil
}

// Seed returns the seed.
func (k *Kernel) Seed() uint64 { return k.seed }

// Option has a ring or loop (New, NewLoop, NewLoopGroup) be one of this kernel.
func (k *Kernel) Option() liburing.Option { return seam.Option(maker{k}).(liburing.Option) }

// Events returns the completions that were told so far, the last 100,000 of them.
func (k *Kernel) Events() []Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Event(nil), k.events...)
}

const mostEvents = 100_000

func (k *Kernel) tell(e Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.events) >= 2*mostEvents {
		k.events = append(k.events[:0], k.events[mostEvents:]...)
	}
	k.events = append(k.events, e)
}

// SeedEnv is the variable whose number is the seed of NewLoop's kernels.
const SeedEnv = "URINGTEST_SEED"

// NewLoop returns a loop on a kernel with these faults, which is closed when the test
// ends. The seed is another each time, unless the environment has one; should the test
// fail, it tells the seed. In builds whose rings are liburing's the test is skipped.
func NewLoop(t testing.TB, entries int, faults Faults, opts ...liburing.Option) *liburing.Loop {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(SeedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("uringtest: %s=%s is no seed: %v", SeedEnv, text, err)
		}
	}
	k, err := New(seed, faults)
	if err != nil {
		t.Skip(err)
	}
	l, err := liburing.NewLoop(entries, append(opts, k.Option())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("uringtest: the loop was not closed well: %v", err)
		}
		if t.Failed() {
			t.Logf("uringtest: to replay it: %s=%d", SeedEnv, seed)
		}
	})
	return l
}
