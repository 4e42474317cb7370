/* SPDX-License-Identifier: MIT */
/*
 * What is worth a second look about a thread: notes with their reason, never verdicts. Made once, when the thread is
 * decoded for the first time, of facts that the record has anyway; a check whose facts are absent says nothing.
 * docs/NOTES.md lists them.
 */
#ifndef STASIS_OS_WINDOWS_CHECKS_H
#define STASIS_OS_WINDOWS_CHECKS_H

#include "derive.h"

void thread_checks(struct decode *d);
/* Code of check i, NULL past the last; and what must be known for it. */
const char *thread_check_at(size_t index, enum stasis_severity *ret_severity, const char **ret_needs);

#endif
