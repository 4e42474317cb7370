/* SPDX-License-Identifier: MIT */
#include "layout_internal.h"
bool layout_isf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view) { (void)layout; (void)name; (void)len; (void)ret_view; return false; }
bool layout_isf_next(struct layout_walk *walk) { (void)walk; return false; }
size_t layout_isf_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max) { (void)layout; (void)name; (void)names; (void)max; return 0; }
bool layout_isf_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva) { (void)layout; (void)symbol; (void)ret_rva; return false; }
void layout_isf_close(struct stasis_layout *layout) { (void)layout; }
enum stasis_status stasis_layout_open_isf(const char *path, struct stasis_layout **ret_layout, struct stasis_error *err)
{ (void)path; (void)ret_layout; if (err) { err->status = STASIS_UNSUPPORTED; err->text[0] = '\0'; } return STASIS_UNSUPPORTED; }
