// nghttp2 for Swift: HTTP/2 frames, HPACK and flow control without any I/O. Only ForwarderRuntime/HTTP2 includes it.
#ifndef FLEETWING_CNGHTTP2_H
#define FLEETWING_CNGHTTP2_H

#include <nghttp2/nghttp2.h>

#endif
