// Crash faults inside liburing, so that a test can see what cgosymbolizer makes
// of the traceback: the C function's name, its file and its line.
package main

// #cgo CFLAGS: -I${SRCDIR}/../../third_party/liburing/include -D_GNU_SOURCE
// #cgo LDFLAGS: -L${SRCDIR}/../../third_party/liburing/lib -luring
// #include <liburing.h>
import "C"

import _ "github.com/ianlancetaylor/cgosymbolizer"

func main() {
	C.io_uring_submit(nil)
}
