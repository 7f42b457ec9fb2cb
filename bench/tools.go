package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-liburing/liburing"
)

// tools is what groups build and run programs with.
type tools struct {
	root     string // the module's folder
	bin      string // where built programs go, until close
	seconds  float64
	cpu      int
	copySize int64
	say      func(string) // a message that belongs to no result
}

func newTools(o options) (*tools, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(gomod)))
	if err != nil || !exists(filepath.Join(root, "bench", "c")) {
		return nil, errors.New("run this in the module's folder: make bench")
	}
	if err := hasRings(); err != nil {
		return nil, err
	}
	cpu, err := usableCPU(o.cpu)
	if err != nil {
		return nil, err
	}
	bin, err := os.MkdirTemp("", "liburing-bench-")
	if err != nil {
		return nil, err
	}
	return &tools{root: root, bin: bin, seconds: o.seconds, cpu: cpu, copySize: o.copySize, say: sayOnStderr}, nil
}

// hasRings sets up a ring, which nothing here works without.
func hasRings() error {
	r, err := liburing.New(1)
	if err != nil {
		return err
	}
	return r.Close()
}

// packages are those of Debian that have commands which groups need, where these have
// other names. scripts/deps.sh knows them too.
var packages = map[string]string{"mkfs.ext4": "e2fsprogs", "losetup": "mount", "umount": "mount"}

// needs tells which commands a group lacks.
func needs(commands ...string) error {
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			return missing(fmt.Sprintf("it needs %s: make bench installs it, or apt-get install %s", name, cmp.Or(packages[name], name)))
		}
	}
	return nil
}

func (t *tools) close() { os.RemoveAll(t.bin) }

// path returns the path of a file of the module.
func (t *tools) path(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// longer returns tools whose programs measure for so many times the time: what
// waits for a disk or for another program is less even than no-ops are.
func (t *tools) longer(times float64) *tools {
	l := *t
	l.seconds *= times
	return &l
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
