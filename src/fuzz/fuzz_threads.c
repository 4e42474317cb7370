/* SPDX-License-Identifier: MIT */
/* A tiny system with patched memory, as a raw image. */
#include "fuzz_system.h"

RAW_TARGET(tiny_ready)
