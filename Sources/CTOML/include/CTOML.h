// A C view of toml++: parse a file from memory and read it as one flat, depth-first list of nodes with the place of
// each in the file. Called by TOMLReader.swift only. Never throws: toml++ is compiled with TOML_EXCEPTIONS=0, and every
// function is noexcept. Lines and columns start at 1; columns count characters, not bytes. 0 = not known.
#ifndef FLEETWING_CTOML_H
#define FLEETWING_CTOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CTOML_NOEXCEPT noexcept
extern "C" {
#else
#define CTOML_NOEXCEPT
#endif

typedef enum {
    CTOML_TABLE,    // its entries follow, then CTOML_END
    CTOML_ARRAY,    // its elements follow, then CTOML_END
    CTOML_END,
    CTOML_STRING,   // text
    CTOML_INTEGER,  // integer
    CTOML_FLOAT,
    CTOML_BOOLEAN,  // integer 0 or 1
    CTOML_TIME,     // a date, a time or both
} ctoml_kind;

typedef struct {
    uint32_t line, column, end_line, end_column;
} ctoml_region;

// One node. Pointers live as long as the document; texts are UTF-8 and not terminated.
typedef struct {
    ctoml_kind kind;
    ctoml_region region;
    ctoml_region key_region;
    const char *key;  // NULL for an element of an array and for the root
    size_t key_length;
    const char *text;
    size_t text_length;
    int64_t integer;
} ctoml_node;

// Why parsing stopped. `message` is NULL when it did not.
typedef struct {
    const char *message;
    size_t message_length;
    ctoml_region region;
} ctoml_failure;

typedef struct ctoml_document ctoml_document;

// Never returns NULL. The bytes are copied as needed and may go away afterwards. Free with ctoml_free.
ctoml_document *ctoml_parse(const char *bytes, size_t length) CTOML_NOEXCEPT;
ctoml_failure ctoml_failure_of(const ctoml_document *document) CTOML_NOEXCEPT;
size_t ctoml_count(const ctoml_document *document) CTOML_NOEXCEPT;
// `index` must be below ctoml_count.
ctoml_node ctoml_at(const ctoml_document *document, size_t index) CTOML_NOEXCEPT;
void ctoml_free(ctoml_document *document) CTOML_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
