//go:build linux && cgo

// Package ffi calls functions of a C library by name. Only tests use it: they
// hold Go's half of the package to liburing-ffi, which has the functions that
// liburing.h inlines as real ones.
package ffi

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdint.h>
// #include <stdlib.h>
//
// typedef uint64_t (*go_func)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
//                             uint64_t, uint64_t, uint64_t, uint64_t);
//
// // All arguments are integers or pointers, so each takes a register or a word
// // of the stack; a function does not look at those it has not.
// static uint64_t go_call(void *f, const uint64_t *a)
// {
//     return ((go_func)f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
// }
//
// #cgo noescape go_call
// #cgo nocallback go_call
import "C"

import (
	"errors"
	"unsafe"
)

// Library is a shared library that was opened.
type Library struct{ handle unsafe.Pointer }

// Open opens the shared library at path. It stays open until the process ends.
func Open(path string) (Library, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL)
	if handle == nil {
		return Library{}, errors.New(C.GoString(C.dlerror()))
	}
	return Library{handle}, nil
}

// Func is a function of a library.
type Func struct{ f unsafe.Pointer }

// Func returns a function by its name, false if the library has none.
func (l Library) Func(name string) (Func, bool) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	f := C.dlsym(l.handle, cname)
	return Func{f}, f != nil
}

// Call calls the function with at most nine integers or addresses. What an
// address points to must stay where it is: on the heap, or in C memory.
func (f Func) Call(args ...uint64) uint64 {
	var a [9]C.uint64_t
	for i, arg := range args {
		a[i] = C.uint64_t(arg)
	}
	return uint64(C.go_call(f.f, &a[0]))
}
