//go:build race || asan

package ringio

// raceEnabled is of builds that take more time and memory: with the race detector, or the
// address sanitizer.
const raceEnabled = true
