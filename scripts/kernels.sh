#!/usr/bin/env bash
# Runs the suite on other kernels, and on arm64: Debian's kernels, each booted in qemu with the compiled tests and
# programs as all there is beside busybox, and two NVMe drives where the kernel has a driver: one that tests may write
# to, one with a file system for their files. Needs root and apt where qemu or another tool is missing. A processor
# emulated without KVM is slow: some minutes a kernel.
#
# It ends with a table: what has passed, failed and been skipped on each kernel, and why. Skipped are parts of tests too;
# a skip that scripts/kernels.skips does not allow on that kernel is a failure. And it asks each kernel for amd64 what it
# knows: the tables of docs/kernels.md are made of that.
#
# usage: kernels.sh [SUITE[:FLAVOUR]…]   Debian's suites whose kernels are wanted; these four without an argument:
#                              bullseye-security (5.10), bookworm-security (6.1), trixie (6.12),
#                              trixie-backports (7.x)
#                              and which of the kernels: cloud-amd64 if nothing is said; cloud-arm64; arm64-16k, whose
#                              pages have 16 KiB; s390x (big-endian) and riscv64 without cgo
#        kernels.sh --help
#
# Settings, all optional:
#   BACKEND=go               tests and programs that are built without cgo
#   TESTS=re                 run only those tests (go test's -run)
#   ROOMS="./tests/loop …"   those packages only, instead of all that scripts/rooms.sh names
#   SURVEY=file              run no tests, but the survey of descriptors, and write there what it prints
#   XDG_CACHE_HOME=~/.cache  kernels are kept there, in the folder go-liburing
set -euo pipefail
set -m # Ctrl-C reaches this script alone, which then ends its job as a whole
cd "$(dirname "$0")/.."

readonly cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/go-liburing/kernels
readonly limit=3600 # seconds a kernel
readonly modules=(ublk_drv tls crc16 mbcache jbd2 crc32c_generic ext4 nvme-keyring nvme-auth nvme-core nvme) # those before that others need
readonly backend=${BACKEND:-cgo}
readonly unexpected='   <- this kernel should have it: see scripts/kernels.skips'
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

# choose SUITE[:FLAVOUR]: sets what holds for that kernel's machine.
choose() {
  suite=${1%%:*} flavour=cloud-amd64 dir=$cache/$suite
  [[ $1 != *:* ]] || { flavour=${1#*:} dir+=-$flavour; }
  case $flavour in
    *amd64)
      # Without cmpxchg16b, which qemu emulates badly up to 7.2: it spoils the flags. And without a check of the timer,
      # which fails where the emulator gets too little time.
      arch=amd64 qemu=(qemu-system-x86_64 -cpu 'max,-cx16' -machine q35) console='ttyS0 no_timer_check' ;;
    *arm64*) arch=arm64 qemu=(qemu-system-aarch64 -cpu 'max,pauth-impdef=on' -machine virt) console=ttyAMA0 ;;
    s390x) arch=s390x qemu=(qemu-system-s390x -cpu max -machine s390-ccw-virtio) console=ttysclp0 ;;
    riscv64) arch=riscv64 qemu=(qemu-system-riscv64 -machine virt) console=ttyS0 ;;
    *) die "there is no machine for $flavour" ;;
  esac
  [[ $backend == go || $arch == a* ]] || die "$flavour: with BACKEND=go only"
}

is_debian_12() { grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; }

# needs_qemu: has install_tools install the chosen machine's emulator.
needs_qemu() { command -v "${qemu[0]}" >/dev/null || missing+=(qemu-system-misc); }

# newer_qemu: has s390x be emulated by the qemu of Debian 12's backports, which it puts into the cache with all its
# libraries. Debian 12's own sums wrongly: findings/qemu-for-s390x-sums-wrongly.sh.
newer_qemu() {
  local place=$cache/qemu-s390x suites=(bookworm bookworm-backports) arch deb
  arch=$(dpkg --print-architecture)
  if [[ ! -d $place/lib ]]; then
    say "downloading qemu of Debian 12's backports"
    apt_of qemu-s390x apt-get update -qq
    apt_of qemu-s390x apt-get install -y -qq --no-install-recommends --download-only -t bookworm-backports \
      -oDir::State::status=/dev/null qemu-system-s390x \
      >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "there is no qemu for s390x to be had"; }
    mkdir -p "$place/root" "$place/new"
    for deb in "$place/apt-$arch/cache/archives/"*.deb; do dpkg-deb -x "$deb" "$place/root"; done
    find "$place/root" -name '*.so.*' ! -type d -exec cp -n {} "$place/new/" \;
    mv "$place/new" "$place/lib"
  fi
  qemu=("$place/lib/"ld-linux*.so.* --library-path "$place/lib" "$place/root/usr/bin/qemu-system-s390x"
    -L "$place/root/usr/share/qemu" "${qemu[@]:1}")
}

# install_tools: what the chosen machine takes.
install_tools() {
  local missing=()
  case $arch in
    amd64)
      command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
      command -v busybox >/dev/null || missing+=(busybox-static)
      ;;
    arm64)
      command -v qemu-system-aarch64 >/dev/null || missing+=(qemu-system-arm)
      [[ $backend == go ]] || command -v aarch64-linux-gnu-gcc >/dev/null ||
        missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
      ;;
    s390x) is_debian_12 || needs_qemu ;;
    *) needs_qemu ;;
  esac
  command -v cpio >/dev/null || missing+=(cpio)
  command -v xz >/dev/null || missing+=(xz-utils)
  command -v mke2fs >/dev/null || missing+=(e2fsprogs)
  ((${#missing[@]} == 0)) || {
    say "installing ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
      >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "could not install ${missing[*]}: run this as root on Debian"; }
  }
}

# apt_of SUITE COMMAND…: apt with that suite alone, or with those in suites, for the chosen machine, whatever this one uses.
apt_of() {
  local place=$cache/$1/apt-$arch suite=$1 site
  shift
  # shellcheck disable=SC2016 # what apt fills in
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
  [[ $suite != *-security ]] || site=${site%/}-security
  mkdir -p "$place/lists/partial" "$place/cache/archives/partial"
  # Trusted, because this machine need not know the suite's key: the kernel runs in an emulator without a network.
  printf "deb [trusted=yes arch=$arch] $site %s main\n" "${suites[@]-$suite}" >"$place/sources.list"
  "$@" -oDir::Etc::sourcelist="$place/sources.list" -oDir::Etc::sourceparts=/dev/null -oDir::State::Lists="$place/lists" \
    -oDir::Cache="$place/cache" -oAPT::Architecture="$arch" -oAPT::Architectures="$arch" -oAPT::Sandbox::User=root
}

# needs_of PACKAGE PREFIX: prints the package of the chosen suite that it depends on and whose name starts so.
needs_of() { apt_of "$suite" apt-cache depends "$1" | sed -n "s/.*Depends: *\($2[^ ]*\).*/\1/p" | head -n 1; }

# download: puts the chosen kernel into the cache, and those of the modules that it has.
download() {
  local image packages deb module
  apt_of "$suite" apt-get update -qq
  image=$(needs_of "linux-image-$flavour" 'linux-image-[0-9]')
  # From 7.0 on the files are in packages of their own.
  packages=("$(needs_of "$image" linux-binary-)" "$(needs_of "$image" linux-modules-)")
  [[ -n ${packages[0]} ]] || packages=("$image")
  mkdir -p "$dir/deb" "$dir/modules"
  cd "$dir/deb"
  apt_of "$suite" apt-get download -qq "${packages[@]}"
  for deb in *.deb; do dpkg-deb -x "$deb" x; done
  for module in "${modules[@]}"; do
    find x -name "$module.ko.xz" -exec xz -dc {} \; >"../modules/$module.ko"
    find x -name "$module.ko" -exec cp {} ../modules/ \;
  done
  find ../modules -empty -delete
  mkdir -p ../modules
  mv "$(find x -name 'vmlinu[xz]*')" ../vmlinuz
  cd .. && rm -rf deb
}

# download_busybox: puts that of the chosen architecture into the cache.
download_busybox() {
  apt_of trixie apt-get update -qq
  mkdir -p "$cache/deb"
  cd "$cache/deb"
  apt_of trixie apt-get download -qq busybox-static
  dpkg-deb -x busybox-static*.deb x
  mv "$(find x -name busybox -type f -perm -1)" "../busybox-$arch"
  cd .. && rm -rf deb
}

# busybox_of: prints where that of the chosen architecture is.
busybox_of() {
  local own=$cache/busybox-$arch
  [[ $arch == amd64 ]] && own=$(command -v busybox)
  echo "$own"
}

# get WHAT FUNCTION: runs it, with the errors' ends told.
get() {
  say "getting $1"
  bash -euc "$(declare -p cache modules suite flavour dir arch); $(declare -f apt_of needs_of "$2"); $2" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; die "$1 cannot be had"; }
}

# copy FILE NAME: puts it into the machine's root.
copy() {
  mkdir -p "$work/root$(dirname "$2")"
  cp -L "$1" "$work/root$2"
}

# toolchain: sets what makes Go build for the chosen machine.
toolchain() {
  export GOARCH=$arch CGO_ENABLED=1
  [[ $backend == cgo ]] || export CGO_ENABLED=0
  [[ $backend == cgo && $arch == arm64 ]] || return 0
  export CC=aarch64-linux-gnu-gcc
  local prefix=$cache/liburing-$arch
  scripts/vendor-liburing.sh --prefix "$prefix" >"$work/log" || { cat "$work/log" >&2; die "liburing cannot be built for $arch"; }
  export CGO_CFLAGS="-O2 -g -I$prefix/include" CGO_LDFLAGS="-O2 -g -L$prefix/lib"
}

# libraries: prints those that the programs want, and where they are to be found in the machine.
libraries() {
  [[ $backend == cgo ]] || return 0
  if [[ $arch == arm64 ]]; then
    printf '/usr/aarch64-linux-gnu/lib/%s\n' ld-linux-aarch64.so.1 libc.so.6
  else
    ldd "$work/root/programs/kerneltable" | grep -o '/[^ ]*'
  fi
}

# make_machine: the root of the chosen machine, without its modules.
make_machine() {
  say "compiling the tests and the programs for $arch ($backend)"
  rm -rf "$work/root"
  mkdir -p "$work"/root/{bin,proc,sys,dev,tmp,disk,etc,modules,programs,suite,work/third_party/liburing}
  local rooms programs=(./internal/{kerneltable,survey})
  mapfile -t rooms < <(tr ' ' '\n' <<<"${ROOMS:-$(scripts/rooms.sh kernels)}")
  [[ " ${rooms[*]} " != *' ./examples '* ]] || programs+=(./examples/... ./cmd/uring)
  (
    toolchain
    [[ -n ${SURVEY-} ]] || go test -c -ldflags='-s -w' -o "$work/root/suite/" "${rooms[@]}"
    go build -ldflags='-s -w' -o "$work/root/programs/" "${programs[@]}"
  )
  go list -f '{{.Dir}}' "${rooms[@]}" | sed "s:^$PWD:/work:" >"$work/root/suite/rooms"
  tar -c --exclude=./third_party --exclude=./.git --exclude=./bench/tmp --exclude=./bench/results . | tar -x -C "$work/root/work" # tests read some of it
  cp -r third_party/liburing/lib "$work/root/work/third_party/liburing/"
  cp "$(busybox_of)" "$work/root/bin/busybox"
  local library
  while read -r library; do copy "$library" "${library#/usr/aarch64-linux-gnu}"; done < <(libraries)
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
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
export PATH=/bin HOME=/tmp LIBURING_TEST_PROGRAMS=/programs LIBURING_TEST_MAY_SET_SYSCTLS=1 LIBURING_TEST_MAY_SUSPEND=1
for module in ${modules[*]}; do [ ! -f /modules/\$module.ko ] || insmod /modules/\$module.ko; done
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
[ $arch != amd64 ] || reboot -f # which ends qemu, as poweroff does not where the machine was suspended
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
  [[ $arch != s390x ]] || return 0 # that machine knows no NVMe
  local name
  for name in liburing files; do
    drives+=(-drive "file=$work/$name.img,if=none,id=$name,format=raw" -device "nvme,serial=$name,drive=$name")
  done
}

# run LOG: runs the chosen kernel to its end.
run() {
  local drives
  drives
  rm -f "$work/root/modules/"*
  cp "$dir/modules/"*.ko "$work/root/modules/" 2>/dev/null || true
  (cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
  timeout -k 5 "$limit" "${qemu[@]}" -accel tcg,thread=multi -smp 2 -m 2048 \
    -nodefaults -no-user-config -display none -no-reboot -serial stdio -kernel "$dir/vmlinuz" -initrd "$work/initrd" \
    -append "console=$console panic=-1 quiet psi=1 nvme.poll_queues=1 hugepagesz=2M hugepages=4" "${drives[@]}" </dev/null 2>&1 |
    sed -u 's/\r$//' >"$1" &
  job=$!
  wait "$job" || true
  job=
}

# boot: runs the tests on the chosen kernel, and prints what has failed. One that does not come to the tests, or panics,
# as happens in the emulator on a busy machine, has a second chance.
boot() {
  local name=${dir##*/} log=$work/log status
  run "$log"
  { grep -aq '^KERNEL ' "$log" && ! grep -aq 'Kernel panic' "$log"; } || run "$log"
  status=$(sed -n 's/^EXIT \([0-9]*\).*/\1/p' "$log")
  summary "$name" "$log" >"$work/rows"
  head -n 1 "$work/rows"
  cat "$work/rows" >>"$work/table"
  [[ -z ${SURVEY-} ]] || sed -n 's/^SURVEY //p' "$log" >>"$SURVEY"
  sed -n 's/^ANSWERS \({.*}\)$/\1/p' "$log" >"$work/answers"
  [[ $arch$backend != amd64cgo || ! -s $work/answers ]] || cp "$work/answers" "internal/kerneltable/answers/$name.json"
  [[ $status != 0 ]] || ! grep -q "$unexpected" "$work/rows" || status=unexpected
  cp "$log" "$cache/$name.log"
  [[ $status == 0 ]] && return
  grep -a -e '--- FAIL' -e '^panic: ' "$log" || grep "$unexpected" "$work/rows" || tail -n 5 "$log"
  say "$name: all that it printed is in $cache/$name.log"
  return 1
}

# summary NAME LOG: a row of the table, and below it why tests, and parts of them, were skipped.
summary() {
  awk -v name="$1" -v backend="$backend" -v unexpected="$unexpected" '
    FNR == NR { if (/^[^#]/) { since[++rules] = $1; sub(/^[^ ]+ +/, ""); rule[rules] = $0 } next }
    /^KERNEL / { kernel = "Linux " $2 (backend == "go" ? ", no cgo" : ""); version = number($2) }
    /^EXIT / { ended = 1 }
    /^=== / { test = $3 }
    /^ +[a-z_]+\.go:[0-9]+: / { sub(/^ +[^ ]+ /, ""); said[test] = $0 }
    /^--- PASS/ { passed++ }
    /^ *--- FAIL/ { failed++ }
    /^ *--- SKIP/ { skip(said[$3]) }
    /: without Example/ { sub(/: without Example.*/, ""); skip($0) }
    function number(text, parts) { split(text, parts, "."); return 1000 * parts[1] + parts[2] }
    function skip(why) {
      sub(/ \(the last it knows is .*/, "", why)
      skipped++
      reasons[why]++
    }
    function allowed(why, i) {
      for (i = 1; i <= rules; i++) if (why ~ "^" rule[i] "$" && !elsewhere(since[i])) break
      if (since[i] == "named") return lacks(why)
      return since[i] ~ /^[a-z]/ || version < number(since[i])
    }
    function elsewhere(machine) { return machine ~ /[a-z][0-9]/ && kernel !~ machine }
    function lacks(why) { # one of the kernels that it names
      while (match(why, /came with Linux [0-9.]+/)) {
        if (version < number(substr(why, RSTART + 16, RLENGTH - 16))) return 1
        why = substr(why, RSTART + RLENGTH)
      }
      return 0
    }
    END {
      printf "%-46s %6d %7d %6d%s\n", kernel ? kernel : name, passed, skipped, failed,
        ended ? "" : kernel ? "  it did not come to the end" : "  it did not boot"
      fflush()
      for (why in reasons)
        printf "%54d  %s%s\n", reasons[why], why, allowed(why) ? "" : unexpected | "sort -k 1,1nr -k 2"
    }' scripts/kernels.skips "$2"
}

[[ ${1-} != --help ]] || { usage; exit; }
kernels=("$@")
((${#kernels[@]})) || kernels=(bullseye-security bookworm-security trixie trixie-backports)
mkdir -p "$cache"
scripts/vendor-liburing.sh
made=
failed=()
for kernel in "${kernels[@]}"; do
  choose "$kernel"
  install_tools
  [[ $arch != s390x ]] || ! is_debian_12 || newer_qemu
  [[ -f $dir/vmlinuz && -d $dir/modules ]] || get "the kernel $flavour of $suite" download
  [[ -f $(busybox_of) ]] || get "busybox for $arch" download_busybox
  [[ $made == "$arch" ]] || make_machine
  made=$arch
  boot || failed+=("$kernel")
done
go run ./internal/kerneltable
printf '\n%-46s %6s %7s %6s\n' kernel passed skipped failed
cat "$work/table"
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
