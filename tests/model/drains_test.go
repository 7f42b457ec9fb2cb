//go:build linux

package model_test

import (
	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// drain makes a request that waits for all before it, and that all behind it
// wait for. Half of them have a link.
func (m *model) drain(s step) {
	before := len(m.records)
	check := func(c liburing.Completion) {
		m.success(c)
		for i, r := range m.records {
			switch {
			case r.refused:
			case i < before:
				require.Equal(m.t, 1, r.finals, "%s: made before a drain, and not completed", r.name)
			case i > before && !ringtest.KernelBefore(6, 16): // older ones begin these with the drain
				require.Zero(m.t, r.finals, "%s: made behind a drain, and completed before it", r.name)
			}
		}
	}
	req := m.request(expect{name: "drain", check: check}, m.l.Nop).Flags(liburing.SQEIODrain)
	if m.rnd(s).IntN(2) == 0 {
		req.LinkNext()
		m.request(expect{name: "linked behind a drain", check: m.success}, m.l.Nop)
	}
}
