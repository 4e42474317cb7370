/* SPDX-License-Identifier: MIT */
/* A tiny system in which threads wait for each other: see tiny_waits.c. */
#ifndef STASIS_TEST_TINY_WAITS_H
#define STASIS_TEST_TINY_WAITS_H

#include "tiny_objects.h"

/* Makes the objects too. */
void tiny_waits(struct tiny *t);

#endif
