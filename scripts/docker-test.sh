#!/usr/bin/env bash
# Builds the Dockerfile's image, builds a service of another module on it (scripts/dockertest), and shows what that
# service meets in a container: with a seccomp profile that allows io_uring, without one, and with too little
# lockable memory. Then runs the module's own tests in the image.
#
# Uses the running Docker engine. Where there is none, and this is root on Debian, it starts one of its own, and where
# the base image cannot be pulled it makes one of Debian's packages and this machine's Go. Leaves no container, image
# or data behind, only the packages that it had to install.
#
# Settings, all optional:
#   BASE=image           the image to build on, instead of the Dockerfile's default
#   DOCKER_TEST_RUN=re   run only those of the module's tests (go test's -run)
set -euo pipefail
[[ $# == 0 ]] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2; } # it takes no arguments, and installs things
# Each job gets a process group of its own: Ctrl-C reaches this script alone, which then ends its jobs as a whole.
set -m
cd "$(dirname "$0")/.."

default_base=$(sed -n 's/^ARG BASE=//p' Dockerfile)
base=${BASE:-$default_base}
readonly tag=liburing-docker-test-$$
tmp=$(mktemp -d "${TMPDIR:-/tmp}/liburing-docker.XXXXXX")
engine_pid=
passed=0
failed=0

say() { printf '%3ds %s\n' "$SECONDS" "$*"; }
die() { echo "docker-test: $*" >&2; exit 1; }

# logged COMMAND…: its output goes to a log. In the background, because bash answers a signal only after a command in
# the foreground has ended.
logged() {
  "$@" >"$tmp/log" 2>&1 &
  wait $!
}

# quietly SECONDS COMMAND…: shows the command's output only if it fails.
quietly() {
  local status=0
  logged timeout -k 10 "$@" || status=$?
  ((status == 0)) || tail -n 40 "$tmp/log" >&2
  return "$status"
}

# end_job PID: with all of its children.
end_job() { kill -- "-$1" && wait "$1"; } 2>/dev/null

cleanup() {
  trap '' INT TERM
  local job
  for job in $(jobs -p); do
    [[ $job == "$engine_pid" ]] || end_job "$job" || true
  done
  if [[ -n $engine_pid ]]; then
    end_job "$engine_pid" || true
  else
    docker image ls --quiet "$tag" | xargs -r docker image rm --force >/dev/null || true
  fi
  # What an engine or a debootstrap that was cut short left mounted, inner folders first.
  awk -v dir="$tmp/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount || true
  rm -rf --one-file-system "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# install COMMAND PACKAGE: Debian's package, if its command is missing.
install() {
  ! command -v "$1" >/dev/null || return 0
  [[ $(id -u) == 0 ]] || die "$1 is missing: install Debian's package $2, or run this as root"
  say "installing $2"
  quietly 120 apt-get update
  quietly 300 env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2"
}

engine_answers() { timeout 20 docker version >/dev/null 2>&1; }

find_engine() {
  if engine_answers; then
    say "using the running engine"
  elif [[ -n ${DOCKER_HOST-} ]]; then
    die "no engine answers at DOCKER_HOST=$DOCKER_HOST"
  elif [[ $(id -u) != 0 || ! -e /etc/debian_version ]]; then
    die "no Docker engine is running: start one, set DOCKER_HOST, or run this as root on Debian"
  else
    install dockerd docker.io
    # Installing it starts it where there is a service manager.
    engine_answers || start_engine
  fi
  # Newer clients build with a plugin that Debian packages apart.
  if [[ -z ${DOCKER_BUILDKIT-} ]] && ! docker buildx version >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=0
  fi
}

# The engine gets no network of its own (that needs iptables and kernel modules): containers share the machine's.
start_engine() {
  say "starting an engine"
  export DOCKER_HOST=unix://$tmp/sock
  dockerd --host "$DOCKER_HOST" --data-root "$tmp/data" --exec-root "$tmp/exec" --pidfile "$tmp/pid" \
    --bridge=none --iptables=false --ip6tables=false >"$tmp/engine.log" 2>&1 &
  engine_pid=$!
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    engine_answers && return
    kill -0 "$engine_pid" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$tmp/engine.log" >&2
  die "the engine did not start"
}

find_base() {
  docker image inspect "$base" >/dev/null 2>&1 && return
  say "pulling $base"
  quietly 300 docker pull "$base" && return
  [[ $base == "$default_base" ]] || die "cannot pull BASE=$base"
  make_base
}

# Debian's mirror as apt is set up on this machine.
# shellcheck disable=SC2016 # apt expands it
mirror() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1; }

# Debian's base system, of the release that the Dockerfile's default names, with this machine's Go.
make_base() {
  local suite=${default_base##*-} root=$tmp/root site
  [[ $(id -u) == 0 ]] || die "cannot pull $base, and making a base image needs root"
  install debootstrap debootstrap
  site=$(mirror)
  [[ -n $site ]] || { quietly 120 apt-get update; site=$(mirror); }
  [[ -n $site ]] || die "apt knows no Debian mirror: see /etc/apt/sources.list"
  say "making a base image of Debian $suite and $(go env GOVERSION) instead"
  quietly 300 debootstrap --variant=minbase "$suite" "$root" "$site"
  cp -rL "$(go env GOROOT)" "$root/usr/local/go" # Debian's own Go is a tree of links
  # This machine's certificates: it may reach the module proxy through something that only it trusts.
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/usr/local/share/machine-certificates.crt"
  base=$tag:base
  # shellcheck disable=SC2016 # the inner shell expands it
  quietly 120 bash -o pipefail -c 'tar -C "$1" -c . | docker import \
    --change "ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    --change "ENV SSL_CERT_FILE=/usr/local/share/machine-certificates.crt" - "$2"' bash "$root" "$base"
  rm -rf --one-file-system "$root"
}

build_images() {
  say "building the image"
  local name args=()
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    args+=(--build-arg "$name") # the value is taken from the environment
  done
  quietly 600 docker build --network=host --tag "$tag:builder" --build-arg "BASE=$base" "${args[@]}" \
    --build-arg "GOPROXY=$(go env GOPROXY)" --build-arg "GOSUMDB=$(go env GOSUMDB)" .
  say "building a service of another module on it, with no CGO flag"
  quietly 120 docker build --network=none --tag "$tag:service" --build-arg "BUILDER=$tag:builder" scripts/dockertest
}

# contained PROFILE MEMLOCK_KIB COMMAND…: as a user without capabilities, who is held to the limit.
contained() {
  local profile=$1 memlock=$(($2 * 1024))
  shift 2
  docker run --rm --network=host --user nobody --security-opt "seccomp=$tmp/$profile.json" \
    --ulimit "memlock=$memlock:$memlock" "$tag:service" timeout -k 5 "$@"
}

# Linux 5.12 to 6.13 do not.
rings_count_as_locked() {
  local kernel
  kernel=$(docker version --format '{{.Server.KernelVersion}}')
  ! printf '%s\n' 5.12 "$kernel" 6.14 | sort --version-sort --check=quiet
}

# expect STATUS PATTERN WHAT COMMAND…: the command must end with that status and print a line with that pattern.
expect() {
  local want=$1 pattern=$2 what=$3 status=0 line
  shift 3
  logged "$@" || status=$?
  if ((status == want)) && line=$(grep -m 1 -E -- "$pattern" "$tmp/log"); then
    passed=$((passed + 1))
    say "ok: $what: $line"
  else
    failed=$((failed + 1))
    say "FAILED: $what: wanted status $want and a line with '$pattern', got status $status and"
    tail -n 40 "$tmp/log"
  fi
}

# The output of the module's tests, each package's run where its sources are, and at the end how many there were and
# what those that failed said.
module_tests() {
  # shellcheck disable=SC2016 # the inner shell expands it
  docker run --rm --network=host --security-opt "seccomp=$tmp/allowed.json" "$tag:builder" \
    timeout -k 5 240 bash -c 'status=0
      for dir in $(scripts/rooms.sh docker); do
        name=$(basename "$dir") && [[ $dir != ./ ]] || name=liburing
        (cd "$dir" && "$name.test" -test.v -test.timeout 230s -test.run "$1") || status=$?
      done
      exit $status' bash "${DOCKER_TEST_RUN-}" |
    awk '{print; n[$1 $2]++}
      /^=== RUN/ && $3 !~ "/" {said = ""}
      {said = said $0 "\n"}
      /^--- FAIL/ {failed = failed said}
      END {printf "%s", failed; print n["---PASS:"] + 0, "tests passed,", n["---SKIP:"] + 0, "skipped"}'
}

check() {
  expect 0 '^/tmp/file: OK$' 'the service reads a file through the ring, sha256sum agrees' \
    contained allowed 8192 30 bash -c 'head -c 10000001 /dev/urandom >/tmp/file && ringsum /tmp/file | sha256sum --check -'
  expect 1 'operation not permitted: .*seccomp' "Docker's default profile blocks the ring, the error says so" \
    contained default 8192 30 ringsum /etc/os-release
  if rings_count_as_locked; then
    expect 1 'cannot allocate memory: .*RLIMIT_MEMLOCK.*64 KiB' 'too little lockable memory, the error says so' \
      contained allowed 64 30 ringsum /etc/os-release
  else
    expect 0 ' /etc/os-release$' 'this kernel does not count rings as locked memory, a small limit is no hindrance' \
      contained allowed 64 30 ringsum /etc/os-release
  fi
  expect 0 '^[1-9][0-9]* tests passed' "the module's tests run in the image" \
    module_tests
}

command -v go >/dev/null || die "needs Go on this machine: the seccomp profile comes through its module proxy"
find_engine
scripts/seccomp-profile.sh "$tmp/allowed.json"
scripts/seccomp-profile.sh --unchanged "$tmp/default.json"
find_base
build_images
check
echo "$passed passed, $failed failed"
((failed == 0))
