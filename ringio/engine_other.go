//go:build !linux

package ringio

import (
	"context"

	"github.com/go-liburing/liburing"
)

// engine is a ring, of which there are none here.
type engine struct{ watch *watch }

func newEngine(Options) (*engine, error) {
	_, err := liburing.New(1)
	return nil, err
}

func (*engine) registerFixed(*liburing.BufferPool) bool { return false }

func (*engine) stop()                          {}
func (*engine) shutdown(context.Context) error { return nil }
func (*engine) isForbidden() error             { return nil }
func (*engine) snapshot() (c counts)           { return c }
