//go:build linux && !race

package docs_test

const module = "github.com/go-liburing/liburing"

// packages are those that a fragment may use without an import. The last part of each path is the package's name.
var packages = []string{
	"context",
	"encoding/json",
	"errors",
	"expvar",
	"fmt",
	"io",
	"log",
	"net",
	"net/http",
	"os",
	"testing",
	"time",

	module,
	module + "/doctor",
	module + "/loopio",
	module + "/ringio",
	module + "/uringtest",
	"golang.org/x/sys/unix",
}

// variables are those that a fragment may use without declaring them, because the text around it or the name says what
// they are, and their types.
var variables = map[string]string{
	"buf":     "[]byte",
	"file":    "*os.File",
	"handler": "http.Handler",
	"offset":  "int64",
}
