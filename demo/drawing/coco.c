/* demo/drawing/coco.c - scenes as files: JPEG pictures, instances.json (COCO), labels.csv
 * (image-level classes alone). */
#include "demo/drawing/coco.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weaksam/masks.h"

static FILE *open_part(const demo_folder *f, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "w+b");
    if (!file)
        fprintf(stderr, "scenes: %s: %s\n", path, strerror(errno));
    return file;
}

int demo_folder_open(const char *path, demo_set set, demo_folder *f)
{
    char images[4096];
    memset(f, 0, sizeof *f);
    if (strlen(path) >= sizeof f->path) {
        fprintf(stderr, "scenes: the folder's path is too long\n");
        return 0;
    }
    strcpy(f->path, path);
    f->set = set;
    snprintf(images, sizeof images, "%s/images", path);
    if ((mkdir(path, 0777) && errno != EEXIST) || (mkdir(images, 0777) && errno != EEXIST)) {
        fprintf(stderr, "scenes: %s: %s\n", path, strerror(errno));
        return 0;
    }
    f->images = open_part(f, "instances.json.part");
    f->annotations = open_part(f, "annotations.part");
    f->labels = open_part(f, "labels.csv.part");
    if (!f->images || !f->annotations || !f->labels) {
        demo_folder_close(f, 0);
        return 0;
    }
    fprintf(f->images, "{\"info\":{\"description\":\"drawn machine parts\"},\"images\":[");
    fprintf(f->labels, "image,classes\n");
    return 1;
}

char *demo_instance_counts(const demo_scene *s, int index)
{
    const size_t pixels = (size_t)s->width * (size_t)s->height;
    uint8_t *mask = malloc(pixels);
    wsam_rle rle = {s->height, s->width, 0, pixels + 1, malloc((pixels + 1) * sizeof(uint32_t))};
    char *text = NULL;
    if (mask && rle.counts) {
        for (size_t k = 0; k < pixels; k++)
            mask[k] = s->ids[k] == index + 1;
        if (wsam_rle_encode(mask, (size_t)s->width, &rle) == WSAM_OK) {
            const size_t length = wsam_rle_to_string(&rle, NULL, 0);
            text = malloc(length + 1);
            if (text)
                text[wsam_rle_to_string(&rle, text, length)] = 0;
        }
    }
    free(mask);
    free(rle.counts);
    return text;
}

/* COCO's text has a backslash among its characters. */
static void put_escaped(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fputc('\\', f);
        fputc(*text, f);
    }
}

static int add_instance(demo_folder *f, const demo_scene *s, int index)
{
    const demo_instance *i = &s->instances[index];
    char *counts = demo_instance_counts(s, index);
    if (!counts)
        return 0;
    fprintf(f->annotations,
            "%s\n{\"id\":%ld,\"image_id\":%ld,\"category_id\":%d,\"iscrowd\":0,\"area\":%lld,"
            "\"bbox\":[%d,%d,%d,%d],"
            "\"segmentation\":{\"size\":[%d,%d],\"counts\":\"",
            f->n_annotations ? "," : "", f->n_annotations + 1, f->n_images,
            (int)i->kind - (int)demo_class_sets[f->set].first + 1, (long long)i->area, i->box[0],
            i->box[1], i->box[2] - i->box[0] + 1, i->box[3] - i->box[1] + 1, s->height, s->width);
    put_escaped(f->annotations, counts);
    fprintf(f->annotations, "\"}");
    if (f->set == DEMO_INSPECTED)
        fprintf(f->annotations, ",\"defect\":\"%s\"", demo_defect_names[i->defect]);
    fprintf(f->annotations, "}");
    free(counts);
    f->n_annotations++;
    return 1;
}

int demo_folder_add(demo_folder *f, const demo_scene *s)
{
    char name[32], path[4096];
    snprintf(name, sizeof name, "%06ld.jpg", f->n_images + 1);
    snprintf(path, sizeof path, "%s/images/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    int good = file && fwrite(s->jpeg, 1, s->jpeg_bytes, file) == s->jpeg_bytes;
    if (file)
        good &= fclose(file) == 0;
    if (!good) {
        fprintf(stderr, "scenes: %s: %s\n", path, strerror(errno));
        return 0;
    }
    fprintf(f->images, "%s\n{\"id\":%ld,\"file_name\":\"%s\",\"width\":%d,\"height\":%d}",
            f->n_images ? "," : "", f->n_images + 1, name, s->width, s->height);
    f->n_images++;
    const demo_classes *classes = &demo_class_sets[f->set];
    unsigned seen = f->set == DEMO_INSPECTED && !s->n ? 1u << 1 : 0; /* OK is told, too */
    for (int i = 0; i < s->n; i++)
        if (!demo_is_generic(s->instances[i].kind)) {
            seen |= 1u << ((int)s->instances[i].kind - (int)classes->first);
            if (!add_instance(f, s, i))
                return 0;
        }
    fprintf(f->labels, "%s", name);
    for (int k = 0; k < classes->n; k++)
        if (seen >> k & 1)
            fprintf(f->labels, ",%s", classes->names[k]);
    fprintf(f->labels, "\n");
    return 1;
}

static int append(FILE *to, FILE *from)
{
    char block[65536];
    size_t n;
    rewind(from);
    while ((n = fread(block, 1, sizeof block, from)) > 0)
        if (fwrite(block, 1, n, to) != n)
            return 0;
    return !ferror(from);
}

static int settle(const demo_folder *f, const char *name, int good)
{
    char part[4096], path[4096];
    snprintf(part, sizeof part, "%s/%s.part", f->path, name);
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return good ? rename(part, path) == 0 : unlink(part) == 0;
}

int demo_folder_close(demo_folder *f, int good)
{
    if (good && f->images) {
        fprintf(f->images, "],\n\"annotations\":[");
        good = append(f->images, f->annotations);
        fprintf(f->images, "],\n\"categories\":[");
        const demo_classes *classes = &demo_class_sets[f->set];
        for (int k = 0; k < classes->n; k++)
            fprintf(f->images, "%s{\"id\":%d,\"name\":\"%s\"}", k ? "," : "", k + 1,
                    classes->names[k]);
        fprintf(f->images, "]}\n");
    }
    FILE *const files[] = {f->images, f->annotations, f->labels};
    for (int i = 0; i < 3; i++)
        if (files[i])
            good &= !ferror(files[i]) && fclose(files[i]) == 0;
    good = settle(f, "instances.json", good) & settle(f, "labels.csv", good);
    char path[4096];
    snprintf(path, sizeof path, "%s/annotations.part", f->path);
    unlink(path);
    return good;
}
