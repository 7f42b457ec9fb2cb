#!/usr/bin/env bash
# Runs a go command with musl for C's library and a liburing that was built with it, so that what is built with cgo is
# static and runs anywhere:
#
#   scripts/musl.sh go build -o service ./cmd/service
#
# Takes Debian's musl-gcc (package musl-tools) and the kernel's headers (linux-libc-dev). That liburing is kept in the
# folder go-liburing/musl of the cache (XDG_CACHE_HOME, ~/.cache).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/go-liburing/musl
home=$cache/$(sha256sum <"$here/../third_party/liburing.lock" | head -c 12) # of the version that is pinned
readonly here cache home

[[ $# != 0 && $1 != -* ]] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
command -v musl-gcc >/dev/null || { echo "musl: musl-gcc is missing. On Debian: apt-get install musl-tools" >&2; exit 1; }

# musl-gcc sees no headers but musl's own, and those of the kernel lie among glibc's.
mkdir -p "$cache/kernel" "$home"
ln -sfnt "$cache/kernel" /usr/include/linux /usr/include/asm-generic "/usr/include/$(gcc -print-multiarch)/asm"

export CC="musl-gcc -idirafter $cache/kernel"
[[ -e $home/lib/liburing.a ]] || "$here/vendor-liburing.sh" --prefix "$home" >&2
export CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -I$home/include" CGO_LDFLAGS="-O2 -g -L$home/lib"
# Go's own resolver and users: those of C would want to load more when the program runs.
export GOFLAGS="${GOFLAGS-} -tags=netgo,osusergo '-ldflags=-linkmode=external -extldflags=-static'"
exec "$@"
