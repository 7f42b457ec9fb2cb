// Package uringtest is a simulated kernel for the tests of programs that use package
// liburing. It does on purpose what the real io_uring does now and then: transfers are
// short, completions come late, out of order, or after the request was cancelled,
// provided buffers run out, multishot requests end, waits are interrupted, submissions
// are refused for a moment, the completion queue overflows. All of this happens at
// random, by a seed: the same seed does the same again.
//
//	func TestService(t *testing.T) {
//		loop := uringtest.NewLoop(t, 64, uringtest.AllFaults)
//		…
//	}
//
// A failing test prints its seed, and URINGTEST_SEED=… replays it; except for what the
// program does on other goroutines, and what depends on time.
//
// The Loop or Ring is the real one; what it asks of the kernel the simulation does with
// ordinary system calls, on real files and sockets. So the machine needs neither
// io_uring nor the permission to use it. It needs a build without liburing's C code:
// CGO_ENABLED=0 or
//
//	go test -tags liburing_go
//
// It knows the operations and setup flags of Linux 6.1 for files, sockets, polls and
// timers, the newer ReadMultishot, Ftruncate, Bind and Listen, and provided buffers
// that are used up bit by bit. What it lacks it refuses like an older kernel (EINVAL),
// and a probe tells: SQPOLL, IOPOLL, queues of big entries, resizing, messages between
// rings, drivers' commands, futexes, bundles. Opening a FIFO for reading does not wait
// for a writer. The simulation uses a descriptor of its own for each waiting request,
// and makes a system call each time it looks at one: don't measure speed with it.
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

// Faults says how often the kernel does what programs have to cope with: 0 never, 1
// whenever it can.
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

// AllFaults makes everything happen often, NoFaults nothing.
var (
	AllFaults = Faults{Short: 0.3, Late: 0.3, Reorder: 0.5, NoBuffers: 0.1, EndMultishot: 0.1, Interrupted: 0.1, Refused: 0.05, Overflow: 0.1}
	NoFaults  = Faults{}
)

// Kernel is a simulated kernel. Its rings share only the seed.
type Kernel struct {
	seed   uint64
	faults Faults

	mu     sync.Mutex
	rings  uint64
	events []Event
}

// maker makes a kernel's rings for package liburing.
type maker struct{ k *Kernel }

// Event is a completion that a kernel has delivered.
type Event struct {
	Ring  int // the number of the ring, from 0 on
	Op    liburing.Op
	Res   int32
	Flags liburing.CQEFlags
}

// New makes a kernel. In a build that uses liburing's rings the error is
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

// Option puts a ring or loop (New, NewLoop, NewLoopGroup) on this kernel.
func (k *Kernel) Option() liburing.Option { return seam.Option(maker{k}).(liburing.Option) }

// Events returns the completions so far, at most the last 100,000.
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

// SeedEnv is the environment variable that sets the seed of NewLoop's kernels.
const SeedEnv = "URINGTEST_SEED"

// NewLoop returns a loop on a kernel with these faults, which is closed when the test
// ends. The seed differs each time, unless the environment sets one; if the test fails,
// the seed is logged. In builds that use liburing's rings the test is skipped.
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
