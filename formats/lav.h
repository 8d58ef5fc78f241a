/* FFmpeg's libraries, kept quiet: what they would print to stderr goes to our log (debug), and the last complaint of a thread
 * can be put into a message. */
#ifndef GV_FORMATS_LAV_H
#define GV_FORMATS_LAV_H

/* Take over the libraries' log, once per process; and forget this thread's last complaint. */
void gv_lav_quiet(void);
/* The last error or warning the libraries gave in this thread since gv_lav_quiet, cleaned of control characters; "" if there was none. */
const char *gv_lav_last(void);
/* " (the text)", or "" when there is none: for the end of a message. */
const char *gv_lav_why(int code);

#endif
