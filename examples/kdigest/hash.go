package main

import (
	"errors"
	"fmt"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// openHash returns a socket that hashes what is sent to it.
func openHash(ring *liburing.Ring, algorithm string) (int, error) {
	fd, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return -1, fmt.Errorf("this kernel does not hash for programs: it lacks AF_ALG sockets (CONFIG_CRYPTO_USER_API_HASH, module algif_hash): %w", err)
	}
	if err != nil {
		return -1, fmt.Errorf("AF_ALG socket: %w", err)
	}
	defer unix.Close(fd) // what accept returns holds the algorithm

	err = unix.Bind(fd, &unix.SockaddrALG{Type: "hash", Name: algorithm})
	if errors.Is(err, unix.ENOENT) {
		return -1, fmt.Errorf("the kernel has no hash %q: see those of type shash and ahash in /proc/crypto", algorithm)
	}
	if err != nil {
		return -1, fmt.Errorf("AF_ALG bind %q: %w", algorithm, err)
	}
	ring.GetSQE().PrepAccept(fd, nil, unix.SOCK_CLOEXEC)
	hash, err := await(ring)
	if err != nil {
		return -1, fmt.Errorf("AF_ALG accept: %w", err)
	}
	return hash, nil
}

// await submits the one request that was made and returns its result.
func await(ring *liburing.Ring) (int, error) {
	if _, err := ring.SubmitAndWait(1); err != nil {
		return 0, err
	}
	cqe, err := ring.WaitCQE()
	if err != nil {
		return 0, err
	}
	defer ring.CQESeen(cqe)
	return int(cqe.Res), cqe.Err()
}
