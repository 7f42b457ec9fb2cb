//go:build !race && !asan

package ringio

const raceEnabled = false
