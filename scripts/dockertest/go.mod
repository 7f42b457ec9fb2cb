// A service of its own, as docker-test.sh builds it in the image; not a part of the module above it.
module example.com/ringsum

go 1.26

require github.com/go-liburing/liburing v0.0.0

// In the image the module lies in /usr/local/src/liburing; the Dockerfile beside this file points there.
replace github.com/go-liburing/liburing => ../..
