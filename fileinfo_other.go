//go:build !linux

package liburing

import "io/fs"

// FileInfo needs Linux.
func FileInfo(name string, statx *Statx) fs.FileInfo { return nil }

// StatxBasicStats is the mask of a Statx request for what a FileInfo tells.
const StatxBasicStats = 0x7ff
