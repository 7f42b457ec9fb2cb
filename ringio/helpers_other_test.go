//go:build !linux

package ringio

import (
	"errors"
	"testing"
)

func keepBusy(*Engine) {}

func keepMany(*Engine) {}

func makeFIFO(string) error { return errors.New("there are no FIFOs") }

func dropCache(testing.TB, string) {}

func bigSlice(_ testing.TB, size int) ([]byte, func()) { return make([]byte, size), func() {} }

var directFlags []int

func isDirect(int) bool { return false }

func alignedBytes(size int) []byte { return make([]byte, size) }

func takesDirect(string) bool { return false }
