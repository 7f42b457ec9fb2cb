//go:build !linux

package ringio

import "io/fs"

func (*Engine) fetchInfos(string, []fs.DirEntry) {}
