// Package prefetch has the processor fetch memory into its caches that is going to be used
// soon. Where thousands of goroutines take turns none finds anything of its own there, and
// waits for each piece in turn; fetched in advance the pieces come at the same time.
//
// Addresses are numbers here, which keep no memory alive: the instruction neither reads nor
// writes for the program and can't fail, so what they name may be gone.
package prefetch

// Line is how many bytes the caches have at a time, and so what is fetched.
const Line = 64
