//go:build linux

package liburing

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is put in and taken out at either end, the order and the bytes stay, also
// those of the second half of big entries.
func TestBacklogIsADeque(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithFlags(SetupSQE128)}} {
		r, err := New(8, opts...)
		if len(opts) > 0 && unknownFlags(SetupSQE128) != 0 {
			continue // Linux before 5.19
		}
		require.NoError(t, err)
		defer r.Close()
		m := r.mem
		b, other := newBacklog(m), newBacklog(m)
		var want []uint64
		put := func(b *backlog, e *SQE, v uint64) {
			*e = SQE{UserData: v}
			if b.step > 1 {
				e.half().UserData = ^v
			}
		}
		for v := uint64(1); v < 20_000; v++ {
			switch op := rand.IntN(20); {
			case op < 8 || v < 1000:
				put(&b, b.push(), v)
				want = append(want, v)
			case op < 10:
				put(&b, b.pushFront(), v)
				want = append([]uint64{v}, want...)
			case op < 11:
				put(&other, other.push(), v)
				b.take(&other)
				want = append(want, v)
			case len(want) > 0:
				b.pop()
				want = want[1:]
			}
			if len(want) == 0 {
				continue
			}
			i := rand.IntN(len(want))
			require.Equal(t, want[i], b.at(i).UserData)
			if b.step > 1 {
				require.Equal(t, ^want[i], b.at(i).half().UserData)
			}
		}
		require.Equal(t, len(want), b.len())
		for b.len() > 0 {
			require.Equal(t, want[0], b.at(0).UserData)
			want = want[1:]
			b.pop()
		}
	}
}
