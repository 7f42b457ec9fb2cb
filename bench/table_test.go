package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTableWarnsOfUnsteadyRounds(t *testing.T) {
	var steady, unsteady strings.Builder
	printTable(&steady, []entry{{Name: "a/b", Ours: 2, C: 3, Ratio: 1.5, Unit: "ns", Spread: 0.02, CSpread: 0.03}})
	require.Regexp(t, `a/b\s+2\.0\s+1%\s+3\.0\s+2%\s+ns\s+1\.50\s+-`, steady.String())
	require.NotContains(t, steady.String(), "loads this machine")
	printTable(&unsteady, []entry{{Name: "a"}, {Name: "b", CSpread: 0.3}})
	require.Contains(t, unsteady.String(), "loads this machine")
}
