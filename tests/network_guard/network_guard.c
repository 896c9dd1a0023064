/* Loaded with LD_PRELOAD into every process that the tests start: refuses to reach for anything
 * but this machine, below Python and below every native library, and notes each attempt in the
 * file that FACEMATCH_NETWORK_LOG names, as the program may well handle the error.
 *
 * Names are judged where they are looked up, as the resolver of the C library calls itself
 * past what is here. Out of reach are statically linked programs and bare system calls.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static char log_path[PATH_MAX];

/* Early, as the program may change its environment. Its presence tells that the guard is there. */
__attribute__((constructor)) void network_guard(void)
{
    const char *path = getenv("FACEMATCH_NETWORK_LOG");
    if (path != NULL && strlen(path) < sizeof log_path)
        strcpy(log_path, path);
}

static void note(const char *call, const char *where)
{
    char command[256] = "", line[1024];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, command, sizeof command - 1);
    if (file >= 0)
        close(file);
    for (ssize_t i = 0; i < length; i++)
        if (command[i] == 0 || command[i] == '\n')
            command[i] = ' ';
    length = snprintf(line, sizeof line, "%s %.253s in process %d: %s\n", call, where,
                      (int)getpid(), command);
    file = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, length) != length) {
        dprintf(2, "network guard: cannot be noted in \"%s\": %s", log_path, line);
        abort(); /* an attempt that nobody hears of is what this is against */
    }
    close(file);
}

/* Whether it is outside; if so, the attempt is noted. ``ip`` is as long as its family's are. */
static int outside_ip(const char *call, int family, const void *ip)
{
    char where[INET6_ADDRSTRLEN];
    const struct in6_addr *six = ip;
    if (family == AF_INET && *(const unsigned char *)ip == IN_LOOPBACKNET)
        return 0;
    if (family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(six) ||
                               (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET)))
        return 0;
    note(call, inet_ntop(family, ip, where, sizeof where) == NULL ? "something" : where);
    errno = ENETUNREACH;
    return 1;
}

static int outside(const char *call, const struct sockaddr *address, socklen_t size)
{
    if (address == NULL || size < sizeof(sa_family_t))
        return 0; /* connected before, or an error for the kernel to find */
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in))
        return outside_ip(call, AF_INET, &((const struct sockaddr_in *)address)->sin_addr);
    if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6))
        return outside_ip(call, AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr);
    if (address->sa_family == AF_UNIX || address->sa_family == AF_NETLINK)
        return 0;
    return outside_ip(call, AF_UNSPEC, NULL);
}

/* 0: of this machine. 1: its own name, which DNS might be asked for. 2: outside, and noted. */
static int judge_name(const char *call, const char *name)
{
    unsigned char ip[sizeof(struct in6_addr)];
    char own[HOST_NAME_MAX + 1] = "";
    if (name == NULL || *name == 0 || strcmp(name, "localhost") == 0)
        return 0;
    if (inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1)
        return 0; /* nobody is asked; whether it may be reached, connect says */
    gethostname(own, sizeof own - 1);
    if (strcmp(name, own) == 0)
        return 1;
    note(call, name);
    errno = ENETUNREACH;
    return 2;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    /* AF_UNSPEC takes a connection back. */
    int taken_back = size >= sizeof(sa_family_t) && address->sa_family == AF_UNSPEC;
    if (!taken_back && outside("connect", address, size))
        return -1;
    return REAL(connect)(fd, address, size);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *address,
               socklen_t size)
{
    if (outside("sendto", address, size))
        return -1;
    return REAL(sendto)(fd, data, length, flags, address, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (outside("sendmsg", message->msg_name, message->msg_namelen))
        return -1;
    return REAL(sendmsg)(fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
    for (unsigned int i = 0; i < count; i++)
        if (outside("sendmmsg", messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen))
            return -1;
    return REAL(sendmmsg)(fd, messages, count, flags);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int verdict = judge_name("getaddrinfo", name);
    if (verdict == 2)
        return EAI_FAIL;
    return REAL(getaddrinfo)(verdict == 1 ? "localhost" : name, service, hints, found);
}

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                char *service, socklen_t service_size, int flags)
{
    if (!(flags & NI_NUMERICHOST) && outside("getnameinfo", address, size))
        return EAI_FAIL;
    /* DNS might be asked even for the name of 127.0.0.1: it keeps its number. */
    flags = (flags | NI_NUMERICHOST) & ~NI_NAMEREQD;
    return REAL(getnameinfo)(address, size, host, host_size, service, service_size, flags);
}

#define BY_NAME(call, refusal, ...)                                                            \
    do {                                                                                       \
        int verdict = judge_name(#call, name);                                                 \
        if (verdict == 2)                                                                      \
            return refusal;                                                                    \
        return REAL(call)(verdict == 1 ? "localhost" : name __VA_OPT__(, ) __VA_ARGS__);       \
    } while (0)

struct hostent *gethostbyname(const char *name) { BY_NAME(gethostbyname, NULL); }

struct hostent *gethostbyname2(const char *name, int family)
{
    BY_NAME(gethostbyname2, NULL, family);
}

int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
                    struct hostent **found, int *error)
{
    *found = NULL, *error = NO_RECOVERY;
    BY_NAME(gethostbyname_r, ENETUNREACH, entry, buffer, size, found, error);
}

int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t size,
                     struct hostent **found, int *error)
{
    *found = NULL, *error = NO_RECOVERY;
    BY_NAME(gethostbyname2_r, ENETUNREACH, family, entry, buffer, size, found, error);
}

/* No address has a name here, as DNS might be asked for it. */
struct hostent *gethostbyaddr(const void *ip, socklen_t size, int family)
{
    (void)size;
    h_errno = outside_ip("gethostbyaddr", family, ip) ? NO_RECOVERY : HOST_NOT_FOUND;
    return NULL;
}

int gethostbyaddr_r(const void *ip, socklen_t size, int family, struct hostent *entry, char *buffer,
                    size_t buffer_size, struct hostent **found, int *error)
{
    (void)size, (void)entry, (void)buffer, (void)buffer_size;
    *found = NULL;
    h_errno = *error = outside_ip("gethostbyaddr_r", family, ip) ? NO_RECOVERY : HOST_NOT_FOUND;
    return *error == NO_RECOVERY ? ENETUNREACH : 0;
}
