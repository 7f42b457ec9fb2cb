//go:build linux

package ringio

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	modelRoom   = 40 << 10 // unread of a direction, so that who writes need not wait: the kernel has room for more
	modelWrites = 40       // unread, each of which takes more room than its bytes
	modelReads  = 64 << 10
	modelCrowd  = 4               // programs at a time
	modelLimit  = 2 * time.Minute // of a program, most of which take less than a second
)

// modelBytes is what a direction is in the model: a queue of bytes each of which tells its
// place, so that none can be lost, doubled or exchanged unseen.
type modelBytes struct {
	begun  atomic.Int64 // with the write that is under way
	ended  atomic.Bool  // no more is written
	sent   int64        // the writer's
	got    int64        // the reader's
	writes int          // since all was read
	salt   byte
}

// at returns the byte that has a place.
func (d *modelBytes) at(place int64) byte {
	return byte(uint64(place)*0x9E3779B97F4A7C15>>56) + d.salt
}

// next returns the bytes that are to be written next.
func (d *modelBytes) next(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = d.at(d.sent + int64(i))
	}
	d.begun.Store(d.sent + int64(n))
	return p
}

// wrong says what is wrong with bytes that are said to be the next ones, if anything is.
func (d *modelBytes) wrong(p []byte) string {
	for i, b := range p {
		if place := d.got + int64(i); b != d.at(place) {
			return fmt.Sprintf("byte %d of %d, at place %d, is %#x and not %#x", i, len(p), place, b, d.at(place))
		}
	}
	if begun := d.begun.Load(); d.got+int64(len(p)) > begun {
		return fmt.Sprintf("%d bytes behind %d, of %d", len(p), d.got, begun)
	}
	return ""
}

// modelDeadline is a deadline and which of them a read or a write may have met.
type modelDeadline struct {
	mu   sync.Mutex
	last time.Time
	met  []time.Time // since the last look: the one at that time, and what was set since
	past bool        // it was so when it was set
	sets int
}

// set sets the deadline, which a zero after makes none. One that is set while the machine does
// something else may come early by as long as that takes, on net too.
func (d *modelDeadline) set(set func(time.Time) error, after time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	start, t := time.Now(), time.Time{}
	if after != 0 {
		t = start.Add(after)
	}
	err := set(t)
	if after != 0 {
		d.last = t.Add(-time.Since(start))
	} else {
		d.last = t
	}
	d.past = after < 0
	d.met = append(d.met, d.last)
	d.sets++
	return err
}

// is returns whether the deadline is surely over, as long as there are no more sets.
func (d *modelDeadline) is() (past bool, sets int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past, d.sets
}

// look returns whether what has just returned may have met a deadline that was over, and
// whether it must have, if is returned that before.
func (d *modelDeadline) look(past bool, sets int) (may, must bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.met {
		may = may || !t.IsZero() && !time.Now().Before(t)
	}
	d.met = append(d.met[:0], d.last)
	return may, past && sets == d.sets
}

// modelEnd is one end of the connection.
type modelEnd struct {
	*connProgram
	name     string
	c        net.Conn
	in, out  modelDeadline
	from, to *modelBytes
	peer     *modelEnd
}

// connProgram is a random program on both ends of a connection. What it does depends on what has
// come by then, too: a seed may have to be run several times.
type connProgram struct {
	t      *testing.T
	stack  stack
	seed   uint64
	rand   *rand.Rand
	ends   [2]*modelEnd
	bare   bool // it uses descriptors, too
	failed atomic.Bool

	mu  sync.Mutex
	log []string // the last steps
}

// runConnProgram runs a program to its end.
func runConnProgram(t *testing.T, s stack, a, b net.Conn, seed uint64) {
	p := &connProgram{t: t, stack: s, seed: seed, rand: rand.New(rand.NewPCG(seed, 1))}
	defer time.AfterFunc(modelLimit, p.hangs).Stop()
	bareFrom := p.rand.IntN(2 * *steps)
	there, back := &modelBytes{salt: 1}, &modelBytes{salt: 2}
	p.ends[0] = &modelEnd{connProgram: p, name: "a", c: a, from: back, to: there}
	p.ends[1] = &modelEnd{connProgram: p, name: "b", c: b, from: there, to: back, peer: p.ends[0]}
	p.ends[0].peer = p.ends[1]
	for i := 0; i < *steps && !p.failed.Load(); i++ {
		p.bare = i >= bareFrom
		p.ends[p.rand.IntN(2)].step()
	}
	if !p.failed.Load() {
		p.end()
	}
	a.Close()
	b.Close()
}

func (p *connProgram) hangs() {
	debug.SetTraceback("all")
	panic(fmt.Sprintf("%s: -seed %d: it does not return\n%s", p.stack.name, p.seed, p.steps()))
}

func (p *connProgram) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf(format, args...))
	p.log = p.log[max(len(p.log)-40, 0):]
}

func (p *connProgram) steps() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// check wants something of the program, which else ends: whoever waits is not to do so for ever.
func (p *connProgram) check(ok bool, format string, args ...any) {
	if ok || p.failed.Swap(true) {
		return
	}
	p.t.Errorf("%s: -seed %d: %s\n%s", p.stack.name, p.seed, fmt.Sprintf(format, args...), p.steps())
	for _, e := range p.ends {
		e.c.Close()
	}
}

// size returns one that is more often small than not.
func size(r *rand.Rand, most int) int {
	return 1 + r.IntN(min(1<<r.IntN(17), most))
}

// write writes the next bytes.
func (e *modelEnd) write(n int) {
	p := e.to.next(n)
	past, sets := e.out.is()
	n, err := e.c.Write(p)
	e.note("%s writes %d: %d %v", e.name, len(p), n, err)
	may, must := e.out.look(past, sets)
	e.to.sent += int64(n)
	e.to.begun.Store(e.to.sent)
	e.to.writes++
	if err == nil {
		e.check(n == len(p) && !must, "%s wrote %d of %d, deadline over: %v", e.name, n, len(p), must)
	} else {
		e.check(errors.Is(err, os.ErrDeadlineExceeded) && may && n < len(p), "%s wrote %d of %d: %v, deadline over: %v", e.name, n, len(p), err, may)
	}
}

// read reads, and reports whether that was not the end.
func (e *modelEnd) read(n int) bool {
	buf := make([]byte, n)
	past, sets := e.in.is()
	n, err := e.c.Read(buf)
	return e.judge("reads", buf[:n], len(buf), err, past, sets)
}

// judge takes what a read has come to. The end counts as bytes do: a deadline comes first.
func (e *modelEnd) judge(how string, p []byte, of int, err error, past bool, sets int) (more bool) {
	e.note("%s %s %d: %d %v", e.name, how, of, len(p), err)
	may, must := e.in.look(past, sets)
	wrong := e.from.wrong(p)
	e.check(wrong == "", "%s %s %s", e.name, how, wrong)
	e.from.got += int64(len(p))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.check(len(p) == 0 && may, "%s %s %d: %v, deadline over: %v", e.name, how, len(p), err, may)
	case err == io.EOF:
		e.check(len(p) == 0 && e.from.ended.Load() && e.from.got == e.from.begun.Load() && !must,
			"%s %s: the end at %d of %d, written: %v, deadline over: %v", e.name, how, e.from.got, e.from.begun.Load(), e.from.ended.Load(), must)
	default:
		e.check(err == nil && len(p) > 0 && !must, "%s %s %d: %v, deadline over: %v", e.name, how, len(p), err, must)
	}
	return (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) && !e.failed.Load()
}

func (e *modelEnd) setIn(after time.Duration) {
	err := e.in.set(e.c.SetReadDeadline, after)
	e.note("%s read deadline %v", e.name, after)
	e.check(err == nil, "%s read deadline: %v", e.name, err)
}

func (e *modelEnd) setOut(after time.Duration) {
	err := e.out.set(e.c.SetWriteDeadline, after)
	e.note("%s write deadline %v", e.name, after)
	e.check(err == nil, "%s write deadline: %v", e.name, err)
}

// someDeadline returns when one is to be, zero for never.
func someDeadline(r *rand.Rand) time.Duration {
	switch r.IntN(5) {
	case 0:
		return -time.Hour
	case 1:
		return -1 // now
	case 2:
		return time.Duration(1 + r.IntN(1<<r.IntN(22))) // more often soon than not
	}
	return 0
}

func (e *modelEnd) closeWrite() {
	e.to.ended.Store(true)
	err := e.c.(halfCloser).CloseWrite()
	e.note("%s ends: %v", e.name, err)
	e.check(err == nil, "%s CloseWrite: %v", e.name, err)
}

// unread returns how much there is to read.
func (e *modelEnd) unread() int64 { return e.from.sent - e.from.got }

// step does something at random at this end, while nothing else happens.
func (e *modelEnd) step() {
	switch n := e.rand.IntN(200); {
	case n < 70:
		e.writeSome()
	case n < 140:
		e.readSome()
	case n < 155:
		e.setIn(someDeadline(e.rand))
	case n < 170:
		e.setOut(someDeadline(e.rand))
	case n < 185:
		e.talk()
	case n < 189:
		e.burst(false)
	case n < 190 && !e.to.ended.Load() && e.rand.IntN(4) == 0:
		e.closeWrite()
	case n < 191 && e.unread() == 0 && !e.from.ended.Load() && e.rand.IntN(4) == 0:
		e.closeRead()
	case n < 197 && e.bare:
		e.raw()
	case n < 199 && e.bare:
		e.file()
	}
}

// writeSome writes as much as there is room for.
func (e *modelEnd) writeSome() {
	if e.peer.unread() == 0 {
		e.to.writes = 0
	}
	n := size(e.rand, modelRoom)
	if !e.to.ended.Load() && e.peer.unread()+int64(n) <= modelRoom && e.to.writes < modelWrites {
		e.write(n)
	}
}

// readSome reads what there is. If there is nothing something happens while it waits.
func (e *modelEnd) readSome() {
	if e.unread() > 0 || e.from.ended.Load() {
		e.read(size(e.rand, modelReads))
		return
	}
	var other sync.WaitGroup
	wait := time.Duration(e.rand.IntN(400)) * time.Microsecond
	switch n := e.rand.IntN(60); {
	case n < 20:
		e.setIn(time.Duration(1 + e.rand.IntN(2_000_000)))
	case n < 30:
		other.Go(func() {
			time.Sleep(wait)
			if e.bare {
				e.dup()
			}
			e.setIn(-1)
		})
	case n < 59:
		e.peer.setOut(0)
		size := size(e.rand, modelRoom)
		other.Go(func() {
			time.Sleep(wait)
			e.peer.write(size)
		})
	default:
		other.Go(func() {
			time.Sleep(wait)
			e.peer.closeWrite()
		})
	}
	e.read(size(e.rand, modelReads))
	other.Wait()
}

// talk has little come while this end waits, a few times, so that it is a busy one.
func (e *modelEnd) talk() {
	e.setIn(0)
	e.peer.setOut(0)
	for e.unread() > 0 && !e.failed.Load() {
		e.read(modelReads)
	}
	for range 4 {
		if e.from.ended.Load() || e.failed.Load() {
			return
		}
		n := 1 + e.rand.IntN(100)
		var other sync.WaitGroup
		other.Go(func() {
			time.Sleep(100 * time.Microsecond)
			e.peer.write(n)
		})
		e.read(n)
		other.Wait()
		for e.unread() > 0 && !e.failed.Load() {
			e.read(n)
		}
	}
}

// closeRead ends the direction from here: what is written later some systems refuse, and some
// do not.
func (e *modelEnd) closeRead() {
	e.from.ended.Store(true)
	err := e.c.(halfCloser).CloseRead()
	e.note("%s CloseRead: %v", e.name, err)
	e.check(err == nil, "%s CloseRead: %v", e.name, err)
}

// raw reads by the descriptor, or only looks.
func (e *modelEnd) raw() {
	c, err := e.c.(syscall.Conn).SyscallConn()
	e.check(err == nil, "%s SyscallConn: %v", e.name, err)
	flags := unix.MSG_DONTWAIT
	if e.rand.IntN(3) > 0 {
		flags |= unix.MSG_PEEK
	}
	waits := e.unread() > 0 || e.from.ended.Load()
	buf, n := make([]byte, size(e.rand, modelReads)), 0
	want := min(len(buf), int(e.unread()))
	if flags&unix.MSG_PEEK == 0 || e.rand.IntN(2) == 0 {
		want = 0
	}
	var errno error
	past, sets := e.in.is()
	err = c.Read(func(fd uintptr) bool {
		n, errno = recvfrom(int(fd), buf, flags)
		return !waits || n >= want || n < 0 && errno != unix.EAGAIN
	})
	switch {
	case err != nil: // it may have seen less than it wants
		n = 0
	case errno == nil && n > 0:
	case errno == nil:
		err = io.EOF
	case errno == unix.EAGAIN && !waits:
		return
	default:
		err = errno
	}
	e.judge("looks for", buf[:max(n, 0)], len(buf), err, past, sets)
	if flags&unix.MSG_PEEK != 0 {
		e.from.got -= int64(max(n, 0))
	}
}

func recvfrom(fd int, buf []byte, flags int) (n int, err error) {
	for {
		if n, _, err = unix.Recvfrom(fd, buf, flags); err != unix.EINTR {
			return n, err
		}
	}
}

// openFile returns another descriptor.
func (e *modelEnd) openFile() *os.File {
	f, err := e.c.(filer).File()
	e.note("%s File: %v", e.name, err)
	e.check(err == nil, "%s File: %v", e.name, err)
	return f
}

// dup has another descriptor and does not use it.
func (e *modelEnd) dup() {
	if f := e.openFile(); f != nil {
		f.Close()
	}
}

// file reads from another descriptor.
func (e *modelEnd) file() {
	f := e.openFile()
	if f == nil {
		return
	}
	defer f.Close()
	if e.unread() > 0 && e.rand.IntN(2) == 0 {
		buf := make([]byte, size(e.rand, modelReads))
		n, err := f.Read(buf)
		e.judge("reads by a file", buf[:n], len(buf), err, false, 0)
	}
}

// burst has both ends write and read at the same time, more than there is room for, until all
// has been read. With the last one both directions end.
func (p *connProgram) burst(last bool) {
	var all sync.WaitGroup
	small := last && p.rand.IntN(2) == 0
	for _, e := range p.ends {
		if small {
			err := e.c.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(1) // as small as can be
			p.check(err == nil, "%s SetWriteBuffer: %v", e.name, err)
		}
		e.pour(&all, last, small)
	}
	all.Wait()
}

// pour has this end write and the other one read, while a third sets the deadline.
func (e *modelEnd) pour(all *sync.WaitGroup, last, small bool) {
	var written atomic.Bool
	stop := make(chan struct{})
	var meddler sync.WaitGroup
	writer, reader, other := e.newRand(), e.newRand(), e.newRand()
	meddler.Go(func() { e.peer.meddle(other, stop) })
	all.Go(func() {
		e.writeMuch(writer, small)
		if last && !e.to.ended.Load() {
			e.closeWrite()
		}
		close(stop)
		meddler.Wait()
		written.Store(true)
		e.peer.setIn(-1) // it may wait for more
	})
	all.Go(func() { e.peer.readAll(reader, last, &written) })
}

func (p *connProgram) newRand() *rand.Rand { return rand.New(rand.NewPCG(p.rand.Uint64(), 2)) }

// writeMuch writes, more often where there is little room.
func (e *modelEnd) writeMuch(r *rand.Rand, small bool) {
	most := 16
	if small {
		most = 100
	}
	for range r.IntN(most) {
		if e.to.ended.Load() || e.failed.Load() {
			return
		}
		if past, _ := e.out.is(); past || r.IntN(3) == 0 {
			e.setOut(someDeadline(r))
		}
		e.write(size(r, modelRoom))
	}
}

// readAll reads until all that is written has come, and at last the end.
func (e *modelEnd) readAll(r *rand.Rand, last bool, written *atomic.Bool) {
	for !e.failed.Load() {
		if written.Load() {
			e.setIn(0)
			if e.unread() == 0 && !last {
				return
			}
		} else if past, _ := e.in.is(); past {
			if e.setIn(0); written.Load() { // and the deadline of who has written may be the one that this has taken away
				continue
			}
		}
		if r.IntN(16) == 0 { // and there is no more room
			time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond)
		}
		if !e.read(size(r, modelReads)) {
			return
		}
	}
}

// meddle sets the read deadline, again and again, while another reads.
func (e *modelEnd) meddle(r *rand.Rand, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(r.IntN(500)) * time.Microsecond):
		}
		e.setIn(someDeadline(r))
		if e.bare && r.IntN(8) == 0 {
			e.dup()
		}
	}
}

// end ends the program: all that was written has been read by then, unless an end is closed
// that has not read all itself.
func (p *connProgram) end() {
	e := p.ends[p.rand.IntN(2)]
	switch p.rand.IntN(4) {
	case 0:
		e.closeWhileReading()
	case 1:
		e.closeUnread()
	default:
		p.burst(true)
		e.close()
		e.peer.close()
	}
}

// closeWhileReading closes this end when it has read all, and waits for more. The other one
// gets the rest.
func (e *modelEnd) closeWhileReading() {
	e.setIn(0)
	for e.unread() > 0 && !e.failed.Load() {
		e.read(modelReads)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		n, err := e.c.Read(make([]byte, 100))
		e.check(n == 0 && (errors.Is(err, net.ErrClosed) || err == io.EOF && e.from.ended.Load()), "%s read %d: %v, while it was closed", e.name, n, err)
	})
	time.Sleep(time.Duration(e.rand.IntN(300)) * time.Microsecond)
	e.close()
	reader.Wait()
	e.peer.setIn(0)
	for e.peer.read(size(e.rand, modelReads)) {
	}
	e.peer.close()
}

// closeUnread closes this end, for which something may be on its way: then the other one may
// be reset, but what it gets is right.
func (e *modelEnd) closeUnread() {
	e.peer.setOut(0)
	e.peer.writeSome()
	e.close()
	e.peer.setIn(0)
	for buf := make([]byte, 1000); ; {
		n, err := e.peer.c.Read(buf)
		wrong := e.peer.from.wrong(buf[:n])
		e.check(wrong == "", "%s, whose peer was closed, reads %s", e.peer.name, wrong)
		e.peer.from.got += int64(n)
		if err != nil {
			e.check(err == io.EOF || errors.Is(err, syscall.ECONNRESET), "%s, whose peer was closed: %v", e.peer.name, err)
			break
		}
	}
	e.peer.close()
}

// close closes this end, which is of no use then.
func (e *modelEnd) close() {
	e.to.ended.Store(true)
	err := e.c.Close()
	e.note("%s closes: %v", e.name, err)
	e.check(err == nil, "%s Close: %v", e.name, err)
	_, readErr := e.c.Read(make([]byte, 1))
	_, writeErr := e.c.Write(make([]byte, 1))
	_, fileErr := e.c.(filer).File()
	for of, err := range map[string]error{
		"Read": readErr, "Write": writeErr, "File": fileErr, "CloseWrite": e.c.(halfCloser).CloseWrite(),
		"SetDeadline": e.c.SetDeadline(time.Time{}), "Close": e.c.Close(),
	} {
		e.check(errors.Is(err, net.ErrClosed), "%s %s when it is closed: %v", e.name, of, err)
	}
}

// Random programs on both ends of a connection see what a simple model says, on ringio and on
// net, which the model has to hold for first.
func TestModelOfConnections(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) { runConnPrograms(t, s, modelCrowd) })
	t.Run("few and many", func(t *testing.T) {
		e := fewEngine(t, Options{})
		flip(t, e)
		runConnPrograms(t, stackOf("few and many", e), modelCrowd)
	})
}

// runConnPrograms runs random programs for a while, some at the same time.
func runConnPrograms(t *testing.T, s stack, atOnce uint64) {
	first, programs := *seed, uint64(0)
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for stop := time.Now().Add(*storm / 2); !t.Failed() && (programs == 0 || time.Now().Before(stop)); programs += atOnce {
		t.Run(fmt.Sprint(first+programs), func(t *testing.T) { // which has its connections forgotten
			var all sync.WaitGroup
			defer all.Wait()
			for seed := first + programs; seed < first+programs+atOnce; seed++ {
				a, b := s.modelPair(t, seed)
				all.Go(func() { runConnProgram(t, s, a, b, seed) })
			}
		})
	}
	t.Logf("%d programs from -seed %d", programs, first)
}

// modelPair returns the connection of a program.
func (s stack) modelPair(t *testing.T, seed uint64) (a, b net.Conn) {
	if seed%4 == 0 {
		return s.pair(t, "unix")
	}
	return s.pair(t, "tcp")
}
