//go:build linux

package examples_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// nvmeEnv names the namespace of an NVMe drive, /dev/ng0n1; scripts/kernels.sh has one.
const nvmeEnv = "LIBURING_TEST_NVME"

func TestNVMe(t *testing.T) {
	name := os.Getenv(nvmeEnv)
	if name == "" {
		t.Skipf("%s names no NVMe namespace", nvmeEnv)
	}
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		t.Skip("this kernel passes no commands through:", err)
	}
	for _, args := range [][]string{{name}, {"-poll", name}} {
		require.Regexp(t, `serial number liburing
namespace 1: 32768 blocks of 512 bytes
the first 4096 bytes begin with ([0-9a-f]{2} ?){16}
$`, succeed(t, program(t, "nvme"), args...))
	}
}
