package ringio

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seed  = flag.Uint64("seed", 0, "of the random programs; 0: another each time")
	steps = flag.Int("steps", 400, "of each random program")
	storm = flag.Duration("storm", 2*time.Second, "how long the storm lasts")
)

// program is a random program on one file, which writes down what it sees.
type program struct {
	transcript
	rand *rand.Rand
	open opener
	name string
	flag int
	file anyFile
	free bool // of the limits of O_DIRECT
}

// modelFlags are how files are opened; O_DIRECT comes with the system.
var modelFlags = append([]int{os.O_RDWR, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_SYNC, os.O_RDONLY, os.O_RDWR | os.O_APPEND | os.O_SYNC}, directFlags...)

func runProgram(seed uint64, open opener, dir string) (seen string, content []byte) {
	p := &program{rand: rand.New(rand.NewPCG(seed, 1)), open: open, name: filepath.Join(dir, "file")}
	p.dir = dir
	p.flag = modelFlags[p.rand.IntN(len(modelFlags))]
	if isDirect(p.flag) && !takesDirect(dir) {
		p.flag = os.O_RDWR
	}
	p.free = !isDirect(p.flag)
	if err := os.WriteFile(p.name, bytes.Repeat([]byte("start"), p.rand.IntN(5000)), 0o600); err != nil {
		panic(err)
	}
	p.reopen()
	for range *steps {
		p.step()
	}
	p.note("close", p.file.Close())
	content, err := os.ReadFile(p.name)
	p.note("content", err)
	return p.String(), content
}

func (p *program) reopen() {
	if p.file != nil {
		p.note("close", p.file.Close())
	}
	f, err := p.open(p.name, p.flag, 0)
	if err != nil {
		panic(err)
	}
	p.file = f
}

// bytes returns some bytes, which O_DIRECT takes.
func (p *program) bytes() []byte {
	sizes := []int{0, 1, 7, 100, 4096, 5000, 20000}
	if !p.free {
		sizes = []int{512, 4096, 8192}
	}
	b := alignedBytes(sizes[p.rand.IntN(len(sizes))])
	for i := range b {
		b[i] = byte(p.rand.Uint32())
	}
	return b
}

func (p *program) offset() int64 {
	off := p.rand.Int64N(40000)
	if !p.free {
		return off &^ 4095
	}
	return off - 10
}

func (p *program) step() {
	switch p.rand.IntN(14) {
	case 0, 1:
		b := p.bytes()
		n, err := p.file.Read(b)
		p.note("read", len(b), n, err, b[:n])
	case 2, 3, 4:
		b, off := p.bytes(), p.offset()
		n, err := p.file.ReadAt(b, off)
		p.note("readat", len(b), off, n, err, b[:n])
	case 5, 6:
		b := p.bytes()
		n, err := p.file.Write(b)
		p.note("write", len(b), n, err)
	case 7, 8:
		b, off := p.bytes(), p.offset()
		n, err := p.file.WriteAt(b, off)
		p.note("writeat", len(b), off, n, err)
	case 9:
		off, whence := p.offset(), p.rand.IntN(4)
		if !p.free {
			whence = io.SeekStart
		}
		at, err := p.file.Seek(off, whence)
		p.note("seek", off, whence, at, err)
	case 10:
		size := p.offset()
		p.note("truncate", size, p.file.Truncate(size))
	case 11:
		p.note("sync", p.file.Sync())
	case 12:
		info, err := p.file.Stat()
		p.note("stat", info.Size(), info.Mode(), err)
	case 13:
		if p.rand.IntN(4) == 0 {
			p.reopen()
		}
	}
}

// Random programs see the same on ringio and on os, and leave the same file behind.
func TestModelOfFiles(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	engines := map[string]*Engine{
		"ring": ownEngine(t, Options{}), "busy": busyEngine(t, Options{Entries: 4}), "fallback": ownEngine(t, Options{NoRing: true}),
		"SQPOLL": busyEngine(t, Options{SQPoll: 10 * time.Millisecond}),
	}
	for i := range uint64(5) {
		want, wantContent := runProgram(first+i, byOS, t.TempDir())
		for name, e := range engines {
			got, content := runProgram(first+i, by(e), t.TempDir())
			require.Equal(t, want, got, "%s: -seed %d", name, first+i)
			require.True(t, bytes.Equal(wantContent, content), "%s: content: -seed %d", name, first+i)
		}
	}
}

// stormBlock is what each goroutine of the storm reads and writes: blocks that say whose
// they are and which version.
const stormBlock = 512

func stormContent(b []byte, owner, version int) {
	copy(b, fmt.Sprintf("%8d %8d ", owner, version))
	for i := 18; i < len(b); i++ {
		b[i] = byte(i*owner + version)
	}
}

// Two thousand goroutines read, write, sync, cancel and close at random, while others
// end the threads that submit for them.
func TestStormOfFiles(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		stop := time.Now().Add(*storm)
		var done, cancelled atomic.Int64
		var all sync.WaitGroup
		all.Go(func() {
			for time.Now().Before(stop) {
				var threads sync.WaitGroup
				for range 4 {
					threads.Go(runtime.LockOSThread) // and the thread ends
				}
				threads.Wait()
				time.Sleep(2 * time.Millisecond)
			}
		})
		for owner := range 2000 {
			all.Go(func() {
				s := &stormer{engine: e, owner: owner, name: filepath.Join(dir, fmt.Sprint(owner%50)), rand: rand.New(rand.NewPCG(uint64(owner), 1))}
				for time.Now().Before(stop) {
					s.step()
				}
				if s.file != nil {
					s.file.Close()
				}
				done.Add(int64(s.done))
				cancelled.Add(int64(s.cancelled))
			})
		}
		all.Wait()
		require.Positive(t, done.Load())
		require.Zero(t, e.Stats().InFlight)
		t.Logf("%d operations, %d cancelled, %+v", done.Load(), cancelled.Load(), e.Stats())
	})
}

// stormer is a goroutine of the storm: a block of a file is its own.
type stormer struct {
	engine    *Engine
	owner     int
	name      string
	rand      *rand.Rand
	file      *File
	version   int
	unsure    bool // a write was cancelled, which may have happened
	done      int
	cancelled int
}

func (s *stormer) offset() int64 { return int64(s.owner) * stormBlock }

// step opens the file if it is not open, and does something at random.
func (s *stormer) step() {
	if s.file == nil {
		flag := os.O_RDWR | os.O_CREATE
		if s.rand.IntN(8) == 0 {
			flag |= os.O_SYNC
		}
		f, err := s.engine.OpenFile(s.name, flag, 0o600)
		if errors.Is(err, syscall.EMFILE) { // by garbage, which the collector does not count in descriptors
			runtime.GC()
			return
		}
		if err != nil {
			panic(err)
		}
		s.file = f
	}
	ctx, cancel := context.Background(), func() {}
	if s.rand.IntN(3) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(s.rand.IntN(300))*time.Microsecond)
	}
	defer cancel()
	var err error
	switch n := s.rand.IntN(100); {
	case n < 45:
		err = s.read(ctx)
	case n < 90:
		err = s.write(ctx)
	case n < 92:
		err = s.file.SyncContext(ctx)
	case n < 94: // garbage, which must not be closed while anything is in flight
		s.file = nil
	default:
		err = s.file.Close()
		s.file = nil
	}
	s.done++
	if errors.Is(err, context.DeadlineExceeded) {
		s.cancelled++
	} else if err != nil {
		panic(err)
	}
}

func (s *stormer) read(ctx context.Context) error {
	b := make([]byte, stormBlock)
	if _, err := s.file.ReadAtContext(ctx, b, s.offset()); err != nil {
		if err == io.EOF && (s.version == 0 || s.unsure) {
			return nil
		}
		return err
	}
	if s.version == 0 || s.unsure {
		return nil
	}
	want := make([]byte, stormBlock)
	stormContent(want, s.owner, s.version)
	if !bytes.Equal(want, b) {
		panic(fmt.Sprintf("owner %d version %d read %q", s.owner, s.version, b[:18]))
	}
	return nil
}

func (s *stormer) write(ctx context.Context) error {
	b := make([]byte, stormBlock)
	s.version++
	stormContent(b, s.owner, s.version)
	n, err := s.file.WriteAtContext(ctx, b, s.offset())
	if err == nil && n != len(b) {
		return io.ErrShortWrite
	}
	s.unsure = err != nil
	var path *fs.PathError
	if err != nil && !errors.As(err, &path) {
		panic(err)
	}
	return err
}
