package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestDisabledFinding(t *testing.T) {
	admin := self{caps: 1 << unix.CAP_SYS_ADMIN}
	contained := self{caps: 1 << unix.CAP_SYS_ADMIN, ownUserNS: true}
	member := self{groups: []int{7}}
	for _, c := range []struct {
		disabled string
		self     self
		want     Status
		do       string
	}{
		{"", self{}, OK, ""},
		{"0", self{}, OK, ""},
		{"1", admin, Warn, "io_uring_disabled=0"},
		{"1", member, Warn, "add them to the group"},
		{"1", contained, Fail, "join that group"},
		{"1", self{groups: []int{8}}, Fail, "join that group"},
		{"2", admin, Fail, "as root: `sysctl kernel.io_uring_disabled=0`"},
	} {
		f := disabledFinding(c.disabled, "7", c.self)
		assert.Equal(t, c.want, f.Status, c)
		assert.Contains(t, f.Do, c.do, c)
	}
}

func TestKernelFinding(t *testing.T) {
	for release, want := range map[string]Status{
		"4.19.0": Fail, "5.0.21": Fail, "5.1.0": Warn, "5.10.0-30-amd64": Warn, "6.0.1": Warn, "6.1.0": OK, "6.18.44": OK, "10.0-rc1": OK,
	} {
		assert.Equal(t, want, kernelFinding(release).Status, release)
	}
}

func TestMemlockFinding(t *testing.T) {
	fits := func(upTo int) (rings []RingSize) {
		for _, n := range commonSizes {
			rings = append(rings, RingSize{n, int64(n) * 100, n <= upTo})
		}
		return rings
	}
	all := memlockFinding(unix.RLIM_INFINITY, fits(32768), true)
	assert.Equal(t, OK, all.Status)
	assert.Contains(t, all.Found, "limit none: 64 entries (7 KiB) fits")
	some := memlockFinding(8<<20, fits(1024), true)
	assert.Equal(t, OK, some.Status)
	assert.Equal(t, "rings of 4096 entries and more do not fit", some.Means)
	uncounted := memlockFinding(64<<10, fits(32768), false)
	assert.Equal(t, OK, uncounted.Status)
	assert.Contains(t, uncounted.Means, "does not count them")
	few := memlockFinding(64<<10, fits(256), true)
	assert.Equal(t, Warn, few.Status)
	assert.Contains(t, few.Do, "ulimit -l")
}

func TestReadStatus(t *testing.T) {
	var s self
	s.readStatus("Name:\tx\nCapEff:\t0000000000200000\nSeccomp:\t2\nSeccomp_filters:\t3\n")
	assert.Equal(t, self{seccomp: 2, filters: 3, caps: 1 << unix.CAP_SYS_ADMIN}, s)
	assert.True(t, s.can(unix.CAP_SYS_ADMIN))
	assert.False(t, s.can(unix.CAP_IPC_LOCK))
}

// Of all groups on the way to the root the one counts that leaves least.
func TestCgroupFinding(t *testing.T) {
	root := t.TempDir()
	file := func(name, text string) {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text+"\n"), 0o600))
	}
	file("a/memory.max", "1073741824")
	file("a/memory.current", "1063256064")
	file("a/b/memory.max", "max")
	file("a/b/memory.current", "4096")
	file("a/b/pids.max", "1000")
	file("a/b/pids.current", "10")
	file("a/b/cpu.max", "150000 100000")
	file("a/cpu.max", "max 100000")
	c := readCgroup(root, "0::/a/b\n")
	assert.Equal(t, cgroup{1063256064, 1073741824, 10, 1000, 1.5}, c)
	f := cgroupFinding(c)
	assert.Equal(t, Warn, f.Status)
	assert.Equal(t, "memory 1014 of 1024 MiB used, tasks 10 of 1000 used, processors 1.5", f.Found)
	assert.Contains(t, f.Do, "memory.max")

	file("pids/x/pids.max", "100")
	file("pids/x/pids.current", "90")
	file("memory/x/memory.limit_in_bytes", "9223372036854771712")
	file("memory/x/memory.usage_in_bytes", "4096")
	file("cpu,cpuacct/x/cpu.cfs_quota_us", "-1")
	file("cpu,cpuacct/x/cpu.cfs_period_us", "100000")
	c = readCgroup(root, "3:pids:/x\n2:cpu,cpuacct:/x\n1:memory:/x\n0::/\n")
	assert.Equal(t, cgroup{0, -1, 90, 100, -1}, c)
	assert.Contains(t, cgroupFinding(c).Do, "pids.max")

	assert.Contains(t, cgroupFinding(cgroup{0, -1, 0, -1, 0.5}).Do, "two processors")
	assert.Equal(t, OK, cgroupFinding(cgroup{0, 1 << 30, 1, 1000, 4}).Status)
	assert.Equal(t, "no limit", cgroupFinding(readCgroup(root, "0::/\n")).Found)
}

// A child tells how it went, is waited for, and leaves the limits as they are.
func TestInChild(t *testing.T) {
	var before, after unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before))
	for range 100 {
		end, err := inChild(false)
		require.NoError(t, err)
		require.Equal(t, outcome{}, end)
		_, err = inChild(true)
		require.NoError(t, err)
	}
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &after))
	require.Equal(t, before, after)
	_, err := unix.Wait4(-1, nil, unix.WALL|unix.WNOHANG, nil)
	require.ErrorIs(t, err, unix.ECHILD)
}
