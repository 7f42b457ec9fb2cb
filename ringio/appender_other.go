//go:build !linux

package ringio

func (f *File) durably() durably { return f.plainly }
