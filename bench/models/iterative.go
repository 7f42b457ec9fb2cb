package main

import "context"

// iterative serves one client after the other: while one is silent, all wait.
func iterative(ctx context.Context, s server) error {
	return untilDone(ctx, func() error { return answerEach(s.listener) })
}
