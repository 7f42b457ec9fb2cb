//go:build linux && !race

package importer

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What README says under "Use it" is copied and pasted, in a fresh home.
func TestReadme(t *testing.T) {
	_, section, ok := strings.Cut(read(t, filepath.Join(root, "README.md")), "\n## Use it\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 4, "none, the system's, the script's, the clone's")
	// The system's liburing is not everywhere.
	get := strings.ReplaceAll(blocks[1][1], "go build\n", "")

	t.Run("go get without cgo", func(t *testing.T) {
		s := newService(t, publish(t))
		s.pastes(blocks[0][1])
	})
	t.Run("go get and the script", func(t *testing.T) {
		s := newService(t, publish(t))
		s.pastes(get + blocks[2][1])
		require.FileExists(t, s.home+"/.local/liburing/lib/liburing.a")
	})
	t.Run("clone", func(t *testing.T) {
		if !exists(filepath.Join(root, ".git")) {
			t.Skip("this is no clone that could be cloned")
		}
		s := newService(t, publish(t))
		write(t, s.home+"/.gitconfig", "[safe]\n\tdirectory = *\n[url \"file://"+root+"\"]\n\tinsteadOf = https://"+module+"\n")
		s.pastes(blocks[3][1])
	})
}

// pastes runs a script that has to build the service, which then works.
func (s *service) pastes(script string) {
	s.t.Helper()
	s.must("bash", "-euc", script)
	require.Regexp(s.t, `^liburing 2\.\d+ says 0\n$`, s.must("./service"))
}
