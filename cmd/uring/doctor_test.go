//go:build linux && cgo

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// diagnosed runs the doctor and returns what it says, which must be JSON.
func diagnosed(t *testing.T, p *program, code int) *diagnosis {
	t.Helper()
	p.exits(code)
	d := new(diagnosis)
	strict := json.NewDecoder(&p.out)
	strict.DisallowUnknownFields()
	require.NoError(t, strict.Decode(d))
	require.Equal(t, code == 0, d.Usable)
	for _, f := range d.Findings {
		assert.NotEmpty(t, f.Found, f.Check)
		assert.NotEmpty(t, f.Means, f.Check)
		assert.Equal(t, f.Status == ok, f.Do == "", "%s: something is to be done unless all is well", f.Check)
	}
	return d
}

// about returns the finding of a check.
func (d *diagnosis) about(t *testing.T, check string) finding {
	t.Helper()
	for _, f := range d.Findings {
		if f.Check == check {
			return f
		}
	}
	require.Fail(t, "no such finding", check)
	return finding{}
}

func TestDoctorAgreesWithTheKernel(t *testing.T) {
	ring, err := liburing.New(2)
	require.NoError(t, err)
	defer ring.Close()
	probe, err := ring.GetProbe()
	require.NoError(t, err)
	d := diagnosed(t, uring(t, "doctor", "-json"), 0)

	var uts unix.Utsname
	require.NoError(t, unix.Uname(&uts))
	assert.Equal(t, unix.ByteSliceToString(uts.Release[:]), d.Kernel)
	assert.Equal(t, liburing.Version(), d.Liburing)
	for i, op := range d.Opcodes {
		assert.Equal(t, ability{liburing.Op(i).String(), uint32(i), probe.OpcodeSupported(liburing.Op(i))}, op)
	}
	assert.Len(t, d.Opcodes, int(liburing.OpLast))
	for _, f := range d.Features {
		assert.Equal(t, ring.Features()>>f.Number&1 != 0, f.Supported, f.Name)
	}
	assert.Len(t, d.Register, int(liburing.RegisterLast))
	assert.Equal(t, "not blocked", d.about(t, "system calls").Found)
	assert.Equal(t, "works", d.about(t, "no-op").Found)
	assert.Equal(t, "works", d.about(t, "read").Found)
	disabled, _ := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	if len(disabled) > 0 {
		assert.Equal(t, strings.TrimSpace(string(disabled)), d.about(t, "io_uring_disabled").Found)
	}
}

// Trying register calls one by one comes to what the kernel says of itself.
func TestDoctorFindsRegisterCalls(t *testing.T) {
	info, err := liburing.GetQueryOpcode()
	if err != nil {
		t.Skipf("the kernel does not tell (6.18 and newer do): %v", err)
	}
	optional := map[string]bool{"register_napi": true, "unregister_napi": true, "register_zcrx_ifq": true}
	for _, r := range diagnosed(t, uring(t, "doctor", "-json"), 0).Register {
		if optional[r.Name] { // a kernel may be built without
			continue
		}
		assert.Equal(t, r.Number < info.NrRegisterOpcodes, r.Supported, r.Name)
	}
}

func TestDoctorPrints(t *testing.T) {
	out := uring(t, "doctor").exits(0).out.String()
	for _, want := range []string{"ok    kernel", "io_uring_disabled", "io_uring_group", "seccomp", "memlock", "opcodes",
		" read_fixed ", " register_buffers ", "single_mmap", "\nio_uring works here.\n"} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "can be set up, but")
	explained := uring(t, "doctor", "-v").exits(0).out.String()
	assert.Contains(t, explained, "io_uring came with Linux 5.1")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, len(line), textWidth+1)
	}
}

// A seccomp filter answers as those of containers do.
func TestDoctorBehindFilter(t *testing.T) {
	for hardship, want := range map[string]finding{
		"EPERM":  {Found: "io_uring_setup: operation not permitted", Means: "container engines do by default", Do: "in the container's seccomp profile"},
		"ENOSYS": {Found: "io_uring_setup: function not implemented", Means: "a seccomp filter answers as if it had none", Do: "seccomp profile"},
		"kill":   {Found: "killed by SIGSYS", Means: "a seccomp filter kills programs that use io_uring", Do: "SystemCallFilter"},
	} {
		d := diagnosed(t, uring(t, "doctor", "-json").under(hardship), 1)
		calls := d.about(t, "system calls")
		assert.Equal(t, fail, calls.Status)
		assert.Contains(t, calls.Found, want.Found)
		assert.Contains(t, calls.Means, want.Means)
		assert.Contains(t, calls.Do, want.Do)
		assert.Contains(t, d.about(t, "seccomp").Found, "active")
		assert.Empty(t, d.Opcodes)

		p := uring(t, "doctor").under(hardship).exits(1)
		assert.Contains(t, p.out.String(), "\nio_uring cannot be used here.\n")
		assert.Empty(t, p.errs.String())
	}
}

func TestDoctorWithLittleLockedMemory(t *testing.T) {
	d := diagnosed(t, uring(t, "doctor", "-json").under("memlock"), 0)
	assert.Contains(t, d.about(t, "memlock").Found, "limit 64 KiB")
	assert.Equal(t, "no", d.about(t, "CAP_IPC_LOCK").Found)
	assert.True(t, d.Rings[0].Fits, "64 entries")
	for _, r := range d.Rings {
		if r.Fits {
			continue
		}
		assert.Contains(t, d.about(t, "memlock").Do, "ulimit -l")
		return
	}
	assert.Equal(t, ok, d.about(t, "memlock").Status, "this kernel does not count rings")
}

func TestDisabledFinding(t *testing.T) {
	admin := self{caps: 1 << unix.CAP_SYS_ADMIN}
	contained := self{caps: 1 << unix.CAP_SYS_ADMIN, ownUserNS: true}
	member := self{groups: []int{7}}
	for _, c := range []struct {
		disabled string
		self     self
		want     status
		do       string
	}{
		{"", self{}, ok, ""},
		{"0", self{}, ok, ""},
		{"1", admin, warn, "io_uring_disabled=0"},
		{"1", member, warn, "add them to the group"},
		{"1", contained, fail, "join that group"},
		{"1", self{groups: []int{8}}, fail, "join that group"},
		{"2", admin, fail, "as root: `sysctl kernel.io_uring_disabled=0`"},
	} {
		f := disabledFinding(c.disabled, "7", c.self)
		assert.Equal(t, c.want, f.Status, c)
		assert.Contains(t, f.Do, c.do, c)
	}
}

func TestKernelFinding(t *testing.T) {
	for release, want := range map[string]status{
		"4.19.0": fail, "5.0.21": fail, "5.1.0": warn, "5.10.0-30-amd64": warn, "6.0.1": warn, "6.1.0": ok, "6.18.44": ok, "10.0-rc1": ok,
	} {
		assert.Equal(t, want, kernelFinding(release).Status, release)
	}
}

func TestMemlockFinding(t *testing.T) {
	fits := func(upTo int) (rings []ringSize) {
		for _, n := range commonSizes {
			rings = append(rings, ringSize{n, int64(n) * 100, n <= upTo})
		}
		return rings
	}
	all := memlockFinding(unix.RLIM_INFINITY, fits(32768), true)
	assert.Equal(t, ok, all.Status)
	assert.Contains(t, all.Found, "limit none: 64 entries (7 KiB) fits")
	some := memlockFinding(8<<20, fits(1024), true)
	assert.Equal(t, ok, some.Status)
	assert.Equal(t, "rings of 4096 entries and more do not fit", some.Means)
	uncounted := memlockFinding(64<<10, fits(32768), false)
	assert.Equal(t, ok, uncounted.Status)
	assert.Contains(t, uncounted.Means, "does not count them")
	few := memlockFinding(64<<10, fits(256), true)
	assert.Equal(t, warn, few.Status)
	assert.Contains(t, few.Do, "ulimit -l")
}

func TestReadStatus(t *testing.T) {
	var s self
	s.readStatus("Name:\tx\nCapEff:\t0000000000200000\nSeccomp:\t2\nSeccomp_filters:\t3\n")
	assert.Equal(t, self{seccomp: 2, filters: 3, caps: 1 << unix.CAP_SYS_ADMIN}, s)
	assert.True(t, s.can(unix.CAP_SYS_ADMIN))
	assert.False(t, s.can(unix.CAP_IPC_LOCK))
}
