#!/usr/bin/env bash
# Writes a seccomp profile for containers: Docker's default one plus the three io_uring system calls,
# which engines from Docker 25 and containerd 2 on refuse. Use it with
#
#   docker run --security-opt seccomp=OUT.json …
#
# The default profile comes from the engine's own Go module, pinned in seccomp.lock.
# usage: seccomp-profile.sh [--unchanged] OUT.json
#   --unchanged  the default profile as it is, to see what a container without permission sees
set -euo pipefail
lock=$(cd "$(dirname "$0")" && pwd)/seccomp.lock

die() { echo "seccomp-profile: $*" >&2; exit 1; }

# Prints the path of the pinned default profile, fetched into Go's module cache if it is not there yet.
default_profile() {
  local module version file sum path
  read -r module version file sum < <(grep -v '^#' "$lock") || die "$lock: no line with module, version, file and sum"
  # Outside of any module and workspace, so that no go.mod or go.sum is touched.
  (cd / && GOWORK=off GOFLAGS='' go mod download "$module@$version") ||
    die "cannot get $module@$version: is Go's module proxy reached (go env GOPROXY)?"
  path=$(go env GOMODCACHE)/$module@$version/$file
  [[ -f $path ]] || die "$module@$version has no file $file: correct $lock"
  sha256sum --check --status <<<"$sum  $path" ||
    die "$path has the SHA-256 $(sha256sum <"$path" | cut -d' ' -f1), $lock wants $sum"
  echo "$path"
}

# One more rule at the head of the list: no need to understand the others.
allow_io_uring() {
  sed 's/^\t"syscalls": \[$/&\n\t\t{ "names": ["io_uring_setup", "io_uring_enter", "io_uring_register"], "action": "SCMP_ACT_ALLOW" },/'
}

edit=allow_io_uring
if [[ ${1-} == --unchanged ]]; then edit="cat"; shift; fi
[[ $# == 1 && $1 != -* ]] || die "usage: seccomp-profile.sh [--unchanged] OUT.json"

default=$(default_profile)
profile=$("$edit" <"$default")
# A profile of another layout would come out unchanged.
[[ $edit == cat || $profile == *io_uring_setup* ]] || die "no list of system calls found in $default: correct the edit in $0"
printf '%s\n' "$profile" >"$1"
