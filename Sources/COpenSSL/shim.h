// OpenSSL 3.0 for Swift: the headers, and as inline functions the macros that Swift cannot see.
//
// Only ForwarderRuntime/TLS (and HTTP2, for ALPN) includes it. The calls that move bytes clear the thread's error queue
// first and read it at once after: a stale error of another connection of the same thread would be reported else.
#ifndef FLEETWING_COPENSSL_H
#define FLEETWING_COPENSSL_H

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// How a call on a connection ended.
struct tls_outcome {
    int code;            // 0 = done, else SSL_ERROR_*
    int system;          // errno, when code is SSL_ERROR_SYSCALL
    int reason;          // SSL_R_*, when code is SSL_ERROR_SSL and the TLS layer had a reason, else 0
    size_t count;        // octets read or written
};

static inline struct tls_outcome tls_outcome_of(SSL *ssl, int result, size_t count) {
    struct tls_outcome o = {0, errno, 0, count};
    if (result == 1) return o;
    o.count = 0;
    o.code = SSL_get_error(ssl, result);
    // The last entry is the one of the TLS layer; below it lies what libcrypto said, as when a signature did not match.
    unsigned long last = ERR_peek_last_error();
    if (o.code == SSL_ERROR_SSL && ERR_GET_LIB(last) == ERR_LIB_SSL) o.reason = ERR_GET_REASON(last);
    return o;
}

static inline struct tls_outcome tls_handshake(SSL *ssl) {
    ERR_clear_error();
    errno = 0;
    return tls_outcome_of(ssl, SSL_do_handshake(ssl), 0);
}

static inline struct tls_outcome tls_read(SSL *ssl, void *buffer, size_t size) {
    size_t count = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(ssl, buffer, size, &count);
    return tls_outcome_of(ssl, result, count);
}

static inline struct tls_outcome tls_write(SSL *ssl, const void *buffer, size_t size) {
    size_t count = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(ssl, buffer, size, &count);
    return tls_outcome_of(ssl, result, count);
}

// Sends close_notify if the socket takes it; the answer is not waited for.
static inline void tls_shutdown(SSL *ssl) {
    ERR_clear_error();
    (void)SSL_shutdown(ssl);
    ERR_clear_error();
}

// Both versions are TLS1_2_VERSION or later. Returns 1, or 0 when the library refuses.
static inline int tls_set_minimum(SSL_CTX *ctx, int version) {
    return (int)SSL_CTX_set_min_proto_version(ctx, version);
}

// What every connection of ours wants: a write may take a part, its buffer may have moved since, an idle connection
// holds no buffers; one read of the socket takes all records that have come. Renegotiation and compression are never
// done. A peer that closes TCP without close_notify is common and tells nothing: messages carry their own length.
static inline void tls_set_habits(SSL_CTX *ctx) {
    SSL_CTX_set_mode(
        ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
}

// Sessions are given to the callback alone: OpenSSL's own store knows no upstreams.
static inline void tls_set_client_sessions(SSL_CTX *ctx) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static inline void tls_set_no_sessions(SSL_CTX *ctx) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
}

static inline int tls_set_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline void tls_set_owner(SSL *ssl, void *owner) { SSL_set_app_data(ssl, owner); }
static inline void *tls_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }
static inline void tls_set_policy(SSL_CTX *ctx, void *policy) { SSL_CTX_set_app_data(ctx, policy); }
static inline void *tls_policy(const SSL *ssl) { return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)); }

// The chain that was verified; without verification what the peer sent has no meaning but for its first certificate.
static inline int tls_chain_count(const SSL *ssl) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    return chain ? sk_X509_num(chain) : 0;
}

static inline X509 *tls_chain_certificate(const SSL *ssl, int index) {
    return sk_X509_value(SSL_get0_verified_chain(ssl), index);
}

// SHA-256 over the SubjectPublicKeyInfo in DER (RFC 7469 section 2.4), 32 octets. Returns 1, or 0 on failure.
static inline int tls_key_digest(const X509 *certificate, unsigned char *digest) {
    unsigned char *der = NULL;
    unsigned size = 0;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (length <= 0) return 0;
    int done = EVP_Digest(der, (size_t)length, digest, &size, EVP_sha256(), NULL);
    OPENSSL_free(der);
    return done == 1 && size == 32;
}

// Whether the peer's certificate in a kept session has run out meanwhile.
static inline int tls_session_certificate_expired(SSL_SESSION *session) {
    X509 *certificate = SSL_SESSION_get0_peer(session);
    return certificate != NULL && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

#endif
