/* SPDX-License-Identifier: MIT */
/* Threads that wait in ways of their own, a zombie, a stopped one, a reader in a module (tun) where that is loaded. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *semaphore(void *arg)
{
        prctl(PR_SET_NAME, "semaphore");
        sem_wait(&sem);
        return arg;
}

static void *waiter(void *arg)
{
        prctl(PR_SET_NAME, "mutex");
        pthread_mutex_lock(&mutex);
        return arg;
}

static void *poller(void *arg)
{
        prctl(PR_SET_NAME, "poller");
        poll(NULL, 0, -1);
        return arg;
}

static void *module(void *arg)
{
        struct ifreq request = { .ifr_flags = IFF_TUN };
        char bytes[2048];
        int fd = open("/dev/net/tun", O_RDWR);
        prctl(PR_SET_NAME, "module");
        strcpy(request.ifr_name, "tun7");
        if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0)
                while (read(fd, bytes, sizeof bytes) >= 0)
                        continue;
        pause();
        return arg;
}

int main(void)
{
        void *(*const run[])(void *) = { semaphore, waiter, poller, module };
        pthread_t thread;
        sem_init(&sem, 0, 0);
        pthread_mutex_lock(&mutex);
        for (size_t i = 0; i < sizeof run / sizeof *run; i++)
                pthread_create(&thread, NULL, run[i], NULL);
        if (fork() == 0)
                _exit(3);
        if (fork() == 0)
                kill(getpid(), SIGSTOP);
        for (;;)
                sleep(1000);
}
