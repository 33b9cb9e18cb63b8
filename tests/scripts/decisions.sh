# What a person decided in a COCO file, one annotation a line as weaksam writes it: functions for scripts.

# decided FILE: its decided annotations, sorted
decided() {
    grep '"reviewed"' "$1" | sed 's/,$//' | sort
}
# resurrected FILE: how many boxes of machines are within IoU 0.7 of a rejected one of the same image and class
resurrected() {
    awk 'function number(name) { match($0, "\"" name "\": *[0-9]+"); s = substr($0, RSTART, RLENGTH); sub(/.*: */, "", s); return s }
        /"bbox"/ {
            n++; image[n] = number("image_id"); class[n] = number("category_id")
            match($0, /"bbox": *\[[^]]*/); s = substr($0, RSTART, RLENGTH); sub(/.*\[/, "", s); split(s, b, / *, */)
            for (k = 1; k <= 4; k++) box[n, k] = b[k]
            place = image[n] " " class[n]
            if (/"reviewed": *"rejected"/) rejected[place] = rejected[place] " " n
            machine[n] = !/"reviewed"/
        }
        END {
            for (j = 1; j <= n; j++) {
                if (!machine[j]) continue
                m = split(rejected[image[j] " " class[j]], list, " ")
                for (k = 1; k <= m; k++) {
                    i = list[k]
                    x0 = box[i,1] > box[j,1] ? box[i,1] : box[j,1]; x1 = box[i,1] + box[i,3]; if (box[j,1] + box[j,3] < x1) x1 = box[j,1] + box[j,3]
                    y0 = box[i,2] > box[j,2] ? box[i,2] : box[j,2]; y1 = box[i,2] + box[i,4]; if (box[j,2] + box[j,4] < y1) y1 = box[j,2] + box[j,4]
                    both = x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0
                    if (both >= 0.7 * (box[i,3] * box[i,4] + box[j,3] * box[j,4] - both)) bad++
                }
            }
            print bad + 0
        }' "$1"
}
