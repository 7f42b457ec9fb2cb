//go:build linux

package doctor_test

import (
	"encoding/json"
	"expvar"
	"strings"
	"testing"

	"github.com/go-liburing/liburing/doctor"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { ringtest.Main(m) }

// A diagnosis can stand on a page of health.
func TestDiagnosisIsAVar(t *testing.T) {
	d := doctor.Diagnose()
	require.True(t, d.Usable, "%v", d)
	var v expvar.Var = d
	var again doctor.Diagnosis
	require.NoError(t, json.Unmarshal([]byte(v.String()), &again))
	require.Equal(t, d, &again)
}

// Without a folder no file is made; with one it is read.
func TestDiagnoseIn(t *testing.T) {
	_, tried := doctor.Diagnose().About("read")
	require.False(t, tried)
	f, tried := doctor.DiagnoseIn(t.TempDir()).About("read")
	require.True(t, tried)
	require.Equal(t, doctor.OK, f.Status)
	f, _ = doctor.DiagnoseIn("/nowhere").About("read")
	require.Equal(t, doctor.Warn, f.Status)
	require.Contains(t, f.Found, "/nowhere")
}

func TestPrint(t *testing.T) {
	d := &doctor.Diagnosis{Findings: []doctor.Finding{
		{Check: "good", Status: doctor.OK, Found: "fine", Means: "nothing of note"},
		{Check: "bad", Status: doctor.Fail, Found: "broken", Means: "it does not work", Do: "repair it"},
	}, Opcodes: []doctor.Support{{Name: "nop", Supported: true}, {Name: "fly", Number: 1}}}
	var short, long strings.Builder
	require.NoError(t, d.Print(&short, false))
	require.NoError(t, d.Print(&long, true))
	require.NotContains(t, short.String(), "nothing of note")
	require.Contains(t, long.String(), "nothing of note")
	require.Contains(t, short.String(), "-> repair it")
	require.Contains(t, short.String(), "not supported           fly")
	require.Contains(t, short.String(), "io_uring cannot be used here.")
}
