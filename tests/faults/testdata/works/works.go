// Package works uses a ring, a loop and an engine, for programs that are built in unusual
// ways.
package works

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/ringio"
)

// All returns nil if all works.
func All() error { return errors.Join(ring(), loop(), engine()) }

func ring() error {
	r, err := liburing.New(8)
	if err != nil {
		return err
	}
	defer r.Close()
	r.GetSQE().PrepNop()
	_, err = r.SubmitAndWait(1)
	return err
}

func loop() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	ticks := 0
	t := l.Every(time.Millisecond, func() {
		if ticks++; ticks == 5 {
			l.Stop()
		}
	})
	err = l.Run(context.Background())
	t.Stop()
	return errors.Join(err, l.Close(context.Background()))
}

func engine() error {
	if err := ringio.Available(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "works")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := ringio.Create(filepath.Join(dir, "file"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		return err
	}
	return errors.Join(f.Sync(), echo())
}

// echo has a text go through a connection and back.
func echo() error {
	l, err := ringio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := ringio.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("text")); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "text" {
		return fmt.Errorf("received %q: %w", b, err)
	}
	return nil
}
