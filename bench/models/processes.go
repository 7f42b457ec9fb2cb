package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// processes are those that a model has started. A Go program can't fork and go
// on, so they are this program, executed anew with a descriptor to work on.
type processes struct {
	ctx     context.Context // tells them to end
	program string
	running sync.WaitGroup
}

func newProcesses(ctx context.Context) (*processes, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &processes{ctx: ctx, program: program}, nil
}

// start starts a process that inherits a descriptor, and has ended called when
// it has. The calling goroutine must be locked to its thread: the kernel kills
// the process when that thread ends, so it never outlives this one.
func (p *processes) start(what string, file *os.File, ended func(error)) error {
	cmd := exec.CommandContext(p.ctx, p.program, "-inherit", what)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.running.Go(func() { ended(cmd.Wait()) })
	return nil
}

// mostProcesses is how many forking has at the same time: more would run the
// machine out of memory long before they served anybody sooner.
const mostProcesses = 256

// forking has a process for each connection.
func forking(ctx context.Context, s server) error {
	children, err := newProcesses(ctx)
	if err != nil {
		return err
	}
	defer children.running.Wait()
	// A listening socket that is shut down has accept return.
	defer context.AfterFunc(ctx, func() { unix.Shutdown(s.listener, unix.SHUT_RDWR) })()
	runtime.LockOSThread()
	return children.forEachConnection(s.listener)
}

func (p *processes) forEachConnection(listener int) error {
	free := make(chan struct{}, mostProcesses)
	for {
		free <- struct{}{}
		fd, err := accept(listener, 0)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		conn := os.NewFile(uintptr(fd), "connection")
		err = p.start("connection", conn, func(error) { <-free })
		conn.Close()
		if err != nil {
			return err
		}
	}
}

// preforked has a number of processes from the start, each of which serves one
// client after the other.
func preforked(ctx context.Context, s server) error {
	runtime.LockOSThread()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	children, err := newProcesses(ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		children.running.Wait()
	}()
	ended := make(chan error, s.workers)
	listener := os.NewFile(uintptr(s.listener), "listener")
	for range s.workers {
		if err := children.start("listener", listener, func(err error) { ended <- err }); err != nil {
			return err
		}
	}
	return waitForEnd(ctx, ended)
}

// waitForEnd waits until ctx ends, or a process does, which it should not.
func waitForEnd(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return errors.Join(errors.New("a process has ended"), err)
	case <-ctx.Done():
		return nil
	}
}
