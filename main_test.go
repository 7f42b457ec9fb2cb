//go:build linux

package liburing_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
)

// newExamples are the examples of what not every kernel has, and an operation that
// came with it.
var newExamples = map[string]liburing.Op{
	"Request_SkipSuccess": liburing.OpMsgRing,
	"SQE_PrepMsgRing":     liburing.OpMsgRing,
	"Fixed":               liburing.OpSocket,
	"Ring_SetupBufRing":   liburing.OpSocket,
	"Loop_NewBufGroup":    liburing.OpSendZC,
	"Completion_Keep":     liburing.OpSendZC,
	"Loop_Rearm":          liburing.OpSendZC,
	"Loop_FutexWait":      liburing.OpFutexWait,
	"Loop_SendZC":         liburing.OpSendZC,
	"Loop_HandOver":       liburing.OpSendZC,
	"Loop_Waitid":         liburing.OpWaitid,
}

func TestMain(m *testing.M) {
	ringtest.SkipExamples(newExamples)
	ringtest.Main(m)
}
