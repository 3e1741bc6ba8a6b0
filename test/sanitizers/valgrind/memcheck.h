/*
 * memcheck.h
 *	  Valgrind's requests as AddressSanitizer understands them.
 *
 * PostgreSQL takes memory from malloc in blocks and gives it out in pieces, so
 * AddressSanitizer, which knows the blocks, would not see an access past the
 * end of a piece, nor one to a piece that was freed.  A server built with
 * USE_VALGRIND tells Valgrind of every piece.  With this header instead of
 * Valgrind's it tells AddressSanitizer, which knows what may be accessed, but
 * not what is initialized.
 */
#ifndef CRM_ASAN_MEMCHECK_H
#define CRM_ASAN_MEMCHECK_H

#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) \
	__asan_poison_memory_region((const volatile void *) (addr), (size))
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) \
	__asan_unpoison_memory_region((const volatile void *) (addr), (size))
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) \
	__asan_unpoison_memory_region((const volatile void *) (addr), (size))

#define VALGRIND_CREATE_MEMPOOL(pool, redzones, zeroed) do {} while (0)
#define VALGRIND_DESTROY_MEMPOOL(pool) do {} while (0)
#define VALGRIND_MEMPOOL_ALLOC(pool, addr, size) \
	__asan_unpoison_memory_region((const volatile void *) (addr), (size))
/* who frees wipes, and wiping has poisoned what may no longer be read */
#define VALGRIND_MEMPOOL_FREE(pool, addr) do {} while (0)
#define VALGRIND_MEMPOOL_CHANGE(pool, old_addr, addr, size) \
	__asan_unpoison_memory_region((const volatile void *) (addr), (size))

#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size) do {} while (0)
#define VALGRIND_COUNT_ERRORS 0
#define VALGRIND_PRINTF(...) do {} while (0)
#define RUNNING_ON_VALGRIND 0

#endif							/* CRM_ASAN_MEMCHECK_H */
