//go:build linux

package loop_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// keptRequest is a request in the queue, and its memory.
type keptRequest struct {
	name   string
	sqe    *liburing.SQE
	memory []weak.Pointer[byte]
}

// keepArguments makes a request with memory that nothing else refers to.
//
//go:noinline
func keepArguments(t *testing.T, name string, method reflect.Value) keptRequest {
	k := keptRequest{name: name}
	var args []reflect.Value
	var paths []string
	for i := range method.Type().NumIn() {
		typ := method.Type().In(i)
		arg := reflect.New(typ).Elem()
		switch {
		case typ.Kind() == reflect.String:
			paths = append(paths, fmt.Sprintf("%s-%02d-%s", "path", i, strings.Repeat("x", 20)))
			arg.SetString(paths[len(paths)-1])
		case typ.Kind() == reflect.Pointer:
			// Small objects share memory: a number of them do not.
			arg.Set(reflect.MakeSlice(reflect.SliceOf(typ.Elem()), 32, 32).Index(0).Addr())
			k.watch(arg.UnsafePointer())
		case typ == reflect.TypeFor[[][]byte]():
			for range 3 {
				b := make([]byte, 64)
				k.watch(unsafe.Pointer(&b[0]))
				arg.Set(reflect.Append(arg, reflect.ValueOf(b)))
			}
		case typ.Kind() == reflect.Slice:
			arg.Set(reflect.MakeSlice(typ, 32, 32))
			k.watch(arg.UnsafePointer())
		}
		args = append(args, arg)
	}
	req := method.Call(args)[0].Interface().(liburing.Request)
	require.NoError(t, req.Err(), name)
	k.sqe = req.SQE()
	for _, path := range paths {
		p := pathIn(k.sqe, path)
		require.NotNil(t, p, "%s: no address of %s is in the entry", name, path)
		k.watch(p)
	}
	return k
}

func (k *keptRequest) watch(p unsafe.Pointer) {
	k.memory = append(k.memory, weak.Make((*byte)(p)))
}

// pathIn returns the address in an entry where the kernel would find the path.
// The other arguments are zero, so what is not zero is an address.
func pathIn(s *liburing.SQE, path string) unsafe.Pointer {
	for _, field := range []*uint64{&s.Addr, &s.Off, &s.Addr3} {
		p := *(*unsafe.Pointer)(unsafe.Pointer(field))
		if p != nil && unix.BytePtrToString((*byte)(p)) == path {
			return p
		}
	}
	return nil
}

// alive counts the pieces of memory that the collector has not freed.
func (k *keptRequest) alive() (n int) {
	for _, p := range k.memory {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// Whatever memory a request names stays alive while it is in flight, without
// anybody else referring to it, and no longer.
func TestLoopKeepsMemory(t *testing.T) {
	l := ringtest.NewLoop(t, 256)
	var requests []keptRequest
	n := ringtest.RequestMethods(l, func(name string, method reflect.Value) {
		requests = append(requests, keepArguments(t, name, method))
	})
	require.Greater(t, n, 90)
	for range 2 {
		runtime.GC()
	}
	for _, k := range requests {
		require.Equal(t, len(k.memory), k.alive(), "%s: memory was freed", k.name)
		// The kernel is to see none of this.
		token := k.sqe.UserData
		*k.sqe = liburing.SQE{UserData: token}
		k.sqe.PrepNop()
	}
	ringtest.RunIdle(t, l)
	for _, k := range requests {
		require.Eventually(t, func() bool {
			runtime.GC()
			return k.alive() == 0
		}, 10*time.Second, time.Millisecond, "%s: memory is kept for ever", k.name)
	}
}

// A path with a NUL byte is an error of its own request, in every place that
// takes one, and the others run.
func TestLoopRefusesNULBytes(t *testing.T) {
	l := ringtest.NewLoop(t, 256)
	paths, refused, nops := 0, 0, 0
	ringtest.RequestMethods(l, func(name string, method reflect.Value) {
		typ := method.Type()
		for i := range typ.NumIn() {
			if typ.In(i).Kind() != reflect.String {
				continue
			}
			paths++
			args := make([]reflect.Value, typ.NumIn())
			for j := range args {
				args[j] = reflect.Zero(typ.In(j))
			}
			args[i] = reflect.ValueOf("a\x00b")
			args[len(args)-1] = reflect.ValueOf(liburing.Callback(func(c liburing.Completion) {
				refused++
				require.ErrorIs(t, c.Err(), unix.EINVAL, name)
				require.ErrorContains(t, c.Err(), "NUL", name)
			}))
			method.Call(args)
			l.Nop(func(c liburing.Completion) {
				nops++
				require.NoError(t, c.Err())
			})
		}
	})
	ringtest.RunIdle(t, l)
	require.Greater(t, paths, 20)
	require.Equal(t, paths, refused)
	require.Equal(t, paths, nops)
}
