// OpenSSL 3.0 for Swift: the headers, and as inline functions the macros that Swift cannot see.
// Only ForwarderRuntime/TLS includes it.
#ifndef FLEETWING_COPENSSL_H
#define FLEETWING_COPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#endif
