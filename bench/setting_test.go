package main

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSetting(t *testing.T) {
	tl, err := newTools(options{seconds: 1, cpu: -1})
	require.NoError(t, err)
	defer tl.close()
	s := tl.setting()
	require.True(t, strings.HasPrefix(s.Kernel, "Linux "), s.Kernel)
	require.Regexp(t, `, \d+ processors, \d+\.\d GiB$`, s.Machine)
	require.Equal(t, strings.TrimPrefix(runtime.Version(), "go"), s.Versions["go"])
	require.Regexp(t, `^2\.\d+$`, s.Versions["liburing"])
	require.NotEmpty(t, s.Versions["cc"])
	require.Regexp(t, `^v2\.`, s.Versions["github.com/panjf2000/gnet/v2"])
	require.NotContains(t, s.Versions, "go.uber.org/zap", "others ask for it")
}

func TestWhatIsNotThereHasNoVersion(t *testing.T) {
	require.Empty(t, firstLine("liburing-no-such-program", "--version"))
	require.Empty(t, requirements(filepath.Join(t.TempDir(), "go.mod")))
}

func TestKernel(t *testing.T) { require.Regexp(t, `^Linux \d+(\.\d+)+$`, kernel()) }
