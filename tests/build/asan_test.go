//go:build linux && cgo && asan

package build_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Built with its sanitizers, liburing looks at the addresses of requests when it
// submits them. This proves that it does, so that the rest of the suite, run the
// same way, proves something.
func TestSanitizerSeesBadAddresses(t *testing.T) {
	const which = "LIBURING_TEST_BAD_ADDRESS"
	programs := map[string]func(bad []byte){
		"ring": func(bad []byte) {
			r, err := liburing.New(4)
			require.NoError(t, err)
			r.GetSQE().PrepRead(0, bad, 0)
			r.Submit()
		},
		"loop": func(bad []byte) {
			l, err := liburing.NewLoop(4)
			require.NoError(t, err)
			l.Read(0, bad, 0, nil)
			l.RunUntilIdle(context.Background())
		},
	}
	if do := programs[os.Getenv(which)]; do != nil {
		do(beyond(make([]byte, 40)))
		t.Fatal("the sanitizer has let it pass")
	}
	for name := range programs {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), which+"="+name)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, "%s: %s", name, out)
		require.NotContains(t, string(out), "has let it pass", name)
		require.Regexp(t, "is located|describe address", string(out), name)
	}
}

// beyond returns memory that is mapped but nobody's: what lies behind b.
func beyond(b []byte) []byte {
	end := (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), len(b)))
	return unsafe.Slice(end, unix.Getpagesize()/512)
}

// LeakSanitizer sees at the end what C has not freed, and keeps quiet of what Go's heap
// still refers to.
func TestSanitizerSeesLeaks(t *testing.T) {
	const which = "LIBURING_TEST_LEAK"
	switch os.Getenv(which) {
	case "kept":
		r, err := liburing.New(4)
		require.NoError(t, err)
		kept = r
		os.Exit(0) // and not by TestMain, which looks for what is left, too
	case "lost":
		leak(t)
		runtime.GC()
		os.Exit(0)
	}
	if !strings.Contains(os.Getenv("ASAN_OPTIONS"), "detect_leaks=1") {
		t.Skip("leaks are not looked for: see scripts/sanitize.sh")
	}
	for name, found := range map[string]bool{"kept": false, "lost": true} {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), which+"="+name)
		out, err := cmd.CombinedOutput()
		require.Equal(t, found, strings.Contains(string(out), "LeakSanitizer: detected memory leaks"), "%s: %v: %s", name, err, out)
	}
}

var kept *liburing.Ring

// leak forgets a ring, which is not closed, and what it has been in.
//
//go:noinline
func leak(t *testing.T) {
	rings := make([]*liburing.Ring, 64)
	for i := range rings {
		var err error
		rings[i], err = liburing.New(1)
		require.NoError(t, err)
	}
	clear(rings)
}
