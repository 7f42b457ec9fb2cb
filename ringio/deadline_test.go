//go:build linux

package ringio

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What was set before is void, also where its timer goes off at this very moment.
func TestDeadlineThatIsSetAgain(t *testing.T) {
	var d deadline
	for range 500 {
		d.set(time.Now().Add(time.Duration(rand.IntN(50)) * time.Microsecond))
		for began := time.Now(); time.Since(began) < 25*time.Microsecond; {
		}
		far := time.Time{}
		if rand.IntN(2) == 0 {
			far = time.Now().Add(time.Hour)
		}
		d.set(far)
		for range 3 {
			require.False(t, d.passed())
			time.Sleep(time.Microsecond)
		}
	}
	d.set(time.Now().Add(time.Millisecond))
	require.Eventually(t, d.passed, 10*time.Second, time.Millisecond)
	d.set(time.Now().Add(10 * time.Millisecond))
	require.False(t, d.passed())
	require.Eventually(t, d.passed, 10*time.Second, time.Millisecond, "a second time")
	d.close()
}
