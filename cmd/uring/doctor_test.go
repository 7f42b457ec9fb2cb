//go:build linux

package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/doctor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// diagnosed runs the doctor and returns what it says, which must be JSON.
func diagnosed(t *testing.T, p *program, code int) *doctor.Diagnosis {
	t.Helper()
	p.exits(code)
	d := new(doctor.Diagnosis)
	strict := json.NewDecoder(&p.out)
	strict.DisallowUnknownFields()
	require.NoError(t, strict.Decode(d))
	require.Equal(t, code == 0, d.Usable)
	for _, f := range d.Findings {
		assert.NotEmpty(t, f.Found, f.Check)
		assert.NotEmpty(t, f.Means, f.Check)
		assert.Equal(t, f.Status == doctor.OK, f.Do == "", "%s: something is to be done unless all is well", f.Check)
	}
	return d
}

// about returns the finding of a check.
func about(t *testing.T, d *doctor.Diagnosis, check string) doctor.Finding {
	t.Helper()
	f, ok := d.About(check)
	require.True(t, ok, "no finding about %s", check)
	return f
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
	assert.Equal(t, liburing.Backend(), d.Backend)
	assert.Contains(t, about(t, d, "liburing").Found, map[string]string{"cgo": "linked by cgo", "go": "in Go"}[liburing.Backend()])
	for i, op := range d.Opcodes {
		assert.Equal(t, doctor.Support{Name: liburing.Op(i).String(), Number: uint32(i), Supported: probe.OpcodeSupported(liburing.Op(i))}, op)
	}
	assert.Len(t, d.Opcodes, int(liburing.OpLast))
	for _, f := range d.Features {
		assert.Equal(t, ring.Features()>>f.Number&1 != 0, f.Supported, f.Name)
	}
	assert.Len(t, d.Register, int(liburing.RegisterLast))
	assert.Equal(t, "not blocked", about(t, d, "system calls").Found)
	assert.Equal(t, "works", about(t, d, "no-op").Found)
	assert.Equal(t, "works", about(t, d, "read").Found)
	disabled, _ := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	if len(disabled) > 0 {
		assert.Equal(t, strings.TrimSpace(string(disabled)), about(t, d, "io_uring_disabled").Found)
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
		assert.LessOrEqual(t, len(line), 101)
	}
}

// A seccomp filter answers as those of containers do.
func TestDoctorBehindFilter(t *testing.T) {
	for hardship, want := range map[string]doctor.Finding{
		"EPERM":  {Found: "io_uring_setup: operation not permitted", Means: "container engines do by default", Do: "in the container's seccomp profile"},
		"ENOSYS": {Found: "io_uring_setup: function not implemented", Means: "a seccomp filter answers as if it had none", Do: "seccomp profile"},
		"trap":   {Found: "killed by SIGSYS", Means: "a seccomp filter kills programs that use io_uring", Do: "SystemCallFilter"},
		"kill":   {Found: "killed by SIGSYS", Means: "a seccomp filter kills programs that use io_uring", Do: "SystemCallFilter"},
	} {
		d := diagnosed(t, uring(t, "doctor", "-json").under(hardship), 1)
		calls := about(t, d, "system calls")
		assert.Equal(t, doctor.Fail, calls.Status)
		assert.Contains(t, calls.Found, want.Found)
		assert.Contains(t, calls.Means, want.Means)
		assert.Contains(t, calls.Do, want.Do)
		assert.Contains(t, about(t, d, "seccomp").Found, "active")
		assert.Empty(t, d.Opcodes)

		p := uring(t, "doctor").under(hardship).exits(1)
		assert.Contains(t, p.out.String(), "\nio_uring cannot be used here.\n")
		assert.Empty(t, p.errs.String())
	}
}

func TestDoctorWithLittleLockedMemory(t *testing.T) {
	d := diagnosed(t, uring(t, "doctor", "-json").under("memlock"), 0)
	assert.Contains(t, about(t, d, "memlock").Found, "limit 64 KiB")
	assert.Equal(t, "no", about(t, d, "CAP_IPC_LOCK").Found)
	assert.True(t, d.Rings[0].Fits, "64 entries")
	for _, r := range d.Rings {
		if r.Fits {
			continue
		}
		assert.Contains(t, about(t, d, "memlock").Do, "ulimit -l")
		return
	}
	assert.Equal(t, doctor.OK, about(t, d, "memlock").Status, "this kernel does not count rings")
}
