/* A program in C that loads the library and calls it from its first thread and from four
 * others at once, while it gets signals that it handles itself. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static int (*works)(void);
static volatile sig_atomic_t alarms;

static void on_alarm(int signal) { (void)signal; alarms++; }

static void *call(void *unused) { (void)unused; return (void *)(long)works(); }

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct itimerval often = {{.tv_usec = 1000}, {.tv_usec = 1000}};
	pthread_t threads[4];
	void *library;
	long failed = 0;

	sigaction(SIGALRM, &action, NULL);
	library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
	if (!library || !(works = (int (*)(void))dlsym(library, "WorksAll"))) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	setitimer(ITIMER_REAL, &often, NULL);
	failed += works();
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, call, NULL);
	for (int i = 0; i < 4; i++) {
		void *ret;
		pthread_join(threads[i], &ret);
		failed += (long)ret;
	}
	printf("%ld failed, signals: %s\n", failed, alarms ? "some" : "none");
	return failed != 0;
}
