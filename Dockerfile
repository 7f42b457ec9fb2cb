# The image in which Go services that import this module are built: Go, gcc, and the pinned liburing in /usr/local,
# so that a service needs no CGO flag. The module itself lies in /usr/local/src/liburing, for a `replace`.
#
#   docker build -t liburing-build .
#
# scripts/dockertest/Dockerfile builds a service on it, scripts/docker-test.sh runs that one. Running needs a seccomp
# profile that allows io_uring (scripts/seccomp-profile.sh). Build steps get the engine's default profile, which may
# block it: no step here uses a ring.
ARG BASE=golang:1.26-trixie
FROM ${BASE}

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev make pkg-config \
 && rm -rf /var/lib/apt/lists/*

# Apart from the module's source, so that only another script or lock builds liburing again.
WORKDIR /tmp/vendor
COPY scripts/vendor-liburing.sh scripts/
COPY third_party/liburing.lock third_party/
RUN XDG_CACHE_HOME=/tmp/vendor/cache scripts/vendor-liburing.sh --prefix /usr/local && rm -rf /tmp/vendor

# gcc takes headers from /usr/local/include first, but libraries from the distribution's folder: without this a
# liburing-dev that a service's image installs later would lend its library to our headers.
ENV LIBRARY_PATH=/usr/local/lib

# Another Go module proxy and checksum database, if wanted. HTTP_PROXY and its kin are known to the engine.
ARG GOPROXY
ARG GOSUMDB

WORKDIR /usr/local/src/liburing
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go vet ./... && go test -c -o /usr/local/bin/ $(scripts/rooms.sh docker)
