package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// errInterrupted is the error of a command that the user ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that ends when the user wants the command to.
// Signals that are ignored stay so (as with nohup), and a second one is deadly.
func interruptible() (context.Context, context.CancelFunc) {
	signals := slices.DeleteFunc([]os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP}, signal.Ignored)
	if len(signals) == 0 { // which would be all to NotifyContext
		return context.WithCancel(context.Background())
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
