/* What do the measured tables say once the model agrees with itself, a thousand times over?

Belief propagation on a junction tree and the mirror descent of dpmm around it, for cliques whose log-potential is a sum
of small tables. faster.py lays the plan out and explains why this is the arithmetic of dpmm; nothing here is random.
Cliques are numbered from the root down.

A small clique is passed over cell by cell. A large one is split at its two axes j and k into sheets: its cells are
R[o] A[o, j] B[o, k] E[g, j, k], where o runs over all other axes and g over those that some table has together with j
and k. Its sums are then products of matrices: over k it is A (B E'), over j it is B (A E), over the rest E (A' B). */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AXES 24
#define CHUNK 4096

typedef struct {
    int64_t cliques, tables, measurements;
    const int64_t *axes, *shape;                    /* per clique; shape is (cliques, AXES) */
    const int64_t *factor_start, *factor_table, *factor_stride; /* the tables that a pass over the clique reads */
    const int64_t *sep_table, *sep_start, *sep_stride;          /* separator towards the parent; table in the parent */
    const int64_t *merge_start, *merge_from, *merge_into, *merge_map; /* tables that others contain */
    const int64_t *kept;                            /* where the clique's cells are kept between the passes, or -1 */
    const int32_t *map;
    const int64_t *table_start, *clique_tables;
    const int64_t *measured, *answer_start;
    const int64_t *sheet;                           /* per clique the first of its sheets, or -1 */
    const int64_t *sheet_axes, *sheet_shape, *sheet_start, *sheet_table, *sheet_stride, *sheet_cells;
    const int64_t *groups, *rows, *breadth, *width; /* per clique: g, o per g, j, k */
    int64_t *slow;
    const double *weight, *answers, *scale;
    double *potential, *effective, *marginal, *gradient;
    double *shift, *sum, *message, *ratio, *cells, *products, *levels;
    double total;
    void (*dgemm)(const char *, const char *, const int *, const int *, const int *, const double *, const double *,
                  const int *, const double *, const int *, const double *, double *, const int *);
} Plan;

/* e^x within an ulp or two, written so that compilers make vector code of it; 0 below e^-708 */
static inline double exponential(double x) {
    const double magic = 0x1.8p52;
    double bounded = x < -708.0 ? -708.0 : x > 709.0 ? 709.0 : x;
    double turned = bounded * 0x1.71547652b82fep0 + magic;
    double whole = turned - magic;
    double rest = (bounded - whole * 0x1.62e42fefa3800p-1) - whole * 0x1.ef35793c76730p-45;
    double series = 1.6059043836821613e-10; /* 1/13!, then up */
    series = series * rest + 2.0876756987868099e-9;
    series = series * rest + 2.5052108385441719e-8;
    series = series * rest + 2.7557319223985891e-7;
    series = series * rest + 2.7557319223985893e-6;
    series = series * rest + 2.4801587301587302e-5;
    series = series * rest + 1.9841269841269841e-4;
    series = series * rest + 1.3888888888888889e-3;
    series = series * rest + 8.3333333333333333e-3;
    series = series * rest + 4.1666666666666667e-2;
    series = series * rest + 1.6666666666666667e-1;
    series = series * rest + 0.5;
    series = series * rest + 1.0;
    series = series * rest + 1.0;
    int64_t bits;
    memcpy(&bits, &turned, 8);
    bits = (bits << 52) + 0x3ff0000000000000LL;
    double power;
    memcpy(&power, &bits, 8);
    return x < -708.0 ? 0.0 : series * power;
}

enum { LARGEST, UPWARD, DOWNWARD, ROOT, WRITE };

/* One pass over the cells of a clique. The cell's log is the sum of its factors plus ``extra``, a table of the separator.
   LARGEST: the largest log per separator cell, into ``into``. UPWARD: exp, summed per separator cell into ``into``.
   DOWNWARD, ROOT: exp, summed into the marginals of the factors (ROOT also into ``into``). WRITE: exp, into ``into``. */
static void pass(const Plan *p, int64_t clique, const double *extra, double *into, int what) {
    const int64_t axes = p->axes[clique], outer = axes - 1;
    const int64_t *shape = p->shape + clique * AXES;
    const int64_t length = shape[axes - 1];
    const int64_t first = p->factor_start[clique], factors = p->factor_start[clique + 1] - first;
    const int64_t all = factors + 1; /* the separator is the last */
    const int64_t room = length > CHUNK ? length : CHUNK, rows_at_once = room / length;
    int64_t rows = 1, index[AXES] = {0};
    for (int64_t a = 0; a < outer; a++) rows *= shape[a];
    int64_t *step = malloc((size_t)(all * AXES + all + all * rows_at_once) * sizeof(int64_t)), *at = step + all * AXES,
            *offset = at + all;
    double *log = malloc((size_t)room * sizeof(double));
    const double **table = malloc((size_t)all * sizeof(double *));
    double **target = malloc((size_t)all * sizeof(double *));
    char *along = malloc((size_t)all);
    for (int64_t f = 0; f < all; f++) {
        const int64_t *stride = f < factors ? p->factor_stride + (first + f) * AXES : p->sep_stride + clique * AXES;
        int64_t back = 0;
        for (int64_t a = outer - 1; a >= 0; a--) {
            step[f * AXES + a] = stride[a] - back;
            back += stride[a] * (shape[a] - 1);
        }
        at[f] = 0;
        along[f] = stride[axes - 1] != 0;
        table[f] = f < factors ? p->effective + p->table_start[p->factor_table[first + f]] : extra;
        target[f] = f < factors ? p->marginal + p->table_start[p->factor_table[first + f]] : into;
    }
    double *kept = p->kept[clique] < 0 ? NULL : p->cells + p->kept[clique];
    for (int64_t done = 0; done < rows; done += rows_at_once) {
        const int64_t now = rows - done < rows_at_once ? rows - done : rows_at_once, cells = now * length;
        for (int64_t r = 0; r < now; r++) {
            int64_t *here = offset + r * all;
            for (int64_t f = 0; f < all; f++) here[f] = at[f];
            int64_t a = outer - 1;
            while (a >= 0 && ++index[a] == shape[a]) index[a--] = 0;
            if (a >= 0)
                for (int64_t f = 0; f < all; f++) at[f] += step[f * AXES + a];
        }
        double *value = log;
        if (what == DOWNWARD && kept) {
            for (int64_t r = 0; r < now; r++) {
                const double *from = kept + (done + r) * length, *by = extra + offset[r * all + factors];
                double *to = log + r * length;
                if (along[factors])
                    for (int64_t j = 0; j < length; j++) to[j] = from[j] * by[j];
                else
                    for (int64_t j = 0; j < length; j++) to[j] = from[j] * by[0];
            }
        } else {
            for (int64_t r = 0; r < now; r++) {
                const int64_t *here = offset + r * all;
                double *to = log + r * length, constant = 0.0;
                for (int64_t f = 0; f < all; f++)
                    if (!along[f]) constant += table[f][here[f]];
                for (int64_t j = 0; j < length; j++) to[j] = constant;
                for (int64_t f = 0; f < all; f++)
                    if (along[f]) {
                        const double *from = table[f] + here[f];
                        for (int64_t j = 0; j < length; j++) to[j] += from[j];
                    }
            }
            if (what == UPWARD && kept) value = kept + done * length;
            if (what == WRITE) value = into + done * length;
            if (what != LARGEST)
                for (int64_t j = 0; j < cells; j++) value[j] = exponential(log[j]);
        }
        if (what == WRITE) continue;
        const int64_t from = what == DOWNWARD || what == ROOT ? 0 : factors;
        const int64_t to = what == DOWNWARD ? factors : all;
        for (int64_t f = from; f < to; f++)
            for (int64_t r = 0; r < now; r++) {
                const double *cell = value + r * length;
                double *sums = target[f] + offset[r * all + f];
                if (what == LARGEST) {
                    if (along[f])
                        for (int64_t j = 0; j < length; j++) sums[j] = cell[j] > sums[j] ? cell[j] : sums[j];
                    else
                        for (int64_t j = 0; j < length; j++) sums[0] = cell[j] > sums[0] ? cell[j] : sums[0];
                } else if (along[f])
                    for (int64_t j = 0; j < length; j++) sums[j] += cell[j];
                else {
                    double total = 0.0;
#pragma omp simd reduction(+ : total)
                    for (int64_t j = 0; j < length; j++) total += cell[j];
                    sums[0] += total;
                }
            }
    }
    free(step), free(log), free(table), free(target), free(along);
}

/* Sheets: R, A, B and E of a clique are numbers sheet to sheet + 3; R[o] is for what knows neither j nor k, and a cell is
   R[o] A[o, j] B[o, k] E[g, j, k]. Table -1 is the separator. */

#define INLINE static inline __attribute__((always_inline))
enum { ROWS, LEFT, RIGHT, BOTH, SHEETS };
enum { ADD, MULTIPLY, COLLECT };

INLINE void meet_run(double *cells, int64_t length, double *table, int64_t stride, int how) {
    if (how == ADD) {
        if (stride == 1)
            for (int64_t j = 0; j < length; j++) cells[j] += table[j];
        else if (stride)
            for (int64_t j = 0; j < length; j++) cells[j] += table[j * stride];
        else {
            const double same = table[0];
            for (int64_t j = 0; j < length; j++) cells[j] += same;
        }
    } else if (how == MULTIPLY) {
        for (int64_t j = 0; j < length; j++) cells[j] *= table[j * stride];
    } else if (stride == 1) {
        for (int64_t j = 0; j < length; j++) table[j] += cells[j];
    } else if (stride) {
        for (int64_t j = 0; j < length; j++) table[j * stride] += cells[j];
    } else {
        double total = 0.0;
#pragma omp simd reduction(+ : total)
        for (int64_t j = 0; j < length; j++) total += cells[j];
        table[0] += total;
    }
}

/* Meet every cell of a sheet with the cell of one of its tables that belongs to it, in runs as long as strides allow. */
INLINE void meet(const Plan *p, int64_t sheet, int64_t factor, double *cells, double *table, int how) {
    const int64_t *shape = p->sheet_shape + sheet * AXES, *stride = p->sheet_stride + factor * AXES;
    int64_t inmost = p->sheet_axes[sheet] - 1, rows = 1, index[AXES] = {0}, step[AXES], back = 0, at = 0;
    if (inmost < 0) {
        meet_run(cells, 1, table, 0, how);
        return;
    }
    int64_t length = shape[inmost];
    const int64_t along = stride[inmost];
    while (inmost > 0 && stride[inmost - 1] == along * length) length *= shape[--inmost];
    for (int64_t a = inmost - 1; a >= 0; a--) {
        step[a] = stride[a] - back;
        back += stride[a] * (shape[a] - 1);
        rows *= shape[a];
    }
    for (int64_t r = 0; r < rows; r++) {
        meet_run(cells + r * length, length, table + at, along, how);
        int64_t a = inmost - 1;
        while (a >= 0 && ++index[a] == shape[a]) index[a--] = 0;
        if (a >= 0) at += step[a];
    }
}

static void add(const Plan *p, int64_t sheet, int64_t factor, double *cells, double *table) {
    meet(p, sheet, factor, cells, table, ADD);
}

static void multiply(const Plan *p, int64_t sheet, int64_t factor, double *cells, double *table) {
    meet(p, sheet, factor, cells, table, MULTIPLY);
}

static void collect(const Plan *p, int64_t sheet, int64_t factor, double *cells, double *table) {
    meet(p, sheet, factor, cells, table, COLLECT);
}

/* Take the largest of each row off it, and add it to the row's level. */
static void level(double *cells, int64_t rows, int64_t length, double *levels) {
    for (int64_t r = 0; r < rows; r++) {
        double *row = cells + r * length, largest = row[0];
        for (int64_t j = 1; j < length; j++) largest = row[j] > largest ? row[j] : largest;
        for (int64_t j = 0; j < length; j++) row[j] -= largest;
        levels[r] += largest;
    }
}

/* Fill the sheets of a clique; 0 where rows are so far apart that their products could fall below what doubles hold. */
static int fill(const Plan *p, int64_t clique, double *negative) {
    const int64_t first = p->sheet[clique], groups = p->groups[clique], rows = p->rows[clique];
    const int64_t j = p->breadth[clique], k = p->width[clique];
    double *cells[SHEETS];
    int64_t size[SHEETS];
    for (int64_t s = 0; s < SHEETS; s++) {
        const int64_t sheet = first + s;
        size[s] = p->sheet_cells[sheet + 1] - p->sheet_cells[sheet];
        cells[s] = p->cells + p->sheet_cells[sheet];
        memset(cells[s], 0, (size_t)size[s] * sizeof(double));
        for (int64_t f = p->sheet_start[sheet]; f < p->sheet_start[sheet + 1]; f++)
            add(p, sheet, f, cells[s],
                p->sheet_table[f] < 0 ? negative : p->effective + p->table_start[p->sheet_table[f]]);
    }
    memset(p->levels, 0, (size_t)groups * sizeof(double));
    level(cells[BOTH], groups, j * k, p->levels);
    level(cells[LEFT], groups * rows, j, cells[ROWS]);
    level(cells[RIGHT], groups * rows, k, cells[ROWS]);
    double highest = -HUGE_VAL;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t o = g * rows; o < (g + 1) * rows; o++) {
            cells[ROWS][o] += p->levels[g];
            highest = cells[ROWS][o] > highest ? cells[ROWS][o] : highest;
        }
    if (highest > 300.0) return 0;
    for (int64_t s = 0; s < SHEETS; s++)
        for (int64_t c = 0; c < size[s]; c++) cells[s][c] = exponential(cells[s][c]);
    for (int64_t o = 0; o < groups * rows; o++)
        for (int64_t c = o * j; c < (o + 1) * j; c++) cells[LEFT][c] *= cells[ROWS][o];
    return 1;
}

/* Sums of a clique for one of its sheets, in p->products; A holds R's factor. */
static double *summed(const Plan *p, int64_t clique, int64_t which) {
    const int64_t groups = p->groups[clique], from = which == ROWS ? LEFT : which;
    const int rows = (int)p->rows[clique], j = (int)p->breadth[clique], k = (int)p->width[clique];
    const double one = 1.0, zero = 0.0, *cells[SHEETS];
    for (int64_t s = 0; s < SHEETS; s++) cells[s] = p->cells + p->sheet_cells[p->sheet[clique] + s];
    double *out = p->products;
    for (int64_t g = 0; g < groups; g++) {
        const double *a = cells[LEFT] + g * rows * j, *b = cells[RIGHT] + g * rows * k, *e = cells[BOTH] + g * j * k;
        if (from == LEFT) p->dgemm("T", "N", &j, &rows, &k, &one, e, &k, b, &k, &zero, out + g * rows * j, &j);
        if (from == RIGHT) p->dgemm("N", "N", &k, &rows, &j, &one, e, &k, a, &j, &zero, out + g * rows * k, &k);
        if (from == BOTH) p->dgemm("N", "T", &k, &j, &rows, &one, b, &k, a, &j, &zero, out + g * j * k, &k);
    }
    const int64_t sheet = p->sheet[clique] + from, size = p->sheet_cells[sheet + 1] - p->sheet_cells[sheet];
    for (int64_t c = 0; c < size; c++) out[c] *= cells[from][c];
    return out;
}

/* From the sums of A those of R, in place. */
static void sum_rows(double *sums, int64_t rows, int64_t length) {
    for (int64_t o = 0; o < rows; o++) {
        double total = 0.0;
        for (int64_t j = 0; j < length; j++) total += sums[o * length + j];
        sums[o] = total;
    }
}

/* Collect the sums of a clique in its separator (``into``) or, where ``into`` is NULL, in the marginals of its tables. */
static void collect_all(const Plan *p, int64_t clique, double *into) {
    static const int64_t order[SHEETS] = {LEFT, ROWS, RIGHT, BOTH}; /* R's sums come from A's */
    int64_t there = -1;
    for (int64_t s = 0; s < SHEETS; s++) {
        const int64_t which = order[s], sheet = p->sheet[clique] + which;
        for (int64_t f = p->sheet_start[sheet]; f < p->sheet_start[sheet + 1]; f++) {
            const int64_t table = p->sheet_table[f];
            if ((table < 0) != (into != NULL)) continue;
            if (there != which) {
                if (which != ROWS || there != LEFT) summed(p, clique, which);
                if (which == ROWS) sum_rows(p->products, p->groups[clique] * p->rows[clique], p->breadth[clique]);
                there = which;
            }
            collect(p, sheet, f, p->products, into ? into : p->marginal + p->table_start[table]);
        }
    }
}

static void scale_separator(const Plan *p, int64_t clique, double *ratio) {
    for (int64_t which = 0; which < SHEETS; which++) {
        const int64_t sheet = p->sheet[clique] + which;
        for (int64_t f = p->sheet_start[sheet]; f < p->sheet_start[sheet + 1]; f++) {
            if (p->sheet_table[f] >= 0) continue;
            if (which != ROWS) {
                multiply(p, sheet, f, p->cells + p->sheet_cells[sheet], ratio);
                continue;
            }
            const int64_t rows = p->groups[clique] * p->rows[clique], j = p->breadth[clique];
            double *level = p->cells + p->sheet_cells[sheet], *left = p->cells + p->sheet_cells[sheet + 1];
            for (int64_t o = 0; o < rows; o++) level[o] = 1.0;
            multiply(p, sheet, f, level, ratio);
            for (int64_t o = 0; o < rows; o++)
                for (int64_t c = o * j; c < (o + 1) * j; c++) left[c] *= level[o];
        }
    }
}

static void merge_factors(const Plan *p, int64_t clique) {
    for (int64_t m = p->merge_start[clique]; m < p->merge_start[clique + 1]; m++) {
        const int64_t into = p->merge_into[m], cells = p->table_start[into + 1] - p->table_start[into];
        const double *from = p->effective + p->table_start[p->merge_from[m]];
        double *to = p->effective + p->table_start[into];
        const int32_t *map = p->map + p->merge_map[m];
        for (int64_t k = 0; k < cells; k++) to[k] += from[map[k]];
    }
}

static void split_marginals(const Plan *p, int64_t clique) {
    for (int64_t m = p->merge_start[clique + 1] - 1; m >= p->merge_start[clique]; m--) {
        const int64_t into = p->merge_into[m], cells = p->table_start[into + 1] - p->table_start[into];
        double *to = p->marginal + p->table_start[p->merge_from[m]];
        const double *from = p->marginal + p->table_start[into];
        const int32_t *map = p->map + p->merge_map[m];
        for (int64_t k = 0; k < cells; k++) to[map[k]] += from[k];
    }
}

/* Sum out a clique with the log-sums of the last time as the shift; where that is no good, with its own maxima. */
static void sum_out(const Plan *p, int64_t clique, int what) {
    const int64_t start = p->sep_start[clique], cells = p->sep_start[clique + 1] - start;
    double *shift = p->shift + start, *sum = p->sum + start, *negative = p->ratio + start;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (attempt || shift[0] == HUGE_VAL) {
            for (int64_t k = 0; k < cells; k++) negative[k] = 0.0, shift[k] = -1e300;
            pass(p, clique, negative, shift, LARGEST);
            attempt = 1;
        }
        for (int64_t k = 0; k < cells; k++) negative[k] = -shift[k], sum[k] = 0.0;
        if (what == ROOT)
            memset(p->marginal + p->table_start[p->clique_tables[clique]], 0,
                   (size_t)(p->table_start[p->clique_tables[clique + 1]] - p->table_start[p->clique_tables[clique]]) * 8);
        p->slow[clique] = p->sheet[clique] < 0 || !fill(p, clique, negative);
        if (p->slow[clique])
            pass(p, clique, negative, sum, what);
        else {
            collect_all(p, clique, sum);
            if (what == ROOT) collect_all(p, clique, NULL);
        }
        int good = 1;
        for (int64_t k = 0; k < cells; k++) good &= sum[k] > 1e-200 && sum[k] < 1e200;
        if (good) break;
    }
    for (int64_t k = 0; k < cells; k++) p->message[start + k] = shift[k] + log(sum[k]);
}

/* Marginals of every table of the plan at the present potentials (GraphicalModel.belief_propagation of dpmm). */
void propagate(const Plan *p) {
    memcpy(p->effective, p->potential, (size_t)p->table_start[p->tables] * sizeof(double));
    for (int64_t clique = p->cliques - 1; clique > 0; clique--) {
        merge_factors(p, clique);
        sum_out(p, clique, UPWARD);
        const int64_t start = p->sep_start[clique], cells = p->sep_start[clique + 1] - start;
        double *to = p->effective + p->table_start[p->sep_table[clique]];
        for (int64_t k = 0; k < cells; k++) to[k] += p->message[start + k];
    }
    merge_factors(p, 0);
    sum_out(p, 0, ROOT);
    const double scale = p->total / p->sum[0];
    for (int64_t k = p->table_start[0]; k < p->table_start[p->clique_tables[1]]; k++) p->marginal[k] *= scale;
    p->ratio[0] = log(p->total) - p->message[0];
    split_marginals(p, 0);
    for (int64_t clique = 1; clique < p->cliques; clique++) {
        const int64_t start = p->sep_start[clique], cells = p->sep_start[clique + 1] - start;
        const int64_t first = p->table_start[p->clique_tables[clique]], end = p->table_start[p->clique_tables[clique + 1]];
        const double *above = p->marginal + p->table_start[p->sep_table[clique]];
        double *ratio = p->ratio + start;
        for (int64_t k = 0; k < cells; k++)
            ratio[k] = p->kept[clique] >= 0 || !p->slow[clique]
                           ? above[k] / p->sum[start + k]
                           : (above[k] > 0 ? log(above[k]) : -1e5) - p->message[start + k];
        memset(p->marginal + first, 0, (size_t)(end - first) * sizeof(double));
        if (p->slow[clique])
            pass(p, clique, ratio, NULL, DOWNWARD);
        else {
            scale_separator(p, clique, ratio);
            collect_all(p, clique, NULL);
        }
        split_marginals(p, clique);
    }
    for (int64_t k = 0; k < p->sep_start[p->cliques]; k++) p->shift[k] = p->message[k];
}

/* All cells of one clique after propagate. */
void write_clique(const Plan *p, int64_t clique, double *out) {
    const int64_t start = p->sep_start[clique], cells = p->sep_start[clique + 1] - start;
    double *ratio = p->ratio + start;
    if (clique) {
        const double *above = p->marginal + p->table_start[p->sep_table[clique]];
        for (int64_t k = 0; k < cells; k++)
            ratio[k] = (above[k] > 0 ? log(above[k]) : -1e5) - p->message[start + k];
    } else
        ratio[0] = log(p->total) - p->message[0];
    pass(p, clique, ratio, out, WRITE);
}

static double loss(const Plan *p) {
    double sum = 0.0;
    memset(p->gradient, 0, (size_t)p->table_start[p->tables] * sizeof(double));
    for (int64_t m = 0; m < p->measurements; m++) {
        const int64_t start = p->table_start[p->measured[m]], cells = p->table_start[p->measured[m] + 1] - start;
        const double *answer = p->answers + p->answer_start[m], *scale = p->scale + p->answer_start[m];
        double squares = 0.0;
        for (int64_t k = 0; k < cells; k++) {
            const double difference = scale[k] * p->marginal[start + k] - answer[k];
            squares += difference * difference;
            p->gradient[start + k] += p->weight[m] * scale[k] * difference;
        }
        sum += 0.5 * p->weight[m] * squares;
    }
    return sum;
}

/* FactoredInference.mirror_descent of dpmm with its line search; returns the last loss, counts propagations. */
double descend(const Plan *p, int64_t iterations, int64_t *propagations) {
    const int64_t cells = p->table_start[p->tables];
    double *from = malloc((size_t)cells * 3 * sizeof(double)), *before = from + cells, *slope = before + cells;
    propagate(p);
    *propagations = 1;
    const double start = loss(p);
    double now = start, alpha = 1.0 / (p->total * p->total);
    for (int64_t t = 0; t < iterations && start != 0.0; t++) {
        memcpy(from, p->potential, (size_t)cells * sizeof(double));
        memcpy(before, p->marginal, (size_t)cells * sizeof(double));
        memcpy(slope, p->gradient, (size_t)cells * sizeof(double));
        const double current = now;
        alpha *= 2.0;
        for (int halving = 0; halving < 25; halving++) {
            for (int64_t k = 0; k < cells; k++) p->potential[k] = from[k] - alpha * slope[k];
            propagate(p);
            ++*propagations;
            now = loss(p);
            double gain = 0.0;
            for (int64_t k = 0; k < cells; k++) gain += slope[k] * (before[k] - p->marginal[k]);
            if (current - now >= 0.5 * alpha * gain) break;
            alpha *= 0.5;
        }
    }
    free(from);
    return now;
}
