//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The tests run the program as a process of its own: this test binary, which is
// the program if the first variable is set, after it has arranged the hardship
// that the second one names.
const (
	programEnv  = "URING_TEST_PROGRAM"
	hardshipEnv = "URING_TEST_HARDSHIP"
)

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) == "" {
		ringtest.Main(m)
	}
	if hardship := os.Getenv(hardshipEnv); hardship != "" {
		if err := hardships[hardship](); err != nil {
			fmt.Fprintln(os.Stderr, "could not arrange it:", err)
			os.Exit(99)
		}
	}
	main()
}

// fileLimit is the size of a file under the hardship of that name.
const fileLimit = 1 << 20

var hardships = map[string]func() error{
	"EPERM":  func() error { return filterCalls(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)) },
	"ENOSYS": func() error { return filterCalls(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)) },
	"kill":   func() error { return filterCalls(unix.SECCOMP_RET_KILL_PROCESS) },
	"trap":   func() error { return filterCalls(unix.SECCOMP_RET_TRAP) },
	"file size": func() error {
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: fileLimit, Max: fileLimit})
	},
	"nobody": func() error {
		return errors.Join(unix.Setgroups(nil), unix.Setgid(65534), unix.Setuid(65534))
	},
	"memlock": func() error {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}); err != nil {
			return err
		}
		if os.Geteuid() != 0 {
			return nil
		}
		return unix.Setuid(100000 + os.Getpid()) // all processes of a user share the limit
	},
}

// filterCalls answers io_uring's three system calls with a seccomp action, as
// the profile of a container does.
func filterCalls(action uint32) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jf: 2},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: unix.SYS_IO_URING_REGISTER, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// program is a run of the program.
type program struct {
	t *testing.T
	*exec.Cmd
	out, errs bytes.Buffer // what it printed, unless the test took the descriptor
}

// uring prepares a run of the program.
func uring(t *testing.T, args ...string) *program {
	p := &program{t: t, Cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	p.Env = append(os.Environ(), programEnv+"=1", "GORACE=atexit_sleep_ms=0")
	p.Stdout, p.Stderr = &p.out, &p.errs
	return p
}

// notice has a signal mean to programs what it means as a rule: they would ignore it if this
// process does, as under nohup and behind a script's &.
func notice(t *testing.T, sig os.Signal) {
	noticed := make(chan os.Signal, 1)
	signal.Notify(noticed, sig)
	t.Cleanup(func() { signal.Stop(noticed) })
}

func (p *program) under(hardship string) *program {
	p.Env = append(p.Env, hardshipEnv+"="+hardship)
	return p
}

func (p *program) input(r io.Reader) *program {
	p.Stdin = r
	return p
}

// exits runs the program, which must end with the given code.
func (p *program) exits(code int) *program {
	p.t.Helper()
	require.NoError(p.t, p.Start())
	return p.ends(code)
}

// ends waits for the program, which must end with the given code.
func (p *program) ends(code int) *program {
	p.t.Helper()
	if exit := (*exec.ExitError)(nil); !errors.As(p.Wait(), &exit) && p.ProcessState == nil {
		require.Fail(p.t, "the program did not run")
	}
	require.Equal(p.t, code, p.ProcessState.ExitCode(), "%v\n%s%s", p.ProcessState, short(&p.out), &p.errs)
	if code == 0 {
		require.Empty(p.t, p.errs.String(), "nothing to complain of")
	}
	return p
}

// hasRing waits until the program has set a ring up, and so is at work.
func (p *program) hasRing() {
	p.t.Helper()
	fds := fmt.Sprintf("/proc/%d/fd", p.Process.Pid)
	require.Eventually(p.t, func() bool {
		entries, _ := os.ReadDir(fds)
		for _, e := range entries {
			if target, _ := os.Readlink(fds + "/" + e.Name()); target == "anon_inode:[io_uring]" {
				return true
			}
		}
		return false
	}, time.Minute, time.Millisecond)
}

func short(b *bytes.Buffer) []byte { return b.Bytes()[:min(b.Len(), 1000)] }

func TestUsage(t *testing.T) {
	for _, args := range []string{"-h", "help", "doctor -h", "cat -h", "cp -h", "serve -h", "bench -h", "version -h"} {
		p := uring(t, strings.Fields(args)...).exits(0)
		require.Contains(t, p.out.String(), "usage: uring", args)
	}
	for args, why := range map[string]string{
		"":                        "",
		"fly":                     `no command "fly"`,
		"doctor now":              `"now" is one argument too many`,
		"doctor -x":               "-x",
		"cat -x":                  "-x",
		"cp":                      "an argument is missing",
		"cp a":                    "an argument is missing",
		"cp -x a b":               "-x",
		"bench now":               `"now" is one argument too many`,
		"version now":             `"now" is one argument too many`,
		"bench -seconds 0":        "-seconds must be above zero",
		"bench -seconds NaN":      "-seconds must be above zero",
		"bench -size 1K":          "-size must be 4K at least",
		"bench -size 1X":          "give a number of bytes",
		"bench -size 9999999999G": "give a number of bytes",
	} {
		p := uring(t, strings.Fields(args)...).exits(2)
		require.Contains(t, p.errs.String(), why, args)
		require.Contains(t, p.errs.String(), "usage: uring", args)
		require.Empty(t, p.out.String(), args)
	}
	require.Contains(t, uring(t, "cp", "a", "").exits(2).errs.String(), "an argument is empty")
}

// The name of a file must not make lines or colours of its own.
func TestStrangeNames(t *testing.T) {
	const gone = "stat a?b?[31m: no such file or directory"
	p := uring(t, "cp", "a\nb\x1b[31m", "c", t.TempDir()).exits(1)
	require.Equal(t, "uring cp: "+gone+"\nuring cp: stat c: no such file or directory\n", p.errs.String())
}
