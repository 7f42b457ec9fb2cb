#!/bin/sh
# Installs the tools that building needs and this machine lacks, through apt, as
# root or with sudo. Does nothing, and needs no network, when all are there. Of several
# it installs those that it can, and fails if that is not all.
#
# usage: deps.sh [TOOL...]   these commands too
set -eu
case ${1-} in -*) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;; esac
PATH=$PATH:/usr/sbin:/sbin # where mkfs.ext4 is, which others than root need not find

missing=
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need gcc gcc
need make make
need pkg-config pkg-config
need git git
need xz xz-utils
for tool; do
	case $tool in
	mkfs.ext4) need "$tool" e2fsprogs ;;
	losetup) need "$tool" mount ;;
	*) need "$tool" "$tool" ;; # packages have their commands' names
	esac
done
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
[ -e /usr/include/linux/io_uring.h ] || missing="$missing linux-libc-dev"

command -v go >/dev/null 2>&1 || {
	echo "deps: Go is missing: install Go 1.26 or newer (https://go.dev/dl) and put it into PATH" >&2
	exit 1
}
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null 2>&1 || {
	echo "deps: install these, there is no apt-get here to do it:$missing" >&2
	exit 1
}
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "deps: run as root, or install sudo:$missing is missing" >&2
		exit 1
	}
	sudo=sudo
fi
echo "deps: installing$missing"
$sudo apt-get update -qq || echo "deps: goes on with the lists of packages that are there" >&2
install() { DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
# shellcheck disable=SC2086 # a list of packages
install $missing && exit 0

# apt installs none if it does not know one.
failed=
for package in $missing; do install "$package" || failed="$failed $package"; done
[ -z "$failed" ] || {
	echo "deps: could not be installed:$failed" >&2
	exit 1
}
