// Package ringio has files and connections for ordinary goroutines that use io_uring
// where it is faster.
package ringio
