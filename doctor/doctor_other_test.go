//go:build !linux

package doctor_test

import (
	"testing"

	"github.com/go-liburing/liburing/doctor"
	"github.com/stretchr/testify/require"
)

// Where there can be no ring the diagnosis says why.
func TestDiagnosisSaysWhatIsMissing(t *testing.T) {
	d := doctor.Diagnose()
	require.False(t, d.Usable)
	last := d.Findings[len(d.Findings)-1]
	require.Equal(t, doctor.Fail, last.Status)
	require.Contains(t, last.Means, "Linux")
	require.NotEmpty(t, last.Do)
	require.NotEqual(t, "{}", d.String())
}
