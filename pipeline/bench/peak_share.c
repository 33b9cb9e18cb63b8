/* pipeline/bench/peak_share.c - see peak_share.h. */
#include "pipeline/bench/peak_share.h"

#include <math.h>

double ws_peak_share_percent(const ws_work *work, const double peaks[3], double images_per_s)
{
    double seconds = 0.0;
    for (int type = 0; type < 3; type++) {
        if (work->macs[type] > 0.0 && !(peaks[type] > 0.0))
            return NAN;
        if (work->macs[type] > 0.0)
            seconds += 2e-9 * work->macs[type] / peaks[type];
    }
    const double percent = 100.0 * seconds * images_per_s;
    return percent > 0.0 && percent <= 100.0 ? percent : NAN;
}
