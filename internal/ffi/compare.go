//go:build linux && cgo

package ffi

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

	"github.com/stretchr/testify/require"
)

// The differential tests: each function that liburing.h inlines, and that is written
// again in Go, is called on both sides with the same random arguments and the same stale
// memory; afterwards all bytes must be equal. liburing-ffi has the inlined functions as
// real ones. What prepares an entry is compared in tests/differential, all else (the
// queues, completions, received messages, buffer rings) in the root.

// cases is how often each function is compared.
const cases = 10_000

// IsPrep tells the functions that only fill an entry.
var IsPrep = regexp.MustCompile(`^(io_uring_prep_|io_uring_sqe_set_|__io_uring_set_target_fixed_file)`)

// RequireLines fails unless each function of one part of those that the vendored header
// inlines has a line in a table, or a reason why not, and each line a function. liburing's
// own helpers, with an underscore in front, count if the library exports them. root is the
// repository.
func RequireLines[L any](t *testing.T, root string, lib Library, preps bool, table map[string]L, notCompared map[string]string) {
	t.Helper()
	names := slices.DeleteFunc(inlinedFunctions(t, root), func(name string) bool { return IsPrep.MatchString(name) != preps })
	for _, name := range names {
		_, line := table[name]
		_, reason := notCompared[name]
		require.True(t, line != reason, "%s must have one line, in the table or in notCompared", name)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(table)), slices.Collect(maps.Keys(notCompared))) {
		require.Equal(t, preps, IsPrep.MatchString(name), "%s is compared elsewhere", name)
		if _, ok := lib.Func(name); !ok {
			require.True(t, olderThanPin(t, root), "there is a line for %s, but liburing has no such function", name)
		}
	}
	t.Logf("%d functions", len(names))
}

// inlinedFunctions returns the names of the functions that the header inlines
// for its users, in all families that the library's map of symbols shows.
func inlinedFunctions(t *testing.T, root string) []string {
	exported := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(_*io_uring_\w+);`).FindAllStringSubmatch(readVendored(t, root, "src/src/liburing-ffi.map"), -1) {
		exported[m[1]] = true
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^IOURINGINLINE\s[^;{}()]*?(\w+)\(`).FindAllStringSubmatch(readVendored(t, root, "include/liburing.h"), -1) {
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

func readVendored(t *testing.T, root, path string) string {
	text, err := os.ReadFile(filepath.Join(root, "third_party/liburing", path))
	require.NoError(t, err)
	return string(text)
}

// olderThanPin reports whether another version than the pinned one is vendored:
// the fallback, which lacks functions.
func olderThanPin(t *testing.T, root string) bool {
	lock, err := os.ReadFile(filepath.Join(root, "third_party/liburing.lock"))
	require.NoError(t, err)
	pin := regexp.MustCompile(`(?m)^pin\s+(\S+)`).FindStringSubmatch(string(lock))
	require.NotNil(t, pin, "third_party/liburing.lock has no line for the pin")
	return !strings.HasPrefix(readVendored(t, root, "vendored"), pin[1]+" ")
}

// EachLine runs the cases of each line of a table. The seeds of one that failed
// make it again: Random.Reseed.
func EachLine[L any](t *testing.T, lib Library, table map[string]L, g *Random, compare func(*testing.T, Func, L)) {
	seed := rand.Uint64()
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		f, ok := lib.Func(name)
		if !ok { // RequireLines judges that
			missing = append(missing, name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			i := uint64(0)
			defer func() {
				if t.Failed() {
					t.Logf("the case's seeds: %d, %d", seed, i)
				}
			}()
			for ; i < cases; i++ {
				g.Reseed(seed, i)
				compare(t, f, table[name])
			}
		})
	}
	t.Logf("%d functions compared, %d cases each; the library lacks %d: %v",
		len(table)-len(missing), cases, len(missing), missing)
}

// Differences lists what is not equal, field by field.
func Differences(what string, ours, theirs any) string {
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

// Vendored returns the vendored liburing-ffi as a shared library. root is the repository.
func Vendored(t testing.TB, root string) Library {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, archive)); err != nil {
		t.Skipf("%v: run scripts/vendor-liburing.sh", err)
	}
	NeedsCompiler(t)
	lib, err := link(root)
	require.NoError(t, err)
	return lib
}

const archive = "third_party/liburing/lib/liburing-ffi.a"

var linked struct {
	sync.Once
	lib Library
	err error
}

// link makes one of the archive, once.
func link(root string) (Library, error) {
	linked.Do(func() { linked.lib, linked.err = linkArchive(filepath.Join(root, archive)) })
	return linked.lib, linked.err
}

func linkArchive(archive string) (Library, error) {
	dir, err := os.MkdirTemp("", "ffi")
	if err != nil {
		return Library{}, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "ffi.so")
	out, err := exec.Command(Compiler(), "-shared", "-o", name, "-Wl,-Bsymbolic", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive").CombinedOutput()
	if err != nil {
		return Library{}, fmt.Errorf("linking %s: %w\n%s", archive, err, out)
	}
	return Open(name)
}

// Random makes arguments, with a taste for the edges.
type Random struct {
	*rand.Rand
	Mem    []byte
	source *rand.PCG
}

// NewRandom returns one that Reseed makes random.
func NewRandom() *Random {
	source := rand.NewPCG(0, 0)
	return &Random{rand.New(source), make([]byte, 1<<16), source}
}

// Reseed has it go on as it does after these seeds.
func (g *Random) Reseed(seed1, seed2 uint64) { g.source.Seed(seed1, seed2) }

// U64 returns any number, an edge now and then.
func (g *Random) U64() uint64 {
	if g.IntN(8) == 0 {
		return []uint64{0, 1, ^uint64(0), 1 << 63, 1<<32 - 1, 1 << 32}[g.IntN(6)]
	}
	return g.Uint64()
}

// U32 returns the lower half of such a number.
func (g *Random) U32() uint32 { return uint32(g.U64()) }

// U16 returns its lower quarter.
func (g *Random) U16() uint16 { return uint16(g.U64()) }

// U8 returns its lowest byte.
func (g *Random) U8() uint8 { return uint8(g.U64()) }

// Buf returns some of Mem, nil now and then.
func (g *Random) Buf() []byte {
	if g.IntN(8) == 0 {
		return nil
	}
	i := g.IntN(len(g.Mem))
	return g.Mem[i : i+g.IntN(len(g.Mem)-i)]
}

// Fill writes random bytes, a multiple of eight.
func (g *Random) Fill(p unsafe.Pointer, size uintptr) {
	words := unsafe.Slice((*uint64)(p), size/8)
	for i := range words {
		words[i] = g.Uint64()
	}
}

// What C gets is worked out without the functions that are tested.

// Word is an int as C gets it.
func Word(n int) uint64 { return uint64(uint32(n)) }

// First is where a slice begins.
func First[T any](s []T) uint64 { return At(unsafe.SliceData(s)) }

// Size is how long it is.
func Size[T any](s []T) uint64 { return uint64(len(s)) }

// At is the address of what C is given. A goroutine's stack may move, so nothing
// of it must lie there.
func At[T any](p *T) uint64 {
	onHeap = unsafe.Pointer(p)
	return uint64(uintptr(onHeap))
}

var onHeap unsafe.Pointer
