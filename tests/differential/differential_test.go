//go:build linux && cgo

// Package differential_test compares what the Prep methods write with what C writes.
package differential_test

import (
	"maps"
	"slices"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ffi"
	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }

const root = "../.."

// Every function that the vendored header inlines to prepare an entry has a line.
func TestEveryPrepIsCompared(t *testing.T) {
	ffi.RequireLines(t, root, ffi.Vendored(t, root), true, preps, nil)
}

// Both sides write the same bytes into an entry that a former request used.
func TestPrepsWriteWhatCWrites(t *testing.T) {
	g := random{ffi.NewRandom()}
	ffi.EachLine(t, ffi.Vendored(t, root), preps, g.Random, func(t *testing.T, f ffi.Func, prep prep) {
		ours, theirs := bothEntries(f, prep, g)
		if ours != theirs {
			t.Fatal(ffi.Differences("entry", ours, theirs))
		}
	})
}

// bothEntries prepares one entry in Go and one in C and returns what became of
// them, and of the 64 bytes behind them.
func bothEntries(f ffi.Func, prep prep, g random) (ours, theirs [2]liburing.SQE) {
	a, b := new([2]liburing.SQE), new([2]liburing.SQE)
	g.Fill(unsafe.Pointer(a), unsafe.Sizeof(*a))
	*b = *a
	args := prep(&a[0], g)
	if len(args) > 1 && args[1] == entry {
		args[1] = ffi.At(b)
	} else {
		args = append([]uint64{ffi.At(b)}, args...)
	}
	f.Call(args...)
	return *a, *b
}

// FuzzPrep goes on where TestPrepsWriteWhatCWrites ends.
func FuzzPrep(f *testing.F) {
	lib := ffi.Vendored(f, root)
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
		g := random{ffi.NewRandom()}
		g.Reseed(seed1, seed2)
		if ours, theirs := bothEntries(fn, preps[name], g); ours != theirs {
			t.Fatal(name, ffi.Differences("entry", ours, theirs))
		}
	})
}

// random makes arguments of Prep methods.
type random struct{ *ffi.Random }

func (g random) int() int { return int(int32(g.U64())) }

func (g random) fd() int { return g.int() }

// place is the index of a registered buffer that an entry can hold, or -1.
func (g random) place() int { return g.IntN(1<<16+1) - 1 }

// index is that of a registered file.
func (g random) index() uint32 {
	if g.IntN(4) == 0 {
		return liburing.FileIndexAlloc
	}
	return g.U32()
}

func (g random) path() *byte {
	if g.IntN(8) == 0 {
		return nil
	}
	return &g.Mem[g.IntN(len(g.Mem))]
}

func (g random) sockaddr() *liburing.Sockaddr {
	a := orNil[liburing.Sockaddr](g)
	if a != nil {
		*ringtest.SockaddrLen(a) = uint32(g.IntN(1 << 16))
	}
	return a
}

func orNil[T any](g random) *T {
	if g.IntN(8) == 0 {
		return nil
	}
	return new(T)
}

func some[T any](g random) []T {
	if g.IntN(8) == 0 {
		return nil
	}
	return make([]T, g.IntN(20))
}
