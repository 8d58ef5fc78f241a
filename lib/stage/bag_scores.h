/*
 * The attention of bags as a table: id, instance, x, y, score, and with several branches a column of scores for each class.
 *
 *   gv_bag_scores t;
 *   gv_bag_scores_open(&t, "attention.csv", names, classes, &err);
 *   gv_bag_scores_add(&t, id, &record, &err);       // a prediction with logits, attention [branches,n], coords [n,2] where there are some
 *   gv_bag_scores_close(&t, true, &err);            // false: nothing appears
 *
 * score is the attention of the branch whose class was answered; the scores of a bag add up to 1 in each branch. x and y are empty without coords.
 */
#ifndef GV_STAGE_BAG_SCORES_H
#define GV_STAGE_BAG_SCORES_H

#include "common/file.h"
#include "stream/stream.h"

typedef struct gv_bag_scores {
    gv_out out;
    gv_buf rows;
    const char *const *names; /* of classes, NULL-terminated, or NULL */
    int64_t branches;         /* 0: no bag yet */
} gv_bag_scores;

int gv_bag_scores_open(gv_bag_scores *t, const char *path, gv_err *err) GV_MUST_USE;
int gv_bag_scores_add(gv_bag_scores *t, const char *id, const gv_record *rec, gv_err *err) GV_MUST_USE;
int gv_bag_scores_close(gv_bag_scores *t, bool good, gv_err *err) GV_MUST_USE;
/* A cell of a CSV file, quoted where it must be. */
int gv_csv_text(gv_buf *b, const char *s, gv_err *err) GV_MUST_USE;

#endif
