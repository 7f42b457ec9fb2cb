package liburing

// What Backend returns.
const (
	BackendCgo  = "cgo"  // liburing itself, through cgo
	BackendGo   = "go"   // the package's own code, which does what liburing does
	BackendNone = "none" // nothing: this is not Linux
)

// Backend tells what the program's rings are set up and waited for with, which was
// chosen when it was built. BackendCgo is liburing, linked by cgo: so it is where
// nothing else was asked for. BackendGo needs neither liburing nor a C compiler: so it
// is with CGO_ENABLED=0, and with -tags liburing_go where cgo is to stay on for other
// packages. Both have the whole API and pass the same tests.
func Backend() string { return backend }
