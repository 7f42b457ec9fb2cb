module github.com/go-liburing/liburing

go 1.26.0

// A service that imports the package builds x/sys and nothing else of these: testify is the tests', cgosymbolizer is
// internal/crash's, a program with which a test sees that a fault in C is reported with C's function, file and line.
// That program has no module of its own, because this one would then have no use for cgosymbolizer and could not name
// it; go reads no more of it than this line for an importer. tests/importer checks that.
require (
	github.com/ianlancetaylor/cgosymbolizer v0.0.0-20250410214317-b8ecc8b6bbe6
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.48.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
