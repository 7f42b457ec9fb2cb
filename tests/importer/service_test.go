//go:build linux && !race

package importer

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the module's folder. A test starts in its package's.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// source is a program of another module. It prints which liburing it is linked
// with, and what a no-op came to.
const source = `package main

import (
	"context"
	"fmt"

	"github.com/go-liburing/liburing"
)

func main() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		panic(err)
	}
	loop.Nop(func(c liburing.Completion) { fmt.Println("liburing", liburing.Version(), "says", c.Res) })
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		panic(err)
	}
	if err := loop.Close(context.Background()); err != nil {
		panic(err)
	}
}
`

// service is a program that imports the module, in a folder of its own, for
// which go has no network, a fresh home and a fresh module cache.
type service struct {
	t         *testing.T
	dir, home string
	env       []string
}

// newService makes one. Its module needs nothing yet.
func newService(t *testing.T, proxy string) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), home: t.TempDir()}
	s.env = append(s.env,
		"PATH="+os.Getenv("PATH"), "HOME="+s.home, "GOPATH="+s.home+"/go",
		"GOCACHE="+goEnv(t, "GOCACHE"), "GOTOOLCHAIN=local", "GOFLAGS=-buildvcs=false",
		"GOPROXY=file://"+proxy, "GOSUMDB=off", "LC_ALL=C",
		// What the script downloads is kept here, so it need not do it again.
		"XDG_CACHE_HOME="+downloads())
	t.Cleanup(func() { s.run("go", "clean", "-modcache") }) // which is read-only
	write(t, filepath.Join(s.dir, "main.go"), source)
	s.must("go", "mod", "init", "example.com/service")
	return s
}

// set gives an environment variable to all commands from here on.
func (s *service) set(name, value string) { s.env = append(s.env, name+"="+value) }

// run runs a command in the service's folder.
func (s *service) run(name string, args ...string) (said string, err error) {
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	if s.t.Context().Err() != nil { // at the test's end
		cmd = exec.Command(name, args...)
	}
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &out, &out
	err = cmd.Run()
	return out.String(), err
}

// must runs a command that has to succeed.
func (s *service) must(name string, args ...string) string {
	s.t.Helper()
	said, err := s.run(name, args...)
	require.NoError(s.t, err, "%s %q\n%s", name, args, said)
	return said
}

// builds has the service built and run: liburing of that version answers.
func (s *service) builds(liburing string) {
	s.t.Helper()
	s.must("go", "build", "-o", "service", ".")
	require.Equal(s.t, "liburing "+liburing+" says 0\n", s.must("./service"))
}

// refuses has the build end with a line that says so and what to do.
func (s *service) refuses(so string) {
	s.t.Helper()
	said, err := s.run("go", "build", "-o", "service", ".")
	require.Error(s.t, err)
	var errors []string
	for line := range strings.Lines(said) {
		if strings.Contains(line, "error:") {
			errors = append(errors, line)
		}
	}
	require.Len(s.t, errors, 1, "%s", said)
	for _, want := range []string{so, "install liburing 2.9", "scripts/vendor-liburing.sh", "--prefix DIR"} {
		require.Contains(s.t, errors[0], want)
	}
}

// refusesWithoutLiburing has the build end where neither the module nor the
// machine has a liburing.
func (s *service) refusesWithoutLiburing() {
	s.t.Helper()
	if exec.Command("gcc", "-E", "-include", "liburing.h", "-x", "c", os.DevNull).Run() == nil {
		s.t.Log("this machine has a liburing of its own (liburing-dev), so it is not seen what happens without")
		return
	}
	s.refuses("liburing is missing")
}

// program returns the bytes of what was built.
func (s *service) program() string {
	s.t.Helper()
	return read(s.t, filepath.Join(s.dir, "service"))
}

// requires has the service's go.mod ask for the module, in that folder or of
// the proxy.
func (s *service) requires(dir string) {
	s.t.Helper()
	s.must("go", "mod", "edit", "-require="+module+"@"+version)
	if dir != "" {
		s.must("go", "mod", "edit", "-replace="+module+"="+dir)
	}
	s.must("go", "mod", "tidy")
}

// finds has the compiler and the linker look into a folder with liburing.
func (s *service) finds(prefix string) {
	s.set("CGO_CFLAGS", "-O2 -g -I"+prefix+"/include")
	s.set("CGO_LDFLAGS", "-O2 -g -L"+prefix+"/lib")
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// downloads is where the script keeps what it has downloaded.
func downloads() string {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(os.Getenv("HOME"), ".cache")
}
