//go:build linux

package ringtest

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"github.com/go-liburing/liburing"
)

// What the library keeps to itself and tests in other packages look at: reflection
// finds it by name, and panics when a name has changed.

// Books is what a loop has noted of requests that have not ended, its own apart. On a
// loop that is idle or closed it is the zero Books.
type Books struct {
	Handles int // taken places of the handle table
	Asides  int // those of them with a context, a deadline, a quiet chain and the like
}

// BooksOf returns a loop's books. Call it on the loop's thread, or while the loop
// does not run.
func BooksOf(l *liburing.Loop) (b Books) {
	b.Handles = taken(inside(l, "table")) - int(inside(l, "inner").Int())
	asides := inside(l, "table", "asides")
	for i := range asides.Len() {
		if !asides.Index(i).IsNil() {
			b.Asides++
		}
	}
	return b
}

// Asleep returns the flag that is set while a loop may be blocked in the kernel, so
// that a post has to wake it.
func Asleep(l *liburing.Loop) *atomic.Bool { return pointer[atomic.Bool](l, "mail", "sleeping") }

// Pending returns how many timers of a loop are armed, its own too. Call it as BooksOf.
func Pending(l *liburing.Loop) int { return int(inside(l, "timers", "Pending").Int()) }

// queued reports whether the kernel has not been told of some requests, but for
// those that are held back.
func queued(l *liburing.Loop) bool {
	sq := inside(l, "ring", "mem", "sq")
	return sq.FieldByName("sqeTail").Uint() != sq.FieldByName("sqeHead").Uint() ||
		inside(l, "backlog", "n").Int() > 0 && !inside(l, "stuck").Bool()
}

// closed reports whether a loop's ring has gone back to the kernel.
func closed(l *liburing.Loop) bool {
	select {
	case <-*pointer[chan struct{}](l, "done"):
		return true
	default:
		return false
	}
}

// Group is what a group of buffers knows of them.
type Group struct {
	ID      uint16
	Buffers int
	Ready   int // that the kernel has
	Leases  int // what callbacks have borrowed
	Users   int // requests in flight
	Waiting int // streams that wait for buffers
	Mapped  bool
}

// InsideGroup returns what a group knows, under the conditions of BooksOf.
func InsideGroup(g *liburing.BufGroup) Group {
	return Group{
		ID:      uint16(inside(g, "ring", "bgid").Uint()),
		Buffers: inside(g, "bufs").Len(),
		Ready:   int(inside(g, "ready").Int()),
		Leases:  taken(inside(g, "leases")),
		Users:   int(inside(g, "users").Int()),
		Waiting: int(inside(g, "waiting", "n").Int()),
		Mapped:  !inside(g, "mem").IsNil(),
	}
}

// RingOf returns the ring of a group's buffers.
func RingOf(g *liburing.BufGroup) *liburing.BufRing {
	return *pointer[*liburing.BufRing](g, "ring")
}

// RingOfLoop returns a loop's ring, for what Control's callers leave alone.
func RingOfLoop(l *liburing.Loop) *liburing.Ring { return pointer[liburing.Ring](l, "ring") }

// SockaddrLen returns where an address keeps its length.
func SockaddrLen(a *liburing.Sockaddr) *uint32 { return pointer[uint32](a, "len") }

// taken returns how many of some places are.
func taken(slots reflect.Value) int {
	return int(uint32(slots.FieldByName("uses").Uint() - slots.FieldByName("freed").Uint()))
}

// NextGroup returns the number that the loop's next group of buffers tries first.
func NextGroup(l *liburing.Loop) *uint16 { return pointer[uint16](l, "nextGroup") }

// inside returns a field of what v points to, by the names on the way to it.
func inside(v any, names ...string) reflect.Value {
	r := reflect.ValueOf(v)
	for _, name := range names {
		for r.Kind() == reflect.Pointer {
			r = r.Elem()
		}
		if r = r.FieldByName(name); !r.IsValid() {
			panic("there is no field " + name + " any more: see internal/ringtest/inside.go")
		}
	}
	return r
}

// pointer returns a pointer to such a field, whose type is T.
func pointer[T any](v any, names ...string) *T {
	field := inside(v, names...)
	if want := reflect.TypeFor[T](); field.Type() != want {
		panic("the field " + names[len(names)-1] + " is no " + want.String() + " any more: see internal/ringtest/inside.go")
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr()))
}

// Drains reports whether a request has drained the loop's ring, under the conditions
// of BooksOf.
func Drains(l *liburing.Loop) bool { return inside(l, "drains").Bool() }
