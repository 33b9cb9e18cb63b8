/* pipeline/bench/compare.c - wsam_bench_compare: rows joined, and written in one of the formats. */
#include "base/error.h"
#include "pipeline/bench/compare_rows.h"

wsam_status wsam_bench_compare(const wsam_bench_row *rows, size_t n,
                               const wsam_bench_compare_options *options, char **text,
                               wsam_error *error)
{
    ws_comparisons c;
    ws_text t = {0};
    *text = NULL;
    wsam_status status = ws_compare_rows(rows, n, options, &c, error);
    if (!status) {
        const wsam_bench_format format = options ? options->format : WSAM_BENCH_MARKDOWN;
        (format == WSAM_BENCH_SVG   ? ws_chart_compare_svg
         : format == WSAM_BENCH_CSV ? ws_compare_csv
                                    : ws_compare_markdown)(&c, &t);
        if (ws_text_take(&t, text))
            status = ws_no_memory(error, "comparison");
    }
    ws_comparisons_free(&c);
    return status;
}
