//go:build !unix

package ringio

import (
	"context"
	"os"
)

func pipeAtomic() int { return 512 }

func blocks(*os.File) (waits, pipe bool) { return false, false } // it can't be told

func awaitReady(context.Context, *os.File, bool) error { return nil }
