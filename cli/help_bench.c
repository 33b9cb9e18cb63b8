/* cli/help_bench.c - help of weaksam bench and its subcommands. */
#include "cli/help_tables.h"

static const cli_help_row bench_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--picture FILE|FOLDER", "image, or a folder of which up to 32 are taken in turn",
     "a drawing of 640 x 480"},
    HELP_MAX_PIXELS,
    {NULL, "What to measure", NULL},
    {"--what LIST",
     "timed regions: encoder (prepared tensor to embedding), encode (decoded image to embedding), "
     "prompts (decoded image to full-size masks), decoder (embedding to logits), everything (decoded "
     "image to all masks; every mask passes the filters)",
     "encode,prompts"},
    {"--prompts LIST", "numbers of prompts per image, single clicks with three masks each", "1,16"},
    {"--scenario NAME",
     "SingleStream: one image with all threads; Offline: an image per core; both", "both"},
    {"--scaling",
     "the encoder with 1 to N threads, sessions of one thread, processes of one thread", NULL},
    {"--run FOLDER", "the stages of weaksam run on these images", NULL},
    {"--labels PATH", "for --run: the labels of the images", NULL},
    {"--clue-model MODEL.wsam", "for --run: the clue network", NULL},
    {"--profile", "print the time of each kind of operator instead", NULL},
    {NULL, "How long", NULL},
    {"--runs N", "repetitions of each session, after one that warms up",
     "until the median is known to --interval"},
    {"--encodes N", "older name of --runs", NULL},
    {"--interval PERCENT", "repeat until the median's 95 % interval is narrower than that", "3"},
    {"--max-seconds F", "repeat no longer than that for a row", "60"},
    {NULL, "Energy and cost", NULL},
    {"--watts F", "power to assume where the system does not count energy (RAPL)", NULL},
    {"--price F", "price per hour of this machine, for bench compare", NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"--svg FILE", "measure the scaling and draw it", NULL},
    {NULL, NULL, NULL}};

const cli_help help_bench = {
    "Every row is measured in processes of its own, so that peak memory is its own, and names its "
    "timed region. Opening the model, planning and reading image files are never in the time. The "
    "clock and the register loops that the share of the peak refers to are measured in the same "
    "run; a share above 100 % is not shown, as other work held the loops up.",
    bench_rows,
    "weaksam bench compare puts rows of --json files side by side (weaksam bench compare --help); weaksam "
    "bench scale simulates a run on many machines (weaksam bench scale --help).",
    "weaksam bench -m sam.wsam\n"
    "weaksam bench -m sam.wsam --what encoder,everything --json > rows.jsonl\n"
    "weaksam bench -m sam.wsam --scaling --svg scaling.svg\n"
    "weaksam bench -m sam.wsam --threads 1 --profile\n"};

static const cli_help_row bench_compare_rows[] = {
    {NULL, CLI_HELP_INPUT, NULL},
    {"--select FIELD=VALUE", "only rows with this value; may be repeated", NULL},
    {"--across LIST",
     "fields of the protocol that may differ (resolution, prompts, scenario, timed_region, batch); "
     "each becomes a column",
     "none"},
    {"--price FILE", "prices: lines of price per hour, device, source and date, separated by tabs",
     NULL},
    {NULL, CLI_HELP_OUTPUT, NULL},
    {"-o, --output FILE", "the comparison", "standard output"},
    {"--format NAME",
     "markdown, csv, svg, or scaling: the chart of weaksam bench --scaling from its rows",
     "markdown"},
    {NULL, NULL, NULL}};

const cli_help help_bench_compare = {
    "Rows of one model form a table: images per second (of SingleStream: of the median), per core, per "
    "watt, the cost of a million images, and how many machines of the first CPU's kind deliver as "
    "much. Rows that were measured by different protocols are refused; the message says in what they "
    "differ.",
    bench_compare_rows, NULL,
    "weaksam bench compare rows.jsonl published.jsonl --select timed_region=encoder --price prices.tsv\n"
    "weaksam bench compare rows.jsonl --across batch --format svg -o chart.svg\n"
    "weaksam bench compare rows.jsonl --select timed_region=encoder --format scaling -o scaling.svg\n"};
