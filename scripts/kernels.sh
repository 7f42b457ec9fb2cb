#!/usr/bin/env bash
# Runs the suite on other kernels: Debian's cloud kernels, each booted in qemu with the compiled tests and programs as
# all there is beside busybox, and two NVMe drives: one that tests may write to, one with a file system for their files.
# Needs root and apt where qemu or another tool is missing. A processor emulated without KVM is slow: some minutes a
# kernel.
#
# It ends with a table: what has passed, failed and been skipped on each kernel, and why. Skipped are parts of tests too.
# And it asks each kernel what it knows: the tables of docs/kernels.md are made of that.
#
# usage: kernels.sh [SUITE…]   Debian's suites whose kernels are wanted; all without an argument:
#                              bullseye-security (5.10), bookworm-security (6.1), trixie (6.12),
#                              trixie-backports (7.x)
#        kernels.sh --help
#
# Settings, all optional:
#   TESTS=re                 run only those tests (go test's -run)
#   ROOMS="./tests/loop …"   those packages only, instead of all that scripts/rooms.sh names
#   SURVEY=file              run no tests, but the survey of descriptors, and write there what it prints
#   XDG_CACHE_HOME=~/.cache  kernels are kept there, in the folder go-liburing
set -euo pipefail
set -m # Ctrl-C reaches this script alone, which then ends its job as a whole
cd "$(dirname "$0")/.."

readonly cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/go-liburing/kernels
readonly limit=2400 # seconds a kernel
readonly modules=(ublk_drv tls)
work=$(mktemp -d "${TMPDIR:-/tmp}/liburing-kernels.XXXXXX")
job=

say() { echo "kernels: $*"; }
die() { say "$*" >&2; exit 1; }
usage() { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; }

cleanup() {
  trap '' INT TERM
  [[ -z $job ]] || { kill -- "-$job" && wait "$job"; } 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_tools() {
  local missing=()
  command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
  command -v busybox >/dev/null || missing+=(busybox-static)
  command -v cpio >/dev/null || missing+=(cpio)
  command -v xz >/dev/null || missing+=(xz-utils)
  command -v mke2fs >/dev/null || missing+=(e2fsprogs)
  ((${#missing[@]} == 0)) || {
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/log" 2>&1 ||
      { tail -n 20 "$work/log" >&2; die "could not install ${missing[*]}: run this as root on Debian"; }
  }
}

# apt_of SUITE COMMAND…: apt with that suite alone, whatever this machine uses.
apt_of() {
  local dir=$cache/$1/apt suite=$1 site
  shift
  # shellcheck disable=SC2016 # what apt fills in
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
  [[ $suite != *-security ]] || site=${site%/}-security
  mkdir -p "$dir/lists/partial"
  # Trusted, because this machine need not know the suite's key: the kernel runs in an emulator without a network.
  echo "deb [trusted=yes] $site $suite main" >"$dir/sources.list"
  "$@" -oDir::Etc::sourcelist="$dir/sources.list" -oDir::Etc::sourceparts=/dev/null -oDir::State::Lists="$dir/lists" \
    -oAPT::Sandbox::User=root
}

# needs_of SUITE PACKAGE PREFIX: prints the package it depends on whose name starts so.
needs_of() { apt_of "$1" apt-cache depends "$2" | sed -n "s/.*Depends: *\($3[^ ]*\).*/\1/p" | head -n 1; }

# download SUITE: puts the suite's kernel into the cache, and those of the modules that it has.
download() {
  local dir=$cache/$1 image packages deb module
  apt_of "$1" apt-get update -qq
  image=$(needs_of "$1" linux-image-cloud-amd64 'linux-image-[0-9]')
  # From 7.0 on the files are in packages of their own.
  packages=("$(needs_of "$1" "$image" linux-binary-)" "$(needs_of "$1" "$image" linux-modules-)")
  [[ -n ${packages[0]} ]] || packages=("$image")
  mkdir -p "$dir/deb" "$dir/modules"
  cd "$dir/deb"
  apt_of "$1" apt-get download -qq "${packages[@]}"
  for deb in *.deb; do dpkg-deb -x "$deb" x; done
  for module in "${modules[@]}"; do
    find x -name "$module.ko.xz" -exec xz -dc {} \; >"../modules/$module.ko"
    find x -name "$module.ko" -exec cp {} ../modules/ \;
  done
  find ../modules -empty -delete
  mkdir -p ../modules
  mv "$(find x -name 'vmlinuz*')" ../vmlinuz
  cd .. && rm -rf deb
}

# kernel_of SUITE: sets kernel to the file of the suite's kernel.
kernel_of() {
  kernel=$cache/$1/vmlinuz
  [[ ! -f $kernel || ! -d $cache/$1/modules ]] || return 0
  say "$1: getting its kernel"
  bash -euc "$(declare -p cache modules); $(declare -f apt_of needs_of download); download $1" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; die "$1: there is no kernel to be had"; }
}

# copy_of FILE: puts it at the same place in the machine's root.
copy_of() {
  mkdir -p "$work/root$(dirname "$1")"
  cp -L "$1" "$work/root$1"
}

make_machine() {
  say "compiling the tests and the programs"
  mkdir -p "$work"/root/{bin,proc,sys,dev,tmp,disk,etc,modules,programs,suite,work/third_party/liburing}
  local rooms
  mapfile -t rooms < <(tr ' ' '\n' <<<"${ROOMS:-$(scripts/rooms.sh kernels)}")
  [[ -n ${SURVEY-} ]] || go test -c -ldflags='-s -w' -o "$work/root/suite/" "${rooms[@]}"
  go list -f '{{.Dir}}' "${rooms[@]}" | sed "s:^$PWD:/work:" >"$work/root/suite/rooms"
  go build -ldflags='-s -w' -o "$work/root/programs/" ./examples/... ./cmd/uring ./internal/{kerneltable,survey}
  cp -r ./*.go cmd doctor examples internal ringio testdata tests "$work/root/work/" # some of which they read
  cp -r third_party/liburing/lib "$work/root/work/third_party/liburing/"
  cp "$(command -v busybox)" "$work/root/bin/busybox"
  local library
  for library in $(ldd "$work/root/programs/uring" | grep -o '/[^ ]*'); do copy_of "$library"; done
  echo 'root:x:0:0:root:/:/bin/sh' >"$work/root/etc/passwd"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/root/etc/hosts"
  cat >"$work/root/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t devpts devpts /dev/pts
ip link set lo up
export PATH=/bin HOME=/tmp LIBURING_TEST_PROGRAMS=/programs
for module in /modules/*; do [ ! -f "\$module" ] || insmod \$module; done
# The drives come up in any order: their serial numbers tell.
for try in \$(seq 100); do [ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ] && break; sleep 0.1; done
for drive in nvme0n1 nvme1n1; do
  case \$(cat /sys/block/\$drive/device/serial):\$(uname -r) in
  liburing*) export LIBURING_TEST_NVME=/dev/ng\${drive#nvme} ;; # its content may go
  files*:5.* | files*:6.[0-9].*) mount -t ext4 /dev/\$drive /disk ;; # tests of files know of these kernels what they do on a tmpfs
  files*) mount -t ext4 /dev/\$drive /disk && export TMPDIR=/disk ;;
  esac
done
ulimit -n 65536
echo "KERNEL \$(uname -r)"
if [ '${SURVEY:+yes}' ]; then
  /programs/survey -print | sed 's/^/SURVEY /'
  echo "EXIT 0"
  poweroff -f
fi
echo "ANSWERS \$(/programs/kerneltable -ask)"
status=0
while read -r room; do
  name=\$(basename \$room)
  [ \$room != /work ] || name=liburing
  [ -f /suite/\$name.test ] || continue
  cd \$room
  echo "PACKAGE \$name"
  /suite/\$name.test -test.v -test.timeout $((limit / 3))s -test.run '${TESTS:-.}' </dev/null || status=\$?
done </suite/rooms
echo "EXIT \$status"
poweroff -f
INIT
  chmod +x "$work/root/init"
}

# drives: makes those of the next machine and sets drives to qemu's arguments for them.
drives() {
  rm -f "$work/"*.img
  truncate -s 16M "$work/liburing.img"
  truncate -s 256M "$work/files.img"
  mke2fs -q -F -t ext4 "$work/files.img"
  drives=()
  local name
  for name in liburing files; do
    drives+=(-drive "file=$work/$name.img,if=none,id=$name,format=raw" -device "nvme,serial=$name,drive=$name")
  done
}

# run SUITE LOG: runs the kernel to its end.
run() {
  local drives
  drives
  rm -f "$work/root/modules/"*
  cp "$cache/$1/modules/"*.ko "$work/root/modules/" 2>/dev/null || true
  (cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
  # Without cmpxchg16b, which qemu emulates badly up to 7.2: it spoils the flags. And without a check of the timer, which
  # fails where the emulator gets too little time.
  timeout -k 5 "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-cx16 -machine q35 -smp 2 -m 2048 \
    -nodefaults -no-user-config -display none -no-reboot -serial stdio -kernel "$kernel" -initrd "$work/initrd" \
    -append "console=ttyS0 panic=-1 quiet no_timer_check nvme.poll_queues=1" "${drives[@]}" </dev/null 2>&1 |
    sed -u 's/\r$//' >"$2" &
  job=$!
  wait "$job" || true
  job=
}

# boot SUITE: runs the tests on its kernel, and prints what has failed. A kernel that does not come to the tests, as
# happens in the emulator on a busy machine, has a second chance.
boot() {
  local log=$work/$1.log status
  run "$1" "$log"
  grep -aq '^KERNEL ' "$log" || run "$1" "$log"
  status=$(sed -n 's/^EXIT \([0-9]*\).*/\1/p' "$log")
  summary "$1" "$log" >"$work/rows"
  head -n 1 "$work/rows"
  cat "$work/rows" >>"$work/table"
  [[ -z ${SURVEY-} ]] || sed -n 's/^SURVEY //p' "$log" >>"$SURVEY"
  sed -n 's/^ANSWERS \({.*}\)$/\1/p' "$log" >"$work/answers"
  [[ ! -s $work/answers ]] || cp "$work/answers" "internal/kerneltable/answers/$1.json"
  [[ $status == 0 ]] && return
  cp "$log" "$cache/$1.log"
  grep -a -e '--- FAIL' -e '^panic: ' "$log" || tail -n 5 "$log"
  say "$1: all that it printed is in $cache/$1.log"
  return 1
}

# summary SUITE LOG: a row of the table, and below it why tests, and parts of them, were skipped.
summary() {
  awk -v suite="$1" '
    /^KERNEL / { kernel = "Linux " $2 }
    /^EXIT / { ended = 1 }
    /^=== / { test = $3 }
    /^ +[a-z_]+\.go:[0-9]+: / { sub(/^ +[^ ]+ /, ""); said[test] = $0 }
    /^--- PASS/ { passed++ }
    /^ *--- FAIL/ { failed++ }
    /^ *--- SKIP/ { skip(said[$3]) }
    /: without Example/ { sub(/: without Example.*/, ""); skip($0) }
    function skip(why) {
      sub(/ \(the last it knows is .*/, "", why)
      skipped++
      reasons[why]++
    }
    END {
      printf "%-36s %6d %7d %6d%s\n", kernel ? kernel : suite, passed, skipped, failed,
        ended ? "" : kernel ? "  it did not come to the end" : "  it did not boot"
      fflush()
      for (why in reasons) printf "%44d  %s\n", reasons[why], why | "sort -k 1,1nr -k 2"
    }' "$2"
}

[[ ${1-} != --help ]] || { usage; exit; }
suites=("$@")
((${#suites[@]})) || suites=(bullseye-security bookworm-security trixie trixie-backports)
mkdir -p "$cache"
install_tools
scripts/vendor-liburing.sh
make_machine
failed=()
for suite in "${suites[@]}"; do
  kernel_of "$suite"
  boot "$suite" || failed+=("$suite")
done
go run ./internal/kerneltable
printf '\n%-36s %6s %7s %6s\n' kernel passed skipped failed
cat "$work/table"
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
