//go:build linux

package model_test

import (
	"errors"
	"math/rand/v2"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// groupKind says how a group of buffers is made and who receives into it.
type groupKind struct {
	flags    liburing.BufRingFlags
	conduits []conduit
}

var groupKinds = []groupKind{
	{0, []conduit{{}}},
	{liburing.PbufRingInc, []conduit{{}}},
	{0, []conduit{{pipe: true}}},
	{0, []conduit{{zero: true}}},
	{0, []conduit{{}, {pipe: true}, {zero: true}, {}}}, // they starve each other
	{0, []conduit{{bundle: true}}},
	{liburing.PbufRingInc, []conduit{{bundle: true}}},
	{0, []conduit{{bundle: true}, {}, {bundle: true}}},
	{liburing.PbufRingInc, []conduit{{bundle: true}, {}}},
	{0, []conduit{{msg: true}, {}}},
	{liburing.PbufRingInc, []conduit{{msg: true}, {pipe: true}, {bundle: true}}},
}

// openConduits makes the groups and what receives into them.
func (m *model) openConduits() {
	rnd := rand.New(rand.NewPCG(m.program.seed, 2))
	for _, kind := range groupKinds {
		g, size := m.newGroup(rnd, kind.flags)
		for _, c := range kind.conduits {
			c.group, c.size, c.salt = g, size, byte(rnd.Uint32())
			c.bundle = c.bundle && m.features&liburing.FeatRecvSendBundle != 0
			switch {
			case c.pipe:
				c.r, c.w = m.pipe()
			case c.zero:
				c.r, c.w = m.tcp()
			default:
				c.r, c.w = m.pair(unix.SOCK_STREAM)
			}
			m.conduits = append(m.conduits, &c)
		}
	}
}

func (m *model) newGroup(rnd *rand.Rand, flags liburing.BufRingFlags) (g *liburing.BufGroup, size int) {
	size = 1 + rnd.IntN(1000)
	if flags != 0 {
		size *= 8 // several messages in each
	}
	g, err := m.l.NewBufGroup(1+rnd.IntN(5), size, flags)
	if errors.Is(err, unix.EINVAL) && flags != 0 { // before Linux 6.12
		size = 700
		g, err = m.l.NewBufGroup(3, size, 0)
	}
	require.NoError(m.t, err)
	m.groups = append(m.groups, g)
	return g, size
}
