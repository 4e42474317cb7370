/* SPDX-License-Identifier: MIT */
/* What the kernel's list of resources looks like in memory, in every build of x86. */
#ifndef STASIS_FORMATS_RESOURCE_WIRE_H
#define STASIS_FORMATS_RESOURCE_WIRE_H

#include <stdint.h>

/*
 * struct resource (Linux include/linux/ioport.h): start, end, name, flags, desc, parent, sibling, child. Addresses are
 * phys_addr_t, which with PAE is wider than a pointer. desc, and a flag of its own for RAM, came with 4.6.
 */
#define RESOURCE_RAM 0x81000200U   /* IORESOURCE_BUSY | IORESOURCE_SYSTEM_RAM, which is SYSRAM | MEM */
#define RESOURCE_TAKEN 0x80000200U /* IORESOURCE_BUSY | IORESOURCE_MEM */

static const struct resource_build {
        uint32_t flags_value;
        uint8_t address_size, pointer_size, name, flags, parent; /* start is at 0, end behind it */
} resource_builds[] = {
        { RESOURCE_RAM, 8, 8, 16, 24, 40 },   { RESOURCE_RAM, 8, 4, 16, 20, 28 },   { RESOURCE_RAM, 4, 4, 8, 12, 20 },
        { RESOURCE_TAKEN, 8, 8, 16, 24, 32 }, { RESOURCE_TAKEN, 8, 4, 16, 20, 24 }, { RESOURCE_TAKEN, 4, 4, 8, 12, 16 },
};
#define RESOURCE_BUILDS (sizeof resource_builds / sizeof *resource_builds)

#endif
