//go:build !linux || !cgo

package ringio

import "io/fs"

func (*Engine) fetchInfos(string, []fs.DirEntry) {}
