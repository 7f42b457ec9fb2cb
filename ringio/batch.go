package ringio

import "context"

// ReadRequest is one of the reads of a ReadBatch: File.ReadAt's arguments, and its
// results when the batch is done.
type ReadRequest struct {
	File *File
	Buf  []byte
	Off  int64

	N   int
	Err error
}

// ReadBatch carries out many reads together: what the page cache does not have is
// requested from the ring in one submission, of up to 256 files; what follows is requested
// when that has been read. Each read does what File.ReadAt would. It returns the first error,
// which may be io.EOF.
func ReadBatch(reads []ReadRequest) error { return ReadBatchContext(context.Background(), reads) }

// ReadBatchContext is ReadBatch that ends with ctx, see File.ReadAtContext.
func ReadBatchContext(ctx context.Context, reads []ReadRequest) error {
	readBatch(ctx, reads)
	for i := range reads {
		if reads[i].Err != nil {
			return reads[i].Err
		}
	}
	return nil
}

// readOne carries one read out by itself.
func (r *ReadRequest) readOne(ctx context.Context) {
	r.N, r.Err = r.File.ReadAtContext(ctx, r.Buf, r.Off)
}
