//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// What a cell came to, in words of the table: its completions in their order, with `then`
// between them and those that are alike only once.
//
//	n          a number above 0: bytes, events, a descriptor
//	0, EINVAL  0, an error
//	+          it is multishot, and goes on
//	~          nothing comes; and at the beginning: nothing came until the descriptor was ready
//	!          the notification of a zero-copy send
const (
	armed    = "+"
	waits    = "~"
	notified = "!"
	then     = " "
)

// outcome puts the completions into words.
func (c *cell) outcome() string {
	var words []string
	add := func(word string) {
		if len(words) == 0 || words[len(words)-1] != word {
			words = append(words, word)
		}
	}
	for _, e := range c.events {
		add(e.text)
	}
	if len(words) > 0 && !c.done() {
		add(armed)
	}
	text := strings.Join(words, then)
	text = strings.ReplaceAll(text, then+notified, notified)
	text = strings.ReplaceAll(text, then+armed, armed)
	return text
}

// runner tries cells on this kernel.
type runner struct {
	patience time.Duration        // how long nothing has to come for "nothing comes"
	limit    time.Duration        // how long to wait for what is expected
	expect   func(c *cell) string // the outcome that the table has, "" if none
	knows    func(liburing.Op) bool

	mu      sync.Mutex
	absent  map[string]string // kinds that there are not here, and why
	results map[pair]vector
}

func newRunner(patience, limit time.Duration) (*runner, error) {
	p, err := liburing.GetProbe()
	if err != nil {
		return nil, err
	}
	return &runner{
		patience: patience,
		limit:    limit,
		expect:   func(*cell) string { return "" },
		knows:    p.OpcodeSupported,
		absent:   map[string]string{},
		results:  map[pair]vector{},
	}, nil
}

// state is the cell's place in a vector.
func (c *cell) state() int {
	n := 0
	if c.ready {
		n |= ready
	}
	if c.nonblock {
		n |= nonblocking
	}
	return n
}

// all tries all cells that want is true of, with some rings at a time.
func (r *runner) all(rings int, want func(*cell) bool) error {
	var batches [][]*cell
	for _, k := range kinds {
		batches = append(batches, r.cellsOf(k, want)...)
	}
	return r.batches(batches, rings)
}

// cellsOf makes the cells of a kind, in batches that may be tried at once.
func (r *runner) cellsOf(k *kind, want func(*cell) bool) (batches [][]*cell) {
	var batch []*cell
	for _, state := range k.states() {
		for _, op := range operations {
			c := &cell{kind: k, op: op, nonblock: state&nonblocking != 0, ready: state&ready != 0}
			if !r.knows(op.op) || !want(c) {
				continue
			}
			batch = append(batch, c)
			if len(batch) == k.together {
				batches = append(batches, batch)
				batch = nil
			}
		}
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

func (r *runner) batches(batches [][]*cell, rings int) error {
	work := make(chan []*cell)
	errs := make(chan error, rings)
	for range rings {
		go func() {
			var all error
			for batch := range work {
				all = errors.Join(all, r.alone(batch))
			}
			errs <- all
		}()
	}
	for _, batch := range batches {
		work <- batch
	}
	close(work)
	var all error
	for range rings {
		all = errors.Join(all, <-errs)
	}
	return all
}

// alone tries a batch on a thread of its own, which ends with it.
func (r *runner) alone(batch []*cell) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- r.batch(batch)
	}()
	return <-done
}

// batch tries cells at once.
func (r *runner) batch(cells []*cell) (err error) {
	mem, err := unix.Mmap(-1, 0, len(cells)*2*bufSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	defer func() {
		for _, c := range cells {
			c.close()
		}
	}()
	with := new(company)
	defer with.end()
	for i, c := range cells {
		c.index, c.mem, c.events, c.company = i, mem[i*2*bufSize:][:2*bufSize], nil, with
		if err := c.open(); errors.As(err, new(errNotHere)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.absent[c.kind.name] = err.Error()
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := settle(cells); err != nil {
		return err
	}
	b := &batch{runner: r, cells: cells, mem: mem}
	if err := b.run(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, c := range cells {
		all := r.results[c.pair()]
		all[c.state()] = b.outcomes[i]
		r.results[c.pair()] = all
	}
	return nil
}

// settle gives TCP the time for its acknowledgements.
func settle(cells []*cell) error {
	if cells[0].kind.settle == nil {
		return nil
	}
	time.Sleep(60 * time.Millisecond)
	for _, c := range cells {
		if !c.ready {
			if err := c.settle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch is cells with the ring on which they are tried.
type batch struct {
	*runner
	ring     *liburing.Ring
	cells    []*cell
	mem      []byte
	outcomes []string
}

func (b *batch) run() error {
	var err error
	if b.ring, err = newRing(2 * len(b.cells)); err != nil {
		return err
	}
	defer b.ring.Close()
	if err := b.register(); err != nil {
		return err
	}
	for i, c := range b.cells {
		s := b.ring.GetSQE()
		if err := c.prepare(s); err != nil {
			return err
		}
		s.UserData = uint64(i)
	}
	if err := b.await(0); err != nil {
		return err
	}
	return b.afterwards()
}

// newRing makes a ring as a Loop's is, where the kernel has that.
func newRing(entries int) (*liburing.Ring, error) {
	r, err := liburing.New(entries, liburing.WithFlags(liburing.SetupClamp|liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	if errors.Is(err, liburing.ErrNotSupported) {
		return liburing.New(entries, liburing.WithFlags(liburing.SetupClamp))
	}
	return r, err
}

const aside = 1 << 32 // the user data of the survey's own requests, from there on

// register gives the ring what the requests name.
func (b *batch) register() error {
	if err := b.ring.RegisterBuffers([][]byte{b.mem}); err != nil {
		return err
	}
	places := make([]int, len(b.cells))
	for i := range places {
		places[i] = -1
	}
	if err := b.ring.RegisterFiles(places); err != nil {
		return err
	}
	for _, c := range b.cells {
		s := b.ring.GetSQE()
		s.PrepProvideBuffers(c.mem[bufSize:], groupSize, groupCount, c.group(), 0)
		s.UserData = aside
	}
	_, err := b.ring.SubmitAndWait(len(b.cells))
	b.ring.CQAdvance(b.ring.CQReady())
	return err
}

// await takes completions for as long as nothing has to come, and until what is
// expected has.
func (b *batch) await(phase int) error {
	begin := time.Now()
	for {
		wait := b.patience
		if b.expected(phase) {
			if wait -= time.Since(begin); wait <= 0 {
				return nil
			}
		} else if time.Since(begin) > b.limit {
			return nil
		}
		if b.done() {
			return nil
		}
		_, err := b.ring.SubmitAndWaitTimeout(1, min(wait, 5*time.Millisecond))
		if err != nil && !errors.Is(err, unix.ETIME) && !errors.Is(err, unix.EINTR) {
			return err
		}
		for cqe := range b.ring.CQEs() {
			if cqe.UserData < aside {
				b.cells[cqe.UserData].took(cqe)
			}
		}
	}
}

// done reports whether all cells are.
func (b *batch) done() bool {
	for _, c := range b.cells {
		if !c.done() {
			return false
		}
	}
	return true
}

// expected reports whether what the table has of the cells has come.
func (b *batch) expected(phase int) bool {
	for i, c := range b.cells {
		want := b.expect(c)
		got := c.outcome()
		if phase == 0 {
			if rest, ok := strings.CutPrefix(want, waits); ok && (rest == "" || got == "") {
				continue
			}
		} else if b.outcomes[i] != "" {
			continue
		} else {
			want = strings.TrimPrefix(want, waits+then)
			if want == waits {
				continue
			}
		}
		if want != "" && got != want && !c.done() {
			return false
		}
	}
	return true
}

// afterwards makes ready what waits for that, and ends what still waits.
func (b *batch) afterwards() error {
	b.outcomes = make([]string, len(b.cells))
	waiting := false
	for i, c := range b.cells {
		if len(c.events) > 0 || c.ready || c.kind.wake == nil {
			if b.outcomes[i] = c.outcome(); b.outcomes[i] == "" {
				b.outcomes[i] = waits
			}
			continue
		}
		if err := c.wake(); err != nil {
			return err
		}
		waiting = true
	}
	if waiting {
		if err := b.await(1); err != nil {
			return err
		}
	}
	for i, c := range b.cells {
		if b.outcomes[i] != "" {
			continue
		}
		b.outcomes[i] = waits
		if got := c.outcome(); got != "" {
			b.outcomes[i] += then + got
		}
	}
	return b.cancel()
}

// cancel ends what is in flight, so that its memory can go.
func (b *batch) cancel() error {
	closeFiles(b.cells)
	for end := time.Now().Add(10 * time.Second); !b.done(); {
		for i, c := range b.cells {
			if !c.done() {
				s := b.ring.GetSQE()
				s.PrepCancel64(uint64(i), 0)
				s.UserData = aside
			}
		}
		if err := b.takeFor(b.patience); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: some can't be cancelled: %s", b.cells[0].kind.name, b.stuck())
		}
	}
	return nil
}

// closeFiles closes what belongs to cells, several at once: some sockets take long.
func closeFiles(cells []*cell) {
	var all sync.WaitGroup
	for part := range slices.Chunk(cells, (len(cells)+15)/16) {
		all.Go(func() {
			for _, c := range part {
				c.closeFiles()
			}
		})
	}
	all.Wait()
}

// takeFor submits and takes completions for a while, or until all is done.
func (b *batch) takeFor(d time.Duration) error {
	for end := time.Now().Add(d); !b.done() && time.Now().Before(end); {
		_, err := b.ring.SubmitAndWaitTimeout(1, 5*time.Millisecond)
		if err != nil && !errors.Is(err, unix.ETIME) && !errors.Is(err, unix.EINTR) {
			return err
		}
		for cqe := range b.ring.CQEs() {
			if cqe.UserData < aside {
				b.cells[cqe.UserData].took(cqe)
			}
		}
	}
	return nil
}

func (b *batch) stuck() string {
	var names []string
	for _, c := range b.cells {
		if !c.done() {
			names = append(names, c.op.name)
		}
	}
	return strings.Join(names, ", ")
}
