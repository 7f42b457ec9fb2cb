//go:build linux

package uringtest_test

import (
	"os"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
	"github.com/go-liburing/liburing/uringtest"
)

// A test of what users write: it is right on a kernel that does its worst.
func TestHello(t *testing.T) {
	loop := uringtest.NewLoop(t, 64, uringtest.AllFaults)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	got := make([]byte, 5)
	loopio.WriteAll(t.Context(), loop, liburing.FD(w), []byte("hello"), 0, nil)
	loopio.ReadFull(t.Context(), loop, liburing.FD(r), got, 0, func(n int, err error) {
		if err != nil || string(got) != "hello" {
			t.Errorf("%q: %v", got[:n], err)
		}
	})
	if err := loop.RunUntilIdle(t.Context()); err != nil {
		t.Error(err)
	}
}
