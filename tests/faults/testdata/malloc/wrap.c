/* The linker has every call of calloc, malloc and posix_memalign come here
 * (--wrap), but for those of shared libraries. The n-th on the thread that has asked for
 * it fails. */
#include <errno.h>
#include <stddef.h>

static __thread int left;

void fail_at(int n) { left = n; }
int not_failed(void) { return left > 0; }

static int fails(void) { return left > 0 && --left == 0; }

void *__real_calloc(size_t, size_t);
void *__real_malloc(size_t);
int __real_posix_memalign(void **, size_t, size_t);

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

int __wrap_posix_memalign(void **p, size_t align, size_t size)
{
	return fails() ? ENOMEM : __real_posix_memalign(p, align, size);
}
