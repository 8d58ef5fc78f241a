/*
 * UMAP: points of many dimensions laid out in two, so that neighbours stay neighbours.
 *
 *   float *y;                                                       // [n,2]
 *   gv_umap_params p = { .n_neighbors = 15, .min_dist = 0.1, .seed = 42 };
 *   if (gv_umap(x, n, d, &p, &arena, &y, &err) < 0) …               // x [n,d], row-major
 *
 * The same numbers give the same bytes with any number of threads on one kind of processor: nothing is keyed by thread, and sums
 * are taken in fixed pieces. What the functions return lives in the arena; they also put their working memory there (and give it back).
 * The parts can be called one by one: neighbours, graph, start, layout.
 *
 * Source: McInnes, Healy & Melville 2018, arXiv:1802.03426; constants as in umap-learn 0.5.
 */
#ifndef GV_UMAP_UMAP_H
#define GV_UMAP_UMAP_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    GV_UMAP_EXACT_LIMIT = 100000, /* above: neighbours by descent */
    GV_UMAP_NEGATIVES = 5,        /* negative samples of each positive one */
};

/* How far a long step is, 0 to 1; NULL: nobody asks. Called from the calling thread alone. */
typedef struct gv_umap_progress {
    void (*tell)(void *arg, const char *what, double share);
    void *arg;
} gv_umap_progress;

typedef struct gv_umap_params {
    int64_t n_neighbors;  /* the point itself counts, as in umap-learn; more than n are taken as n */
    double min_dist;
    uint64_t seed;
    int64_t epochs;       /* 0: 500 up to 10,000 points, 200 beyond */
    int64_t exact_limit;  /* 0: GV_UMAP_EXACT_LIMIT; above this many points neighbours come from descent */
    gv_umap_progress progress;
} gv_umap_params;

/* The k nearest of each point but itself, nearest first; equal distances by index. */
typedef struct gv_knn {
    int64_t n;
    int k;
    int32_t *index;  /* [n,k] */
    float *distance; /* [n,k], Euclidean */
} gv_knn;

/* Exact: products of blocks (bf16 where the processor multiplies them) choose candidates, distances are then computed from differences, and
 * points whose candidates are not proven to hold all neighbours are done again in float. From 16,384 points of 512 numbers on candidates come from main
 * directions and are checked on a sample: of Fashion-MNIST 5 of 28,000 neighbours were missed. 0 < k < n. */
int gv_knn_exact(const float *x, int64_t n, int64_t d, int k, const gv_umap_progress *progress, gv_arena *arena, gv_knn *out, gv_err *err) GV_MUST_USE;
/* Approximate, for many points: trees of random planes, then neighbours of neighbours until few change. Source: Dong, Charikar & Li 2011. */
int gv_knn_descent(const float *x, int64_t n, int64_t d, int k, uint64_t seed, const gv_umap_progress *progress, gv_arena *arena, gv_knn *out, gv_err *err) GV_MUST_USE;

/* A symmetric weighted graph by rows. */
typedef struct gv_umap_graph {
    int64_t n, edges;  /* each edge counts twice, once in each of its rows */
    int64_t *row;      /* [n + 1] */
    int32_t *col;      /* [edges], ascending in a row */
    float *weight;     /* (0, 1] */
} gv_umap_graph;

/* Membership strengths: sigma[n], rho[n] of the points, then the fuzzy union of both directions. */
void gv_umap_smooth(const gv_knn *knn, float *sigma, float *rho);
int gv_umap_graph_make(const gv_knn *knn, gv_arena *arena, gv_umap_graph *out, gv_err *err) GV_MUST_USE;
/* Numbers the connected parts: component[n] from 0 in the order of their first points. Returns how many there are, or < 0. */
int64_t gv_umap_components(const gv_umap_graph *g, int32_t *component, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* 1 / (1 + a x^(2b)) that is nearest to 1 below min_dist and exp(-(x - min_dist) / spread) beyond. */
void gv_umap_curve(double min_dist, double spread, double *a, double *b);

/* The start: eigenvectors 2 and 3 of the graph's normalised Laplacian, each connected part by itself, parts beside each other; axes of length 10. */
int gv_umap_spectral(const gv_umap_graph *g, uint64_t seed, gv_arena *arena, float *y, gv_err *err) GV_MUST_USE;
/* Moves y [n,2] for so many epochs. Edges too light to be sampled once are left out. */
int gv_umap_layout(const gv_umap_graph *g, double a, double b, int64_t epochs, uint64_t seed, const gv_umap_progress *progress, gv_arena *arena, float *y, gv_err *err) GV_MUST_USE;

/* All of it. x must be finite. n from 1. */
int gv_umap(const float *x, int64_t n, int64_t d, const gv_umap_params *p, gv_arena *arena, float **y, gv_err *err) GV_MUST_USE;
/* Bytes that an arena for gv_umap (and the quality of its result) should have. */
size_t gv_umap_room(int64_t n, int64_t d, int64_t n_neighbors);

/* How good a layout is. Trustworthiness: 1 when all of the k nearest in y are among the k nearest in x, less by how far they are down the order of x.
 * Recall: the share of the k nearest in x that are among the k nearest in y. n^2 distances; k < n / 2.
 * Source: Venna & Kaski 2001. */
typedef struct gv_umap_quality { double trustworthiness, recall; } gv_umap_quality;
int gv_umap_quality_of(const float *x, int64_t n, int64_t d, const float *y, int k, gv_arena *arena, gv_umap_quality *q, gv_err *err) GV_MUST_USE;

#endif
