/* In the place of a name server: every name under e2b.test is this machine. Loaded before the C library (LD_PRELOAD), as no SDK is to be
   changed, and none asks for anything but getaddrinfo(3). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    static const char domain[] = ".e2b.test";
    if (!original)
        original = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name ? strlen(name) : 0;
    if (length >= sizeof domain && strcmp(name + length - (sizeof domain - 1), domain) == 0)
        name = "127.0.0.1";
    return original(name, service, hints, found);
}
