//go:build linux && cgo

package liburing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing/internal/ffi"
	"github.com/stretchr/testify/require"
)

// The differential test: each function that liburing.h inlines, and that is
// written again in Go, is called on both sides with the same random arguments
// and the same stale memory; afterwards all bytes must be equal. liburing-ffi
// has the inlined functions as real ones.
//
// A function has one line in one of three tables: preps (what changes an entry),
// inlines (the queues, completions, received messages, buffer rings), or
// notCompared.

// cases is how often each function is compared.
const cases = 10_000

// notCompared are inlined functions without a line, and why.
var notCompared = map[string]string{
	"io_uring_buf_ring_available": "asks the kernel",
	"io_uring_cqe_iter_init":      "returns the struct that io_uring_cqe_iter_next goes on with; Go has the loop, Ring.CQEs",
}

// Every function that the vendored header inlines has a line, or a reason why
// not, and every line has a function. liburing's own helpers, with an underscore
// in front, count if the library exports them.
func TestEveryInlinedFunctionIsCompared(t *testing.T) {
	lib := loadFFI(t)
	names := inlinedFunctions(t)
	for _, name := range names {
		tables := 0
		for _, found := range []bool{preps[name] != nil, inlines[name] != nil, notCompared[name] != ""} {
			if found {
				tables++
			}
		}
		require.Equal(t, 1, tables, "%s must have one line, in preps (differential_preps_test.go), inlines (differential_inlines_test.go) or notCompared (here)", name)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(preps)), slices.Collect(maps.Keys(inlines)), slices.Collect(maps.Keys(notCompared))) {
		if _, ok := lib.Func(name); !ok {
			require.True(t, olderThanPin(t), "there is a line for %s, but liburing has no such function", name)
		}
	}
	t.Logf("%d functions of liburing %s", len(names), Version())
}

// inlinedFunctions returns the names of the functions that the header inlines
// for its users, in all families that the library's map of symbols shows.
func inlinedFunctions(t *testing.T) []string {
	exported := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(_*io_uring_\w+);`).FindAllStringSubmatch(readVendored(t, "src/src/liburing-ffi.map"), -1) {
		exported[m[1]] = true
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^IOURINGINLINE\s[^;{}()]*?(\w+)\(`).FindAllStringSubmatch(readVendored(t, "include/liburing.h"), -1) {
		if name := m[1]; name[0] != '_' || exported[name] {
			names[name] = true
		}
	}
	family := regexp.MustCompile(`^io_uring_(prep|sqe|cqe|recvmsg)_`)
	for name := range exported {
		require.True(t, names[name] || !family.MatchString(name), "%s is exported, but the header's text does not show it", name)
	}
	require.NotEmpty(t, names)
	return slices.Sorted(maps.Keys(names))
}

func readVendored(t *testing.T, path string) string {
	text, err := os.ReadFile(filepath.Join("third_party/liburing", path))
	require.NoError(t, err)
	return string(text)
}

// olderThanPin reports whether another version than the pinned one is vendored:
// the fallback, which lacks functions.
func olderThanPin(t *testing.T) bool {
	lock, err := os.ReadFile("third_party/liburing.lock")
	require.NoError(t, err)
	pin := regexp.MustCompile(`(?m)^pin\s+(\S+)`).FindStringSubmatch(string(lock))
	require.NotNil(t, pin, "third_party/liburing.lock has no line for the pin")
	return !strings.HasPrefix(readVendored(t, "vendored"), pin[1]+" ")
}

// Both sides write the same bytes into an entry that a former request used.
func TestPrepsWriteWhatCWrites(t *testing.T) {
	lib := loadFFI(t)
	eachLine(t, lib, preps, func(t *testing.T, f ffi.Func, prep func(*SQE, *random) []uint64, g *random) {
		ours, theirs := bothEntries(f, prep, g)
		if ours != theirs {
			t.Fatal(differences("entry", ours, theirs))
		}
	})
}

// Both sides read and change a ring's memory alike, and return the same.
func TestInlinesDoWhatCDoes(t *testing.T) {
	lib := loadFFI(t)
	eachLine(t, lib, inlines, func(t *testing.T, f ffi.Func, line inline, g *random) {
		ours, theirs := line(f, g)
		if ours != theirs {
			t.Fatal(differences("result", ours, theirs))
		}
	})
}

// eachLine runs the cases of each line of a table. The seeds of one that failed
// make it again: g.reseed.
func eachLine[L any](t *testing.T, lib ffi.Library, table map[string]L, compare func(*testing.T, ffi.Func, L, *random)) {
	seed := rand.Uint64()
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		f, ok := lib.Func(name)
		if !ok { // TestEveryInlinedFunctionIsCompared judges that
			missing = append(missing, name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			g, i := newRandom(lib), uint64(0)
			defer func() {
				if t.Failed() {
					t.Logf("the case's seeds: %d, %d", seed, i)
				}
			}()
			for ; i < cases; i++ {
				g.reseed(seed, i)
				compare(t, f, table[name], g)
			}
		})
	}
	t.Logf("%d functions compared, %d cases each; liburing %s lacks %d: %v",
		len(table)-len(missing), cases, Version(), len(missing), missing)
}

// differences lists what is not equal, field by field.
func differences(what string, ours, theirs any) string {
	var b strings.Builder
	differ(&b, what, reflect.ValueOf(ours), reflect.ValueOf(theirs))
	return b.String()
}

func differ(b *strings.Builder, what string, ours, theirs reflect.Value) {
	switch {
	case ours.Kind() == reflect.Struct:
		for i := range ours.NumField() {
			differ(b, what+"."+ours.Type().Field(i).Name, ours.Field(i), theirs.Field(i))
		}
	case ours.Kind() == reflect.Array:
		for i := range ours.Len() {
			differ(b, fmt.Sprintf("%s[%d]", what, i), ours.Index(i), theirs.Index(i))
		}
	default:
		if o, t := fmt.Sprintf("%#v", ours), fmt.Sprintf("%#v", theirs); o != t {
			fmt.Fprintf(b, "\n%s: Go %s, C %s", what, o, t)
		}
	}
}

// bothEntries prepares one entry in Go and one in C and returns what became of
// them, and of the 64 bytes behind them.
func bothEntries(f ffi.Func, prep func(*SQE, *random) []uint64, g *random) (ours, theirs [2]SQE) {
	a, b := new([2]SQE), new([2]SQE)
	g.fill(unsafe.Pointer(a), unsafe.Sizeof(*a))
	*b = *a
	args := prep(&a[0], g)
	if len(args) > 1 && args[1] == entry {
		args[1] = at(b)
	} else {
		args = append([]uint64{at(b)}, args...)
	}
	f.Call(args...)
	return *a, *b
}

// FuzzPrep goes on where TestPrepsWriteWhatCWrites ends.
func FuzzPrep(f *testing.F) {
	lib := loadFFI(f)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(preps)), func(name string) bool {
		_, ok := lib.Func(name)
		return !ok
	})
	for i := range names {
		f.Add(uint64(1), uint64(2), uint16(i))
	}
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64, which uint16) {
		name := names[int(which)%len(names)]
		fn, _ := lib.Func(name)
		g := newRandom(lib)
		g.reseed(seed1, seed2)
		if ours, theirs := bothEntries(fn, preps[name], g); ours != theirs {
			t.Fatal(name, differences("entry", ours, theirs))
		}
	})
}

// loadFFI returns the vendored liburing-ffi as a shared library.
func loadFFI(t testing.TB) ffi.Library {
	t.Helper()
	if _, err := os.Stat(ffiArchive); err != nil {
		t.Skipf("%v: run scripts/vendor-liburing.sh", err)
	}
	ffi.NeedsCompiler(t)
	lib, err := linkFFI()
	require.NoError(t, err)
	return lib
}

const ffiArchive = "third_party/liburing/lib/liburing-ffi.a"

var linkFFI = sync.OnceValues(func() (ffi.Library, error) {
	dir, err := os.MkdirTemp("", "ffi")
	if err != nil {
		return ffi.Library{}, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "ffi.so")
	out, err := exec.Command(ffi.Compiler(), "-shared", "-o", name, "-Wl,-Bsymbolic", "-Wl,--whole-archive", ffiArchive, "-Wl,--no-whole-archive").CombinedOutput()
	if err != nil {
		return ffi.Library{}, fmt.Errorf("linking %s: %w\n%s", ffiArchive, err, out)
	}
	return ffi.Open(name)
})

// random makes arguments, with a taste for the edges.
type random struct {
	*rand.Rand
	source *rand.PCG
	mem    []byte
	rings  [2]fakeRing
	mixed  bool // the library knows queues with entries of both sizes
}

func newRandom(lib ffi.Library) *random {
	source := rand.NewPCG(0, 0)
	_, mixed := lib.Func("io_uring_get_sqe128")
	return &random{Rand: rand.New(source), source: source, mem: make([]byte, 1<<16), mixed: mixed}
}

func (g *random) reseed(seed1, seed2 uint64) { g.source.Seed(seed1, seed2) }

func (g *random) u64() uint64 {
	if g.IntN(8) == 0 {
		return []uint64{0, 1, ^uint64(0), 1 << 63, 1<<32 - 1, 1 << 32}[g.IntN(6)]
	}
	return g.Uint64()
}

func (g *random) u32() uint32 { return uint32(g.u64()) }

func (g *random) u16() uint16 { return uint16(g.u64()) }

func (g *random) u8() uint8 { return uint8(g.u64()) }

func (g *random) int() int { return int(int32(g.u64())) }

func (g *random) fd() int { return g.int() }

// place is the index of a registered buffer that an entry can hold, or -1.
func (g *random) place() int { return g.IntN(1<<16+1) - 1 }

// index is that of a registered file.
func (g *random) index() uint32 {
	if g.IntN(4) == 0 {
		return FileIndexAlloc
	}
	return g.u32()
}

func (g *random) buf() []byte {
	if g.IntN(8) == 0 {
		return nil
	}
	i := g.IntN(len(g.mem))
	return g.mem[i : i+g.IntN(len(g.mem)-i)]
}

func (g *random) path() *byte {
	if g.IntN(8) == 0 {
		return nil
	}
	return &g.mem[g.IntN(len(g.mem))]
}

func (g *random) sockaddr() *Sockaddr {
	a := orNil[Sockaddr](g)
	if a != nil {
		a.len = uint32(g.IntN(1 << 16))
	}
	return a
}

func orNil[T any](g *random) *T {
	if g.IntN(8) == 0 {
		return nil
	}
	return new(T)
}

func some[T any](g *random) []T {
	if g.IntN(8) == 0 {
		return nil
	}
	return make([]T, g.IntN(20))
}

// fill writes random bytes, a multiple of eight.
func (g *random) fill(p unsafe.Pointer, size uintptr) {
	words := unsafe.Slice((*uint64)(p), size/8)
	for i := range words {
		words[i] = g.Uint64()
	}
}
