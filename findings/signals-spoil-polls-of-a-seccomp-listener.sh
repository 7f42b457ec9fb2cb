#!/usr/bin/env bash
# Question: when does poll(2) say POLLERR of a seccomp listener (SECCOMP_FILTER_FLAG_NEW_LISTENER)?
# One would guess: never, or when it is of no use any more; so whoever answers for a process may end then.
# True: also when nothing is wrong. To look, the kernel takes the listener's lock, and if a signal is pending for the
# poller while the other process has that lock, it gives up and says POLLERR: with signals that are handled and
# restart, too. That is rare, one poll in a hundred thousand or a million, and does not come without signals. Go's
# runtime sends itself such signals; who takes POLLERR for an end leaves the process waiting for answers for ever.
# POLLHUP says that the process has gone.
# Seen with Linux 6.18.44:
#  > without signals: POLLERR in no poll of five seconds
#  > with signals: POLLERR, and the listener goes on answering
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >program.c <<'EOF'
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { asked = 1000, askers = 6, quiet_seconds = 5, most_seconds = 60, answers_behind = 100 };

static pthread_t poller;

static void *ask(void *unused)
{
	for (;;)
		syscall(asked);
	return unused;
}

static void *signal_poller(void *unused)
{
	for (;;)
		pthread_kill(poller, SIGUSR1);
	return unused;
}

static void handle(int number)
{
	(void)number;
}

static int make_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, asked, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
}

/* answer answers one call. */
static int answer(int listener)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp response;
	memset(&call, 0, sizeof(call));
	memset(&response, 0, sizeof(response));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
		return 0;
	response.id = call.id;
	return !ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* serve answers until so many calls were answered behind a POLLERR, or the time is over. */
static void serve(int signals)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	int listener, i, behind = -1;
	long polls = 0;
	pthread_t thread;
	time_t end = time(NULL) + (signals ? most_seconds : quiet_seconds);
	poller = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	listener = make_listener();
	if (listener < 0)
		_exit(2);
	for (i = 0; i < askers; i++)
		pthread_create(&thread, NULL, ask, NULL);
	if (signals)
		pthread_create(&thread, NULL, signal_poller, NULL);
	for (; time(NULL) < end && behind < answers_behind; polls++) {
		struct pollfd p = {listener, POLLIN, 0};
		if (poll(&p, 1, 100) < 0)
			continue;
		if (p.revents & POLLERR && behind < 0) {
			behind = 0;
			fprintf(stderr, "poll %ld: POLLERR\n", polls);
		}
		if (p.revents & POLLIN && answer(listener) && behind >= 0)
			behind++;
	}
	printf("%s signals: ", signals ? "with" : "without");
	if (behind < 0)
		printf("POLLERR in no poll of %s\n", signals ? "a minute" : "five seconds");
	else
		printf("POLLERR, and the listener %s\n", behind == answers_behind ? "goes on answering" : "stops");
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	int signals, status;
	for (signals = 0; signals < 2; signals++) {
		if (!fork())
			serve(signals);
		wait(&status);
		if (status)
			return 2;
	}
	return 0;
}
EOF
gcc -Wall -Wextra -O1 program.c -o program -pthread
timeout 120 ./program >seen || exit 2
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r)" - seen
echo 'still so'
