/* weights/family/vit_names.c - the names of plain ViTs (DINOv2, DINO, DeiT) as wrappers, timm and
 * Hugging Face write them, brought to the published ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/vit_names.h"

/* Wrappers that training code and Hugging Face put in front, in any order and number. */
static const char *unwrapped(const char *name)
{
    static const char *const wrappers[] = {
        "module.", "backbone.", "teacher.", "dinov2_with_registers.", "dinov2.", "vit.", "deit."};
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0)
            return unwrapped(name + strlen(wrappers[i]));
    return name;
}

static int begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static int is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return 1;
    return 0;
}

/* ---- whether it is one ---- */

typedef struct signs {
    const ws_source_tensor *class_token, *head;
    int blocks, layers; /* published block names, Hugging Face's */
    int before;         /* Hugging Face's ViT, not its DINOv2 */
    const char *foreign;
} signs;

/* Marks of architectures that share names with these, but not the mathematics. */
static const char *foreign_to(const char *name)
{
    static const struct {
        const char *part, *what;
    } marks[] = {{".mlp.w12.", "a SwiGLU feed-forward (ViT-g)"},
                 {".mlp.weights_in.", "a SwiGLU feed-forward (ViT-g)"},
                 {"decoder_blocks.", "a masked autoencoder"},
                 {"decoder_pos_embed", "a masked autoencoder"},
                 {"rope_", "rotary positions (DINOv3)"},
                 {"storage_tokens", "DINOv3"}};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strstr(name, marks[i].part))
            return marks[i].what;
    return NULL;
}

static signs read_signs(const ws_source *s)
{
    signs g = {0};
    for (size_t i = 0; i < s->n_tensors; i++) {
        const char *name = unwrapped(s->tensors[i].name);
        if (strcmp(name, "cls_token") == 0 || strcmp(name, "embeddings.cls_token") == 0)
            g.class_token = &s->tensors[i];
        if (strcmp(name, "head.weight") == 0)
            g.head = &s->tensors[i];
        g.blocks |= begins(name, "blocks.0.");
        g.layers |= begins(name, "encoder.layer.0.");
        g.before |= strstr(name, ".layernorm_before.") != NULL;
        if (!g.foreign)
            g.foreign = foreign_to(name);
    }
    return g;
}

/* One class token, blocks, and no clue network's convolution for a head. */
static int is_backbone(const signs *g)
{
    return g->class_token && g->class_token->rank == 3 && g->class_token->dims[1] == 1 &&
           (g->blocks || g->layers) && !(g->head && g->head->rank == 4);
}

/* ---- published names ---- */

typedef struct rule {
    const char *from, *to;
} rule;

/* Replaces the first `from`; nothing when the result would be too long. */
static void replace(char name[WS_SOURCE_NAME + 1], const rule *r)
{
    char *at = strstr(name, r->from);
    const size_t from = strlen(r->from), to = strlen(r->to);
    if (!at || strlen(name) - from + to > WS_SOURCE_NAME)
        return;
    memmove(at + to, at + from, strlen(at + from) + 1);
    memcpy(at, r->to, to);
}

static void hugging_face_name(char name[WS_SOURCE_NAME + 1], int before)
{
    static const rule rules[] = {{"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
                                 {"embeddings.position_embeddings", "pos_embed"},
                                 {"embeddings.distillation_token", "dist_token"},
                                 {"embeddings.", ""},
                                 {"encoder.layer.", "blocks."},
                                 {".attention.attention.query.", ".attn.q."},
                                 {".attention.attention.key.", ".attn.k."},
                                 {".attention.attention.value.", ".attn.v."},
                                 {".attention.output.dense.", ".attn.proj."},
                                 {".layer_scale1.lambda1", ".ls1.gamma"},
                                 {".layer_scale2.lambda1", ".ls2.gamma"},
                                 {".layernorm_before.", ".norm1."},
                                 {".layernorm_after.", ".norm2."},
                                 {".intermediate.dense.", ".mlp.fc1."},
                                 {".output.dense.", ".mlp.fc2."}};
    static const rule outer[] = {{"layernorm.", "norm."},
                                 {"distillation_classifier.", "head_dist."},
                                 {"cls_classifier.", "head."},
                                 {"classifier.", "head."}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        replace(name, &rules[i]);
    /* DINOv2's classifier takes the class token and the patches' mean: another matrix. */
    for (size_t i = 0; i < (before ? 4u : 1u); i++)
        if (begins(name, outer[i].from)) {
            replace(name, &outer[i]);
            return;
        }
}

/* blocks.C.N.…: DINOv2's chunks of blocks; N is the number. */
static void drop_chunk(char name[WS_SOURCE_NAME + 1])
{
    unsigned chunk, block;
    int at = 0, end = 0;
    if (sscanf(name, "blocks.%4u.%n%4u.%n", &chunk, &at, &block, &end) == 2 && end)
        memmove(name + strlen("blocks."), name + at, strlen(name + at) + 1);
}

/* What a backbone is made of; all else of a training checkpoint (projection heads, poolers) goes.
 * Everything inside the blocks stays, so that another architecture is refused by its names. */
static int is_kept(const char *name)
{
    static const char *const kept[] = {"cls_token",
                                       "pos_embed",
                                       "register_tokens",
                                       "mask_token",
                                       "dist_token",
                                       "norm.weight",
                                       "norm.bias",
                                       "head.weight",
                                       "head.bias",
                                       "head_dist.weight",
                                       "head_dist.bias",
                                       "patch_embed.proj.weight",
                                       "patch_embed.proj.bias",
                                       NULL};
    return begins(name, "blocks.") || is_one_of(name, kept);
}

static void rename_all(ws_source *s, const signs *g)
{
    size_t n = 0;
    const int layers = g->layers, before = g->before;
    for (size_t i = 0; i < s->n_tensors; i++) {
        ws_source_tensor *t = &s->tensors[i];
        const char *from = unwrapped(t->name);
        memmove(t->name, from, strlen(from) + 1);
        if (layers)
            hugging_face_name(t->name, before);
        if (strcmp(t->name, "reg_token") == 0)
            strcpy(t->name, "register_tokens");
        drop_chunk(t->name);
        if (is_kept(t->name)) {
            if (n != i)
                s->tensors[n] = *t;
            n++;
        }
    }
    s->n_tensors = n;
}

/* ---- q, k and v in one ---- */

static ws_source_tensor *find(ws_source *s, const char *name)
{
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

static void remove_tensor(ws_source *s, ws_source_tensor *t)
{
    *t = s->tensors[--s->n_tensors];
}

/* Rows of q, then k, then v under the name of all three. */
static wsam_status join_qkv(ws_source *s, uint32_t block, const char *leaf, wsam_error *error)
{
    char name[3][64];
    ws_source_tensor *t[3];
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "blocks.%u.attn.%c.%s", block, "qkv"[i], leaf);
        t[i] = find(s, name[i]);
        if (!t[i])
            return WSAM_OK; /* what is missing is named when the tensors are compared */
    }
    const wsam_status status = ws_source_stack(s, t[0], t[1], t[2], error);
    if (status)
        return status;
    snprintf(t[0]->name, sizeof t[0]->name, "blocks.%u.attn.qkv.%s", block, leaf);
    remove_tensor(s, find(s, name[1]));
    remove_tensor(s, find(s, name[2]));
    return WSAM_OK;
}

wsam_status ws_vit_names_settle(ws_source *s, wsam_error *error)
{
    enum { MOST_BLOCKS = 256 };
    const signs g = read_signs(s);
    if (!is_backbone(&g))
        return WSAM_OK;
    if (g.foreign)
        return ws_fail(error, WSAM_ERR_UNSUPPORTED,
                       "%s: a ViT, but with %s: the backbones are DINOv2 (S, B, L), DINO and DeiT",
                       s->path, g.foreign);
    rename_all(s, &g);
    wsam_status status = WSAM_OK;
    for (uint32_t i = 0; g.layers && i < MOST_BLOCKS && !status; i++) {
        status = join_qkv(s, i, "weight", error);
        if (!status)
            status = join_qkv(s, i, "bias", error);
    }
    return status;
}
