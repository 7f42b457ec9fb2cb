package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrepare has a group that can be held, one that needs what is not there,
// and one that fails.
func TestPrepare(t *testing.T) {
	all := groups
	defer func() { groups = all }()
	made := func(result string, err error) func(context.Context, *tools) ([]contest, error) {
		return func(context.Context, *tools) ([]contest, error) {
			return []contest{{title: result, figures: []figure{{name: result}}}}, err
		}
	}
	groups = []group{
		{name: "good", contests: made("good/1", nil)},
		{name: "poor", contests: made("poor/1", missing("it needs money: earn some"))},
		{name: "bad", contests: made("bad/1", errors.New("it does not compile"))},
	}
	var said []string
	tl := &tools{say: func(what string) { said = append(said, what) }}

	contests, err := prepare(t.Context(), tl, nil)
	require.Equal(t, []string{"good/1"}, resultsOf(contests))
	require.EqualError(t, err, "bad is left out: it does not compile")
	require.Equal(t, []string{"poor is skipped: it needs money: earn some"}, said)

	contests, err = prepare(t.Context(), tl, []string{"good"})
	require.NoError(t, err)
	require.Len(t, contests, 1)

	_, err = prepare(t.Context(), tl, []string{"good/2"})
	require.ErrorContains(t, err, `there is no result "good/2"`)
}
