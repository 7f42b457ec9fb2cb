#!/usr/bin/env bash
# Vendors liburing: gets its pinned source from Debian, builds it, and puts it into third_party/liburing:
#
#   include/ lib/  what the package compiles and links with: static libraries with debug info
#   src/           the source tree as released, with what the build left in it
#
# Beside the package's Go files it writes liburing_vendored.h, from which Go sees what is vendored. Does nothing when
# all of that is in place already. Whatever fails, what was in place before stays.
#
# For programs whose copy of the module has no third_party of its own (a module cache, a vendor folder), --prefix puts
# the same library into another folder, and tells what makes Go find it there. Nothing is written beside the script.
#
# usage: vendor-liburing.sh                 vendors what third_party/liburing.lock pins
#        vendor-liburing.sh --prefix DIR    installs it into DIR/include and DIR/lib instead, with a liburing.pc
#        vendor-liburing.sh --clean         removes what this script made, but for the cache and prefixes
#        vendor-liburing.sh --help
#
# Settings, all optional:
#   LIBURING_VERSION=2.9     another version of the lock file
#   LIBURING_TARBALL=file    a tarball in hand, its SHA-256 in the lock file, instead of a download
#   CC=gcc                   the C compiler
#   XDG_CACHE_HOME=~/.cache  downloads are kept there, in the folder go-liburing
set -euo pipefail
# Each job gets a process group of its own: Ctrl-C reaches this script alone, which then ends its job as a whole.
set -m
tarball=${LIBURING_TARBALL:+$(realpath -m -- "$LIBURING_TARBALL")}
wanted=${LIBURING_VERSION-}
prefix=
[[ $#${1-} != 2--prefix ]] || prefix=$(realpath -m -- "$2")
root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"
readonly lock=third_party/liburing.lock
readonly home=third_party/liburing
readonly header=liburing_vendored.h
readonly options=--use-libc # as Debian does: without libc it asks /proc for the page size, which may not be mounted
readonly place=${prefix:-$root/third_party} # where this run works
readonly final=${prefix:-$root/$home}       # where include and lib will be
readonly cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/go-liburing
read -ra cc <<<"${CC:-gcc}"
start=${EPOCHREALTIME/[.,]/}
work=       # this run's temporary folder
unfinished= # this run's temporary file in the cache
job=        # the process that runs in the background

say() { echo "vendor-liburing: $*"; }
warn() { say "$*" >&2; }
die() { warn "$*"; exit 1; }
usage() { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; }

# took: seconds since the start.
took() {
  local us=$((${EPOCHREALTIME/[.,]/} - start))
  echo "$((us / 1000000)).$((us / 100000 % 10))"
}

end_job() { kill -- "-$job" && wait "$job"; } 2>/dev/null

cleanup() {
  trap '' INT TERM HUP
  [[ -z $job ]] || end_job || true
  [[ -z $unfinished ]] || rm -f "$unfinished"
  # A child of the job that is still writing can make the first try fail.
  [[ -z $work ]] || rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# run COMMAND…: in the background, because bash answers a signal only after a command in the foreground has ended.
run() {
  local status=0
  "$@" </dev/null &
  job=$!
  wait "$job" || status=$?
  job=
  return "$status"
}

# quietly COMMAND…: its output goes to the log. What a make above this script, or the user, set for other programs'
# builds is not for liburing's.
quietly() {
  run env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL -u DESTDIR -u CFLAGS -u CPPFLAGS -u LDFLAGS \
    LC_ALL=C TMPDIR="$work/tmp" "$@" >>"$work/log" 2>&1
}

# --- What is asked for, and what is in place -------------------------------------------------------------------------

sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# locked FIELD VALUE: prints "version sum suites…" of the lock file's first line whose role, version or sum is VALUE.
locked() {
  local role version sum suites
  while read -r role version sum suites || [[ -n $role ]]; do
    [[ $role != '#'* && ${!1} == "$2" ]] || continue
    echo "$version $sum $suites"
    return
  done <"$lock"
  return 1
}

# select_line LINE: one of the lock file, as locked prints it.
select_line() {
  read -r version sum suites <<<"$1"
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || die "$lock: the line for $version has no SHA-256"
}

select_wanted() {
  local line file_sum
  if [[ -n $tarball ]]; then
    [[ -f $tarball ]] || die "LIBURING_TARBALL: there is no file $tarball"
    file_sum=$(sum_of "$tarball")
    line=$(locked sum "$file_sum") ||
      die "$tarball has the SHA-256 $file_sum, which is not in $lock: is it whole, and Debian's .orig.tar.gz?"
    [[ -z $wanted || $wanted == "${line%% *}" ]] ||
      die "$tarball is liburing ${line%% *}, but LIBURING_VERSION asks for $wanted"
  elif [[ -n $wanted ]]; then
    line=$(locked version "$wanted") || die "LIBURING_VERSION=$wanted: that version is not in $lock"
  else
    line=$(locked role pin) || die "$lock has no line for the pin"
  fi
  select_line "$line"
}

# read_vendored: the file third_party/liburing/vendored holds two lines of version and sum: of what is there, and of
# what was asked for, which differ when the fallback was taken; and how it was built.
read_vendored() {
  there=
  asked=
  [[ -f $home/include/liburing.h && -f $home/lib/liburing.a && -f $home/lib/liburing-ffi.a ]] || return 0
  local how
  { read -r there && read -r asked && read -r how && [[ $how == "$options" ]]; } 2>/dev/null <"$home/vendored" || there=
}

is_in_place() {
  [[ $there == "$version $sum" ]] && return
  [[ -n $there && $asked == "$version $sum" && -z $wanted$tarball ]] && locked sum "${there#* }" >/dev/null
}

# write_header VERSION-AND-SUM: leaves a file that says so already untouched, as its age makes others build again.
write_header() {
  local text="/* Written by scripts/vendor-liburing.sh. Go's build cache does not see which library -luring finds, but it sees
 * this file; and as its text goes into the object file, programs are linked anew when it changes. */
#define LIBURING_VENDORED \"$1\"
static const char liburing_vendored[] __attribute__((used)) = LIBURING_VENDORED;"
  [[ -f $header && $(<"$header") == "$text" ]] || printf '%s\n' "$text" >"$header"
}

# --- Getting the source ----------------------------------------------------------------------------------------------

# get_source: puts the selected version's tarball into the temporary folder, checked.
get_source() {
  local name=liburing_$version.orig.tar.gz
  if [[ -n $tarball ]]; then
    cp -- "$tarball" "$work/$name" || die "cannot copy $tarball"
  elif take_cached; then
    say "liburing $version: using the downloaded $cache/$name"
    return
  else
    say "liburing $version: downloading"
    download || return 1
  fi
  [[ $(sum_of "$work/$name") == "$sum" ]] ||
    die "$name has the SHA-256 $(sum_of "$work/$name"), but $lock says $sum: one of them is wrong"
  keep || warn "cannot keep $name in $cache"
}

take_cached() {
  [[ -f $cache/$name ]] && cp "$cache/$name" "$work" || return 1
  [[ $(sum_of "$work/$name") != "$sum" ]] || return 0
  warn "$cache/$name is damaged, it is discarded"
  rm -f "$cache/$name" "$work/$name"
  return 1
}

keep() {
  mkdir -p "$cache" && unfinished=$(mktemp "$cache/.$name.XXXXXX") &&
    cp "$work/$name" "$unfinished" && chmod 644 "$unfinished" && mv "$unfinished" "$cache/$name"
} 2>/dev/null

# download: any of apt's mirrors may be asked for a suite that the machine itself does not use.
download() {
  local suite mirror
  if ! command -v apt-get >/dev/null; then
    warn "there is no apt-get on this machine to download with"
    return 1
  fi
  configure_apt
  for suite in $suites; do
    for mirror in $(mirrors); do
      fetch "$mirror" "$suite" && return
    done
  done
  warn "apt cannot get liburing $version from any of this machine's mirrors (${suites:-the lock names no suite}):"
  grep -E '^(E:|W:|Err:)' "$work/log" | sort -u | tail -n 8 >&2
  return 1
}

# configure_apt: nothing of the machine's apt is changed. Authenticity is the lock's business, so a keyring that does
# not know the suite's key, or an index that is past its date, does not matter.
configure_apt() {
  mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  cat >"$work/apt/conf" <<EOF
Dir::Etc::sourcelist "$work/apt/list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::Lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
EOF
}

# mirrors: those known to be Debian's come first. Without release info, apt also lists what was never downloaded.
# shellcheck disable=SC2016 # apt expands it
mirrors() {
  {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian'
    apt-get indextargets --format '$(SITE)' --no-release-info 'Created-By: Packages'
  } 2>/dev/null | awk '!seen[$0]++'
}

# fetch MIRROR SUITE
fetch() {
  local package
  echo "deb-src [trusted=yes] $1 $2 main" >"$work/apt/list"
  quietly apt-get -c "$work/apt/conf" update || return 1
  run apt-cache -c "$work/apt/conf" showsrc --only-source liburing >"$work/apt/packages" 2>>"$work/log" || return 1
  # A package's version is [epoch:]version-revision.
  package=$(awk -v version="$version" '$1 == "Version:" {
    upstream = $2; sub(/^[0-9]+:/, "", upstream); sub(/-[^-]*$/, "", upstream)
    if (upstream == version) { print $2; exit }
  }' "$work/apt/packages")
  if [[ -z $package ]]; then
    echo "W: $1 $2 has liburing $(sed -n 's/^Version: //p' "$work/apt/packages" | paste -sd ' ')" >>"$work/log"
    return 1
  fi
  quietly env -C "$work" apt-get -c "$work/apt/conf" source --download-only --tar-only "liburing=$package" &&
    [[ -f $work/$name ]]
}

# get_fallback: instead of the pin. It may be in place already.
get_fallback() {
  local pin=$version line
  [[ -z $wanted$tarball ]] && line=$(locked role fallback) || return 1
  select_line "$line"
  warn "WARNING ================================================================"
  warn "liburing $pin cannot be had, taking $version instead."
  warn "What came to liburing after $version will answer with an error."
  warn "========================================================================"
  [[ $there == "$version $sum" ]] || get_source
}

# --- Building --------------------------------------------------------------------------------------------------------

check_tools() {
  local command missing=
  for command in make tar gzip ar:binutils; do
    command -v "${command%:*}" >/dev/null || missing+=" ${command#*:}"
  done
  if ! command -v "${cc[0]}" >/dev/null; then
    [[ ${cc[0]} == gcc ]] || die "there is no C compiler ${cc[0]}: correct CC"
    missing+=" gcc libc6-dev"
  elif ! "${cc[@]}" -E -include linux/types.h -include stdio.h -x c /dev/null >/dev/null 2>&1; then
    missing+=" libc6-dev"
  fi
  [[ -z $missing ]] || die "tools for building liburing are missing. On Debian: apt-get install$missing"
  [[ $place != *[[:space:]]* ]] ||
    die "liburing cannot be built in a path with a space ($place): take another folder"
}

# must COMMAND…
must() {
  quietly "$@" && return
  tail -n 20 "$work/log" >&2
  die "liburing $version cannot be built: this was the end of '$*'"
}

# build: in the temporary folder, debug info and installation paths already name the final one.
build() {
  local new=$work/liburing
  say "liburing $version: building"
  local flags=(ENABLE_SHARED=0 LIBURING_CFLAGS="-g -ffile-prefix-map=$new=$final")
  mkdir -p "$new/src"
  must tar -xzf "$work/liburing_$version.orig.tar.gz" -C "$new/src" --strip-components=1 --no-same-owner
  rm -rf "$new/src/debian"
  must env -C "$new/src" ./configure --cc="${cc[*]}" --prefix="$final" "$options"
  # Without this line the tree finds itself, also after it was moved.
  sed -i '/^root=/d' "$new/src/config-host.mak"
  must make -C "$new/src/src" -j"$(nproc)" "${flags[@]}"
  must make -C "$new/src/src" install "${flags[@]}" \
    prefix="$new" includedir="$new/include" libdir="$new/lib" libdevdir="$new/lib"
}

# put_in_place VERSION-AND-SUM-ASKED-FOR: a signal waits these milliseconds.
put_in_place() {
  trap '' INT TERM HUP
  if [[ -d $work/liburing ]]; then
    printf '%s\n' "$version $sum" "$1" "$options" >"$work/liburing/vendored"
    [[ ! -e $home ]] || mv "$home" "$work/old"
    mv "$work/liburing" "$home"
  else
    # The fallback was there already.
    printf '%s\n' "$version $sum" "$1" "$options" >"$work/vendored"
    mv "$work/vendored" "$home/vendored"
  fi
  write_header "$version $sum"
}

# get_and_build: makes the selected version, or the fallback, in the temporary folder, unless it is in place.
get_and_build() {
  local wanted_version=$version wanted_sum=$sum
  rm -rf "$place"/.liburing.* # of runs that were killed
  work=$(mktemp -d "$place/.liburing.XXXXXX")
  mkdir "$work/tmp"
  get_source || get_fallback ||
    die "no source for liburing. Get Debian's liburing_$wanted_version.orig.tar.gz (SHA-256 $wanted_sum) elsewhere and run
  LIBURING_TARBALL=path/to/it scripts/vendor-liburing.sh${prefix:+ --prefix $prefix}"
  [[ $there == "$version $sum" ]] || build
}

vendor() {
  local asked_for="$version $sum"
  get_and_build
  put_in_place "$asked_for"
  say "liburing $version is in $home now ($(took) s)"
}

# --- Installing elsewhere --------------------------------------------------------------------------------------------

make_prefix() {
  mkdir -p "$prefix" 2>/dev/null || true
  [[ -d $prefix && -w $prefix ]] || die "cannot write into $prefix: take another folder, or run this as its owner"
  [[ ! -e $prefix/lib/liburing.so ]] ||
    die "$prefix/lib has a liburing.so, which programs would be linked with instead: take another folder"
}

install_into_prefix() {
  get_and_build
  local new=$work/liburing
  mkdir -p "$new/lib/pkgconfig"
  sed "s|@prefix@|$prefix|; s|@libdir@|$prefix/lib|; s|@includedir@|$prefix/include|
    s|@NAME@|liburing|; s|@VERSION@|$version|" "$new/src/liburing.pc.in" >"$new/lib/pkgconfig/liburing.pc"
  cp -R --remove-destination "$new/include" "$new/lib" "$prefix"
  say "liburing $version is in $prefix now ($(took) s). This makes Go find it:
export CGO_CFLAGS=\"-O2 -g -I$prefix/include\" CGO_LDFLAGS=\"-O2 -g -L$prefix/lib\""
}

# --- Running it ------------------------------------------------------------------------------------------------------

clean() {
  # The record first: what an interruption leaves does not count as vendored.
  rm -rf "$home/vendored" "$home" "$header" third_party/.liburing.*
}

# lock_folder: of several runs at a time, the others wait, and then find the work done.
lock_folder() {
  exec 9<"$place"
  flock --nonblock 9 && return
  say "waiting for another run to end"
  run flock 9 || warn "cannot lock $place: don't run this twice at a time"
}

need() { command -v "$1" >/dev/null || die "$1 is missing. On Debian: apt-get install $2"; }

case $#${1-} in
  0 | 1--clean) ;;
  2--prefix) make_prefix ;;
  1-h | 1--help) usage; exit ;;
  *) usage >&2; exit 2 ;;
esac
need sha256sum coreutils
need flock util-linux
lock_folder
if [[ ${1-} == --clean ]]; then
  clean
  exit
fi
select_wanted
there=
[[ -n $prefix ]] || read_vendored
if is_in_place; then
  write_header "$there"
  note=
  [[ $there == "$version "* ]] || note=", the fallback for $version (--clean makes the next run try that again)"
  say "liburing ${there% *} is in place$note"
  exit
fi
check_tools
if [[ -n $prefix ]]; then install_into_prefix; else vendor; fi
