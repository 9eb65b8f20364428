// The walk over toml++ behind CTOML.h. toml++ keeps the place of every key and value, which is why it was chosen: every
// error of ours names file, line and column. Its nesting limit (256) bounds the recursion here.
#include "CTOML.h"

// toml++ 3.3 asserts that a table header begins with a key ("[{x]" aborts), and with NDEBUG it turns that into a
// promise to the optimiser, which is worse. The checks that follow its assertions report such input properly, so the
// assertions are switched off in both kinds of build; the tests feed mutated files.
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)

#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

struct ctoml_document {
    toml::table root;
    std::vector<ctoml_node> nodes;
    std::string message;
    ctoml_region failure{};
    bool failed = false;
};

namespace {

ctoml_region region_of(const toml::source_region &source) noexcept {
    return {source.begin.line, source.begin.column, source.end.line, source.end.column};
}

void walk(ctoml_document &document, const toml::node &node, const toml::key *key) noexcept;

void close(ctoml_document &document) noexcept {
    ctoml_node end{};
    end.kind = CTOML_END;
    document.nodes.push_back(end);
}

void walk(ctoml_document &document, const toml::node &node, const toml::key *key) noexcept {
    ctoml_node seen{};
    seen.region = region_of(node.source());
    if (key) {
        seen.key = key->data();
        seen.key_length = key->length();
        seen.key_region = region_of(key->source());
    }
    if (const auto *table = node.as_table()) {
        seen.kind = CTOML_TABLE;
        document.nodes.push_back(seen);
        for (const auto &[name, value] : *table) walk(document, value, &name);
        close(document);
        return;
    }
    if (const auto *array = node.as_array()) {
        seen.kind = CTOML_ARRAY;
        document.nodes.push_back(seen);
        for (const auto &value : *array) walk(document, value, nullptr);
        close(document);
        return;
    }
    if (const auto *text = node.as_string()) {
        seen.kind = CTOML_STRING;
        seen.text = text->get().data();
        seen.text_length = text->get().size();
    } else if (const auto *integer = node.as_integer()) {
        seen.kind = CTOML_INTEGER;
        seen.integer = integer->get();
    } else if (const auto *boolean = node.as_boolean()) {
        seen.kind = CTOML_BOOLEAN;
        seen.integer = boolean->get() ? 1 : 0;
    } else if (node.is_floating_point()) {
        seen.kind = CTOML_FLOAT;
    } else {
        seen.kind = CTOML_TIME;
    }
    document.nodes.push_back(seen);
}

}  // namespace

extern "C" ctoml_document *ctoml_parse(const char *bytes, size_t length) noexcept {
    auto *document = new ctoml_document;
    auto result = toml::parse(std::string_view(bytes, length));
    if (!result) {
        document->failed = true;
        document->message = std::string(result.error().description());
        document->failure = region_of(result.error().source());
        return document;
    }
    document->root = std::move(result).table();
    walk(*document, document->root, nullptr);
    return document;
}

extern "C" ctoml_failure ctoml_failure_of(const ctoml_document *document) noexcept {
    if (!document->failed) return {};
    return {document->message.data(), document->message.size(), document->failure};
}

extern "C" size_t ctoml_count(const ctoml_document *document) noexcept { return document->nodes.size(); }

extern "C" ctoml_node ctoml_at(const ctoml_document *document, size_t index) noexcept { return document->nodes[index]; }

extern "C" void ctoml_free(ctoml_document *document) noexcept { delete document; }
