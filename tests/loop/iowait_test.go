//go:build linux

package loop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

const iowaitEnv = "LIBURING_TEST_IOWAIT"

// A loop that waits for half a second, in a control group of its own, so that nobody else
// counts, puts no pressure on disks, unless it is told to.
func TestIdleLoopIsNoIowait(t *testing.T) {
	if how := os.Getenv(iowaitEnv); how != "" { // in the group
		waitWithIowait(t, how == "on")
		return
	}
	ringtest.NeedsFeatures(t, liburing.FeatNoIowait)
	group := newGroup(t)
	off := pressureOf(t, group, "off")
	on := pressureOf(t, group, "on")
	t.Logf("waiting for %v is %v of pressure, with SetIowait %v", iowaitTime, off, on)
	require.Less(t, off, iowaitTime/5)
	require.Greater(t, on, iowaitTime/2)
}

const iowaitTime = 500 * time.Millisecond

func waitWithIowait(t *testing.T, on bool) {
	l := ringtest.NewLoop(t, 8)
	if on {
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.SetIowait(true) }))
	}
	r, _ := ringtest.Pipe(t)
	l.Read(r, make([]byte, 1), 0, nil)
	ringtest.RunFor(t, l, iowaitTime)
}

// newGroup makes a control group that tells of pressure.
func newGroup(t *testing.T) string {
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	mount := regexp.MustCompile(`(?m)^\S+ (\S+) cgroup2 `).FindSubmatch(mounts)
	if mount == nil {
		t.Skip("cgroup2 is not mounted")
	}
	dir := filepath.Join(string(mount[1]), fmt.Sprint("liburing-test-", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if _, err := os.Stat(dir + "/io.pressure"); err != nil {
		t.Skipf("groups do not tell of pressure: %v", err)
	}
	return dir
}

// pressureOf runs the test again in a group, and returns how long that waited for disks.
func pressureOf(t *testing.T, group, how string) time.Duration {
	before := pressure(t, group)
	fd, err := os.Open(group)
	require.NoError(t, err)
	defer fd.Close()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestIdleLoopIsNoIowait$")
	cmd.Env = append(os.Environ(), iowaitEnv+"="+how)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(fd.Fd())}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return pressure(t, group) - before
}

func pressure(t *testing.T, group string) time.Duration {
	text, err := os.ReadFile(group + "/io.pressure")
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(text), "\n") // some …
	micro, err := strconv.ParseInt(line[strings.LastIndex(line, "total=")+len("total="):], 10, 64)
	require.NoError(t, err)
	return time.Duration(micro) * time.Microsecond
}
