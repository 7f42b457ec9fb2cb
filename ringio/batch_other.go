//go:build !linux

package ringio

import "context"

func readBatch(ctx context.Context, reads []ReadRequest) {
	for i := range reads {
		reads[i].readOne(ctx)
	}
}
