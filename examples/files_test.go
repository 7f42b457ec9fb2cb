//go:build linux

package examples_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// randomFile makes a file of random bytes.
func randomFile(t *testing.T, size int) (name string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(content)
	name = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, content, 0o644))
	return name, content
}

// requireContent checks what a file holds, without printing megabytes.
func requireContent(t *testing.T, want []byte, name string) {
	t.Helper()
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%s: %d bytes, not the %d that were to be copied", name, len(got), len(want))
}

// copiers are the programs that copy, and what they answer to in C.
var copiers = []struct {
	name  string
	flags []string
	c     string
}{
	{"cp", nil, "io_uring-cp"},
	{"link-cp", nil, "link-cp"},
	{"ucontext-cp", []string{"-wait", "0"}, "ucontext-cp"},
}

func TestCopies(t *testing.T) {
	for _, p := range copiers {
		sizes := []int{0, 1, 1023, 1024, 4097, 32 << 10, 3<<20 + 7}
		if p.name == "cp" { // whose blocks are large; others take minutes for that in an emulator
			sizes = append(sizes, 20<<20+7)
		}
		for _, size := range sizes {
			from, content := randomFile(t, size)
			to := from + ".copy"
			require.NoError(t, os.WriteFile(to, []byte("what was there before"), 0o644))
			succeed(t, program(t, p.name), append(p.flags, from, to)...)
			requireContent(t, content, to)
		}
	}
}

// The C programs, given the same file, leave the same copy.
func TestCopiesInC(t *testing.T) {
	for _, p := range copiers {
		for _, size := range []int{0, 1, 1023, 32 << 10, 3<<20 + 7} {
			if p.c == "ucontext-cp" && size >= 1024 {
				continue // it sleeps for a second after each KiB
			}
			from, _ := randomFile(t, size)
			succeed(t, cProgram(t, p.c), from, from+".c")
			succeed(t, program(t, p.name), append(p.flags, from, from+".copy")...)
			want, err := os.ReadFile(from + ".c")
			require.NoError(t, err)
			requireContent(t, want, from+".copy")
		}
	}
}

// A block device has a size that its stat does not tell.
func TestCopiesBlockDevice(t *testing.T) {
	file, content := randomFile(t, 1<<20)
	out, err := exec.Command("losetup", "--read-only", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("there is no block device to be had: losetup: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	defer func() { require.NoError(t, command("losetup", "--detach", device)) }()
	for _, p := range copiers {
		to := file + "." + p.name
		succeed(t, program(t, p.name), append(p.flags, device, to)...)
		requireContent(t, content, to)
	}
}

func TestCopyFailures(t *testing.T) {
	from, _ := randomFile(t, 1<<20)
	dir := filepath.Dir(from)
	path := func(name string) string { return filepath.Join(dir, name) }
	// By a link: a copier that removes what it could not write must not get at
	// the device.
	require.NoError(t, os.Symlink("/dev/full", path("full")))
	for _, p := range copiers {
		for _, c := range []struct{ from, to, says string }{
			{path("none"), path("copy"), "open .*none: no such file or directory"},
			{dir, path("copy"), "is neither a regular file nor a block device"},
			{"/dev/zero", path("copy"), "invalid argument|is neither a regular file nor a block device"},
			{from, path("none/copy"), "open .*copy: no such file or directory"},
			{from, dir, "is a directory"},
			{from, from, "are the same file"},
			{from, path("full"), "no space left on device"},
		} {
			out := run(t, program(t, p.name), append(p.flags, c.from, c.to)...)
			assert.Equal(t, 1, out.code, "%s %s %s", p.name, c.from, c.to)
			assert.Regexp(t, "^"+p.name+": .*("+c.says+")\n$", out.stderr, "%s %s %s", p.name, c.from, c.to)
			assert.NoFileExists(t, path("copy"))
			_, err := os.Lstat(path("full"))
			assert.NoError(t, err, "%s has removed a device", p.name)
		}
	}
	info, err := os.Stat(from)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, info.Size(), "a copy onto itself has changed the file")
}

// A file system without room: what could be written is removed, also behind a
// link.
func TestCopyRemovesHalfACopy(t *testing.T) {
	from, _ := randomFile(t, 1<<20)
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("no small file system can be mounted: %v", err)
	}
	defer unix.Unmount(small, 0)
	link := from + ".link"
	require.NoError(t, os.Symlink(filepath.Join(small, "copy"), link))
	for _, p := range copiers {
		for _, to := range []string{filepath.Join(small, "copy"), link} {
			out := run(t, program(t, p.name), append(p.flags, from, to)...)
			assert.Equal(t, 1, out.code, "%s %s", p.name, to)
			assert.Contains(t, out.stderr, "no space left on device", "%s %s", p.name, to)
			assert.NoFileExists(t, filepath.Join(small, "copy"), "%s %s", p.name, to)
		}
	}
}

// The steps are those of the C program.
func TestUcontextCpSteps(t *testing.T) {
	from, _ := randomFile(t, 500)
	steps := func(out string) string {
		out = regexp.MustCompile(`(?m)^.*->.*: `).ReplaceAllString(out, "")
		return strings.NewReplacer("readv", "read", "writev", "write", " with ret code 0", "").Replace(out)
	}
	got := steps(succeed(t, program(t, "ucontext-cp"), from, from+".copy"))
	require.Equal(t, steps(succeed(t, cProgram(t, "ucontext-cp"), from, from+".c")), got)
}

// One copy that fails leaves the others alone.
func TestUcontextCpFailsInPart(t *testing.T) {
	a, content := randomFile(t, 3000)
	b, other := randomFile(t, 100_000)
	out := run(t, program(t, "ucontext-cp"), "-wait", "0", a, a+".copy", a+".none", a+".none.copy", b, b+".copy")
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, "no such file or directory")
	require.Contains(t, out.stdout, "copying 3 files...\n")
	require.Contains(t, out.stdout, "finished with 2 success(es) and 1 failure(s)\n")
	requireContent(t, content, a+".copy")
	requireContent(t, other, b+".copy")
}

// An interrupt ends a copy that waits, and leaves no half of it.
func TestUcontextCpInterrupted(t *testing.T) {
	from, _ := randomFile(t, 3000)
	cmd := exec.Command(program(t, "ucontext-cp"), "-wait", "1h", from, from+".copy")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	watchdog := time.AfterFunc(runFor, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	var seen []byte
	for buf := make([]byte, 512); !bytes.Contains(seen, []byte("wait 1h")); {
		n, err := stdout.Read(buf)
		seen = append(seen, buf[:n]...)
		require.NoError(t, err, "it has not waited: %s", seen)
	}
	require.FileExists(t, from+".copy")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Contains(t, stderr.String(), "operation canceled")
	require.NoFileExists(t, from+".copy")
}

// readers are the programs that read the first blocks of a file, and what they
// answer to in C. They differ in whether a file that ends with a block is read
// behind its end.
var readers = []struct {
	name, c string
	blocks  func(size int) int
}{
	{"test", "io_uring-test", func(size int) int { return min(max((size+4095)/4096, 1), 4) }},
	{"close-test", "io_uring-close-test", func(size int) int { return min(size/4096+1, 4) }},
}

func TestReaders(t *testing.T) {
	for _, p := range readers {
		t.Run(p.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 4095, 4096, 4097, 8192, 13000, 16384, 20000} {
				name, _ := randomFile(t, size)
				if p.name == "test" {
					needsDirect(t, name)
				}
				n := p.blocks(size)
				want := fmt.Sprintf("Submitted=%d, completed=%d, bytes=%d\n", n, n, min(size, 4*4096))
				require.Equal(t, want, succeed(t, program(t, p.name), name), "%d bytes", size)
			}
		})
	}
}

// The C programs print the same. A part of a block that completes before the
// blocks in front of it makes them stumble, so there is none here.
func TestReadersInC(t *testing.T) {
	for _, p := range readers {
		t.Run(p.name, func(t *testing.T) {
			for _, size := range []int{0, 1, 4095, 4096, 16384, 20000} {
				name, _ := randomFile(t, size)
				if p.name == "test" {
					needsDirect(t, name)
				}
				want := succeed(t, cProgram(t, p.c), name)
				require.Equal(t, want, succeed(t, program(t, p.name), name), "%d bytes", size)
			}
		})
	}
}

// needsDirect skips a test if a file cannot be read past the page cache.
func needsDirect(t *testing.T, name string) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		t.Skipf("the file system of %s has no O_DIRECT", name)
	}
	require.NoError(t, err)
	f.Close()
}

func TestReaderFailures(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ program, name, says string }{
		{"test", filepath.Join(dir, "none"), "no such file or directory"},
		{"test", dir, "takes a regular file"},
		{"test", "/proc/self/status", "on a file system that has it"},
		{"close-test", filepath.Join(dir, "none"), "no such file or directory"},
		{"close-test", dir, "is a directory"},
	} {
		if liburing.Require(needs[c.program]...) != nil {
			continue
		}
		out := run(t, program(t, c.program), c.name)
		assert.Equal(t, 1, out.code, "%s %s", c.program, c.name)
		assert.Regexp(t, "^"+c.program+": .*"+c.says+".*\n$", out.stderr, "%s %s", c.program, c.name)
	}
}

// hashes tells whether the kernel hashes for programs.
func hashes() bool {
	fd, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrALG{Type: "hash", Name: "sha256"}) == nil
}

// What is read and sent, and in which order, kdigest's own test checks on every
// kernel.
func TestKdigest(t *testing.T) {
	path := program(t, "kdigest")
	name, _ := randomFile(t, 100)
	if !hashes() {
		out := run(t, path, "sha256", name)
		require.Equal(t, 1, out.code)
		require.Empty(t, out.stdout)
		require.Regexp(t, "^kdigest: .*AF_ALG.*\n$", out.stderr)
		return
	}
	for _, size := range []int{0, 1, 64 << 10, 9<<20 + 7} {
		name, content := randomFile(t, size)
		want := fmt.Sprintf("sha256(%s) returned(len=32): %x\n", name, sha256.Sum256(content))
		require.Contains(t, succeed(t, path, "sha256", name), want)
		require.Equal(t, "uring "+want, succeed(t, path, "-linked", "sha256", name))
		require.Contains(t, succeed(t, cProgram(t, "kdigest"), "sha256", name), want)
	}
	out := run(t, path, "sha255", name)
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, `the kernel has no hash "sha255"`)
}

func TestKdigestFailures(t *testing.T) {
	for name, says := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "no such file or directory",
		t.TempDir():                        "is neither a regular file nor a block device",
	} {
		out := run(t, program(t, "kdigest"), "sha256", name)
		assert.Equal(t, 1, out.code, name)
		assert.Regexp(t, "^kdigest: .*"+says+"\n$", out.stderr)
	}
}

// The C programs measure for ten seconds, and print the same.
func TestRateBenches(t *testing.T) {
	for name, line := range map[string]string{
		"poll-bench": "requests/s", "rsrc-update-bench": "max updates/s",
	} {
		path := program(t, name)
		start := time.Now()
		out := succeed(t, path, "-time", "100ms")
		assert.Greater(t, time.Since(start), 100*time.Millisecond, name)
		assert.Regexp(t, "^"+line+": [1-9][0-9]*\n$", out)
	}
}

func TestRegWait(t *testing.T) {
	const long = 100 * time.Millisecond
	var waited []time.Duration
	for range 5 { // a busy machine may wake it late
		waited = regWait(t, long)
		require.GreaterOrEqual(t, waited[0], long)
		require.GreaterOrEqual(t, waited[1], 10*time.Millisecond)
		if waited[1] < 90*time.Millisecond {
			return
		}
	}
	require.Fail(t, "it has waited for both completions", "%v", waited)
}

// regWait runs the example and returns how long its two waits have taken.
func regWait(t *testing.T, long time.Duration) (waited []time.Duration) {
	t.Helper()
	out := run(t, program(t, "reg-wait"), "-long", long.String())
	if strings.Contains(out.stderr, "registered waits need Linux 6.13") {
		t.Skip("this kernel has no registered waits")
	}
	require.Zero(t, out.code, out.stderr)
	require.Regexp(t, `^no completion within .*\n1 of 2 completions, enough after 10ms of the 100ms: .*\n$`, out.stdout)
	for _, m := range regexp.MustCompile("(?m): waited (.*)$").FindAllStringSubmatch(out.stdout, -1) {
		d, err := time.ParseDuration(m[1])
		require.NoError(t, err)
		waited = append(waited, d)
	}
	require.Len(t, waited, 2, out.stdout)
	return waited
}

func TestCat(t *testing.T) {
	path := program(t, "cat")
	a, one := randomFile(t, 300_000)
	b, two := randomFile(t, 0)
	c, three := randomFile(t, 3<<20+7)
	require.True(t, string(one)+string(two)+string(three) == succeed(t, path, a, b, c), "the files came out otherwise")
	require.Equal(t, "Linux version", succeed(t, path, "/proc/version")[:13], "a file without a size")
}

func TestCatFailures(t *testing.T) {
	path := program(t, "cat")
	name, content := randomFile(t, 100)
	out := run(t, path, name, name+".none")
	require.Equal(t, 1, out.code)
	require.Regexp(t, "^cat: .*no such file or directory\n$", out.stderr)
	require.Equal(t, string(content), out.stdout)
	out = run(t, path, t.TempDir())
	require.Equal(t, 1, out.code)
	require.Regexp(t, "^cat: /.*is a directory.*\n$", out.stderr, "with its name")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	var stderr bytes.Buffer
	cmd := exec.Command(path, name)
	cmd.Stdout, cmd.Stderr = full, &stderr
	require.Error(t, cmd.Run())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Regexp(t, "^cat: .*no space left on device\n$", stderr.String())
}

// A file system that is full in the middle of a block: all that fits is there,
// and that it is not all is told.
func TestCatToFullDisk(t *testing.T) {
	const size = 1 << 20
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("no small file system can be mounted: %v", err)
	}
	defer unix.Unmount(small, 0)
	name, content := randomFile(t, 2*size)
	for _, cat := range []string{"cat", "cat-raw"} {
		out, err := os.Create(filepath.Join(small, "out"))
		require.NoError(t, err)
		defer out.Close()
		_, err = out.WriteString("odd")
		require.NoError(t, err)
		var stderr bytes.Buffer
		cmd := exec.Command(program(t, cat), name)
		cmd.Stdout, cmd.Stderr = out, &stderr
		require.Error(t, cmd.Run())
		require.Equal(t, 1, cmd.ProcessState.ExitCode())
		require.Regexp(t, "^"+cat+": .*no space left on device\n$", stderr.String())
		requireContent(t, append([]byte("odd"), content[:size-3]...), out.Name())
	}
}

func TestProbe(t *testing.T) {
	report := func(args ...string) map[string]string {
		fields := map[string]string{}
		for line := range strings.Lines(succeed(t, program(t, "probe"), args...)) {
			key, value, ok := strings.Cut(line, " ")
			require.True(t, ok, line)
			fields[key] = strings.TrimSpace(value)
		}
		return fields
	}
	brief := report()
	require.NotContains(t, brief, "known")
	long := report("-v")
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	require.Equal(t, "Linux "+strings.TrimSpace(string(release)), brief["kernel"])
	require.Equal(t, liburing.Version(), brief["liburing"])
	require.Contains(t, strings.Fields(brief["features"]), "single_mmap")

	known, unknown := strings.Fields(long["known"]), strings.Fields(long["unknown"])
	require.Contains(t, known, "nop")
	require.Len(t, append(known, unknown...), int(liburing.OpLast))
	require.Equal(t, strconv.Itoa(len(known))+fmt.Sprintf(" of the %d that liburing knows", liburing.OpLast), brief["operations"])
}

func TestFilesBadArguments(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"cat", "name a file"},
		{"cat -n file", "-n"},
		{"cp one", "two file names are needed, not 1"},
		{"cp one two three", "two file names are needed, not 3"},
		{"cp -r one two", "-r"},
		{"link-cp", "two file names are needed, not 0"},
		{"link-cp one", "two file names are needed, not 1"},
		{"link-cp one two three", "two file names are needed, not 3"},
		{"ucontext-cp", "pairs of file names are needed, not 0"},
		{"ucontext-cp one two three", "pairs of file names are needed, not 3"},
		{"ucontext-cp -wait -1s one two", "-wait"},
		{"ucontext-cp -wait long one two", "-wait"},
		{"test", "one file name is needed, not 0"},
		{"test one two", "one file name is needed, not 2"},
		{"close-test", "one file name is needed, not 0"},
		{"close-test one two", "one file name is needed, not 2"},
		{"kdigest sha256", "an algorithm and a file name are needed, not 1"},
		{"kdigest sha256 one two", "not 3 arguments"},
		{"kdigest " + strings.Repeat("x", 64) + " one", "1 to 63 bytes, not 64"},
		{"poll-bench extra", "-time above 0"},
		{"poll-bench -time 0s", "-time above 0"},
		{"poll-bench -time soon", "-time"},
		{"rsrc-update-bench extra", "-time above 0"},
		{"rsrc-update-bench -time -1s", "-time above 0"},
		{"reg-wait extra", "-long above 0"},
		{"reg-wait -long 0s", "-long above 0"},
		{"probe extra", `not "extra"`},
		{"probe -w", "-w"},
	} {
		name, args, _ := strings.Cut(c.args, " ")
		out := run(t, program(t, name), strings.Fields(args)...)
		assert.Equal(t, 2, out.code, c.args)
		assert.Contains(t, out.stderr, c.says, c.args)
		assert.Contains(t, out.stderr, "usage: "+name, c.args)
		assert.Empty(t, out.stdout, c.args)
	}
}

func TestFilesHelp(t *testing.T) {
	for _, name := range []string{
		"cat", "cp", "link-cp", "ucontext-cp", "test", "close-test", "kdigest", "poll-bench", "rsrc-update-bench", "reg-wait", "probe",
	} {
		out := run(t, program(t, name), "-h")
		assert.Zero(t, out.code, name)
		assert.Regexp(t, "^usage: "+name+"[^\n]*\n\n[A-Z][^\n]*\\.\n", out.stderr)
	}
}
