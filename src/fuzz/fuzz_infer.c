/* SPDX-License-Identifier: MIT */
/* A tiny system with patched memory, as a raw image, read with a layout that is inferred from it. */
#define SYSTEM_OPTIONS .infer_layout = true,
#include "fuzz_system.h"

RAW_TARGET(tiny_ready)
