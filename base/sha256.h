/* base/sha256.h - SHA-256 (FIPS 180-4) of bytes in memory. */
#ifndef WS_BASE_SHA256_H
#define WS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

void ws_sha256(const void *bytes, size_t n, uint8_t digest[32]);

#endif
