/* An SMTP server that costs next to nothing, so that a benchmark measures its clients.

   Three ports on 127.0.0.1: without TLS, with STARTTLS, with TLS from the start. Every byte of an answer
   waits for one round trip in a delay line, and the first byte of a connection for two (TCP's own
   handshake is the other one), so that (time - time without delay) / delay counts what a client waits for.

   sink CERT KEY     prints the three ports; then a line a command on stdin, an answer each:
     delay MS        the round trip from here on
     auth CODE       235 or 535, what every AUTH is answered
     stats           counters since the last time, as JSON
   It ends with its stdin. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN, STARTTLS, IMPLICIT, PORTS };
enum { LINE = 4096, EVENTS = 256 };

typedef struct Connection {
    int fd, port, fresh, last, waiting;
    SSL *tls;
    size_t held;
    char line[LINE];
} Connection;

typedef struct Chunk {
    struct Chunk *next;
    Connection *to;
    double due;
    int last;
    size_t size;
    char data[];
} Chunk;

typedef struct { Chunk *head, *tail; } Queue;

static struct { long connections, handshakes, resumed, auth, mail, rcpt, data, quit, flights, open, most; } seen;
static Queue usual, first; /* each ordered by time: one waits a round trip, the other two */
static SSL_CTX *context;
static double delay; /* seconds */
static int loop, listeners[PORTS];
static const char *auth_reply = "235 2.7.0 Authentication successful\r\n";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void forget(Connection *c) { /* freed when nothing in a delay line points to it any more */
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
        seen.open--;
    }
    if (c->waiting == 0) {
        SSL_free(c->tls);
        free(c);
    }
}

static void deliver(Connection *c, const char *data, size_t size, int last) {
    if (c->fd < 0) return;
    if (size && send(c->fd, data, size, MSG_NOSIGNAL) < 0) last = 1; /* answers fit a socket's buffer */
    if (last) shutdown(c->fd, SHUT_WR);
}

static void answer(Connection *c, const char *data, size_t size, int last) {
    if (delay <= 0) {
        deliver(c, data, size, last);
        return;
    }
    Chunk *chunk = malloc(sizeof *chunk + size);
    Queue *queue = c->fresh ? &first : &usual;
    *chunk = (Chunk){.to = c, .due = now() + delay * (c->fresh ? 2 : 1), .last = last, .size = size};
    memcpy(chunk->data, data, size);
    if (queue->tail) queue->tail->next = chunk; else queue->head = chunk;
    queue->tail = chunk;
    c->fresh = 0;
    c->waiting++;
}

static void release(Queue *queue) {
    while (queue->head && queue->head->due <= now()) {
        Chunk *chunk = queue->head;
        if (!(queue->head = chunk->next)) queue->tail = NULL;
        deliver(chunk->to, chunk->data, chunk->size, chunk->last);
        if (--chunk->to->waiting == 0 && chunk->to->fd < 0) forget(chunk->to);
        free(chunk);
    }
}

static void flush_tls(Connection *c, int last) {
    char data[16384];
    int size = BIO_read(SSL_get_wbio(c->tls), data, sizeof data);
    if (size > 0 || last) answer(c, data, size > 0 ? size : 0, last);
}

static void say(Connection *c, const char *text, int last) {
    if (c->tls) {
        SSL_write(c->tls, text, strlen(text));
        flush_tls(c, last);
    } else {
        answer(c, text, strlen(text), last);
    }
}

static void encrypt(Connection *c) {
    c->tls = SSL_new(context);
    SSL_set_bio(c->tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(c->tls);
}

static int says(const char *line, const char *word) { return strncasecmp(line, word, strlen(word)) == 0; }

/* One command; what it is answered is added to `out`. 1 where the connection ends, 2 where TLS starts. */
static int command(Connection *c, const char *line, char *out) {
    if (says(line, "EHLO")) {
        strcat(out, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 35882577\r\n250-8BITMIME\r\n");
        if (c->port == STARTTLS && !c->tls) strcat(out, "250-STARTTLS\r\n");
        if (c->port != STARTTLS || c->tls) strcat(out, "250-AUTH PLAIN LOGIN\r\n");
        strcat(out, "250 ENHANCEDSTATUSCODES\r\n");
    } else if (says(line, "STARTTLS") && c->port == STARTTLS && !c->tls) {
        strcat(out, "220 2.0.0 Ready to start TLS\r\n");
        return 2;
    } else if (says(line, "AUTH PLAIN")) {
        seen.auth++;
        strcat(out, line[10] == ' ' ? auth_reply : "334 \r\n");
        c->last = line[10] != ' '; /* responses still to come */
    } else if (says(line, "AUTH LOGIN")) {
        seen.auth++;
        strcat(out, strlen(line) > 11 ? "334 UGFzc3dvcmQ6\r\n" : "334 VXNlcm5hbWU6\r\n");
        c->last = strlen(line) > 11 ? 1 : 2;
    } else if (says(line, "MAIL FROM:")) {
        seen.mail++;
        strcat(out, "250 2.1.0 Ok\r\n");
    } else if (says(line, "RCPT TO:")) {
        seen.rcpt++;
        strcat(out, "250 2.1.5 Ok\r\n");
    } else if (says(line, "DATA")) {
        seen.data++;
        strcat(out, "554 5.3.0 No messages here\r\n");
    } else if (says(line, "RSET") || says(line, "NOOP")) {
        strcat(out, "250 2.0.0 Ok\r\n");
    } else if (says(line, "QUIT")) {
        seen.quit++;
        strcat(out, "221 2.0.0 Bye\r\n");
        return 1;
    } else {
        strcat(out, "502 5.5.1 Not here\r\n");
    }
    return 0;
}

static int respond(Connection *c, char *out) { /* a line of AUTH LOGIN */
    strcat(out, --c->last ? "334 UGFzc3dvcmQ6\r\n" : auth_reply);
    return 0;
}

static void hear(Connection *c, const char *data, size_t size) {
    char out[LINE * 2] = "";
    int end = 0;
    seen.flights++;
    for (size_t at = 0; at < size && !end; at++) {
        if (data[at] != '\n') {
            if (c->held < LINE - 1) c->line[c->held++] = data[at];
            continue;
        }
        c->line[c->held] = 0;
        if (strlen(out) < LINE) end = c->last ? respond(c, out) : command(c, c->line, out);
        c->held = 0;
    }
    if (*out) say(c, out, end == 1);
    if (end == 2) encrypt(c);
}

static int decrypt(Connection *c) { /* 0 where the peer is done */
    char data[LINE];
    if (!SSL_is_init_finished(c->tls)) {
        int done = SSL_do_handshake(c->tls);
        int want = SSL_get_error(c->tls, done);
        flush_tls(c, 0);
        if (done != 1) return want == SSL_ERROR_WANT_READ;
        seen.handshakes++;
        seen.resumed += SSL_session_reused(c->tls);
        if (c->port == IMPLICIT) say(c, "220 sink.test ESMTP\r\n", 0);
    }
    int size;
    while ((size = SSL_read(c->tls, data, sizeof data)) > 0) hear(c, data, size);
    return SSL_get_error(c->tls, size) == SSL_ERROR_WANT_READ;
}

static void take(Connection *c) {
    char data[LINE * 4];
    ssize_t size = recv(c->fd, data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size > 0 && c->tls) {
        BIO_write(SSL_get_rbio(c->tls), data, size);
        if (!decrypt(c)) forget(c);
    } else if (size > 0) {
        hear(c, data, size);
    } else {
        forget(c);
    }
}

static void welcome(int port) {
    int fd, yes = 1;
    while ((fd = accept4(listeners[port], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Connection *c = calloc(1, sizeof *c);
        *c = (Connection){.fd = fd, .port = port, .fresh = 1};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
        seen.connections++;
        if (++seen.open > seen.most) seen.most = seen.open;
        if (port == IMPLICIT) encrypt(c); else say(c, "220 sink.test ESMTP\r\n", 0);
    }
}

static void obey(char *line) {
    if (says(line, "delay ")) delay = atof(line + 6) / 1000;
    if (says(line, "auth "))
        auth_reply = says(line + 5, "235") ? "235 2.7.0 Authentication successful\r\n"
                                           : "535 5.7.8 Username and Password not accepted\r\n";
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"connections\": %ld, \"handshakes\": %ld, \"resumed\": %ld, \"auth\": %ld, \"mail\": %ld, \"rcpt\": %ld, "
           "\"data\": %ld, \"quit\": %ld, \"flights\": %ld, \"most\": %ld, \"cpu\": %.6f}\n",
           seen.connections, seen.handshakes, seen.resumed, seen.auth, seen.mail, seen.rcpt, seen.data, seen.quit,
           seen.flights, seen.most, cpu);
    fflush(stdout);
    if (says(line, "stats")) {
        long open = seen.open;
        memset(&seen, 0, sizeof seen);
        seen.open = seen.most = open;
    }
}

static int listening(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&here, size) || listen(fd, 4096)) exit(3);
    getsockname(fd, (struct sockaddr *)&here, &size);
    printf("%d ", ntohs(here.sin_port));
    return fd;
}

static int waiting(void) { /* milliseconds until the next answer is due, rounded up; -1 for none */
    double due = -1;
    Queue *queues[] = {&usual, &first};
    for (int i = 0; i < 2; i++)
        if (queues[i]->head && (due < 0 || queues[i]->head->due < due)) due = queues[i]->head->due;
    if (due < 0) return -1;
    double rest = (due - now()) * 1000;
    return rest <= 0 ? 0 : (int)rest + 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1) return 3;
    if (SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) return 3;
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"sink", 4);
    loop = epoll_create1(EPOLL_CLOEXEC);
    for (int port = 0; port < PORTS; port++) {
        listeners[port] = listening();
        epoll_ctl(loop, EPOLL_CTL_ADD, listeners[port],
                  &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listeners[port]});
    }
    epoll_ctl(loop, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    puts("");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(loop, events, EVENTS, waiting());
        release(&first);
        release(&usual);
        for (int i = 0; i < count; i++) {
            void *which = events[i].data.ptr;
            if (which == NULL) {
                char line[256];
                if (!fgets(line, sizeof line, stdin)) return 0;
                obey(line);
            } else if (which >= (void *)listeners && which < (void *)(listeners + PORTS)) {
                welcome((int *)which - listeners);
            } else {
                take(which);
            }
        }
    }
}
