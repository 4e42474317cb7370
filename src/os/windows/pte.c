/* SPDX-License-Identifier: MIT */
/*
 * The forms of entries, as tables. Members and their places come from the layout (_MMPTE_*). What is not in any PDB:
 *
 *   - A zero PageFileHigh is demand-zero; all ones mean that the VADs must tell (MI_PTE_LOOKUP_NEEDED); protection 0x10
 *     alone is decommitted (MM_DECOMMIT). Windows Research Kernel, mi.h, mi386.h, miamd.h.
 *   - x86 without PAE: ProtoAddressLow and -High are the address, less its base, from bit 2 on, split at bit 9 (10
 *     since Vista). The base is MmPagedPoolStart (Windows Research Kernel, MiPteToProto), since Vista 0x80000000
 *     (MemProcFS, mm_win.c).
 *   - SwizzleBit: clear where InvalidPteMask was put in. MemProcFS, mm_win.c.
 *   - 22621 and later have prototype entries of mapped files that are the subsection's address as it is (MemProcFS). As
 *     a page-file entry that would be page 0xffff8000 and above, which no page file has.
 */
#include "pte.h"

#include <string.h>

#define DECOMMITTED 0x10u
#define SUBSECTION_AS_IT_IS UINT64_C(0xffff800000000000)
#define PROTOTYPE_BASE_VISTA 0x80000000u
#define PROTOTYPE_LOW_SHIFT 2

static const struct {
        enum pte_form form;
        const char *path;
} member_rows[PTE_MEMBERS] = {
        [HARDWARE_FRAME] = { PTE_HARDWARE, "_MMPTE_HARDWARE.PageFrameNumber" },
        [TRANSITION_FRAME] = { PTE_TRANSITION, "_MMPTE_TRANSITION.PageFrameNumber" },
        [TRANSITION_PROTECTION] = { PTE_TRANSITION, "_MMPTE_TRANSITION.Protection" },
        [TRANSITION_SWIZZLE] = { PTE_TRANSITION, "_MMPTE_TRANSITION.SwizzleBit" },
        [PROTOTYPE_ADDRESS] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.ProtoAddress" },
        [PROTOTYPE_LOW] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.ProtoAddressLow" },
        [PROTOTYPE_HIGH] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.ProtoAddressHigh" },
        [PROTOTYPE_READ_ONLY] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.ReadOnly" },
        [PROTOTYPE_PROTECTION] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.Protection" },
        [PROTOTYPE_SWIZZLE] = { PTE_PROTOTYPE, "_MMPTE_PROTOTYPE.SwizzleBit" },
        [SOFTWARE_TRANSITION] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.Transition" },
        [SOFTWARE_PROTOTYPE] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.Prototype" },
        [SOFTWARE_PROTECTION] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.Protection" },
        [SOFTWARE_LOW] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.PageFileLow" },
        [SOFTWARE_HIGH] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.PageFileHigh" },
        [SOFTWARE_IN_STORE] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.InStore" },
        [SOFTWARE_SWIZZLE] = { PTE_SOFTWARE, "_MMPTE_SOFTWARE.SwizzleBit" },
        [SUBSECTION_ADDRESS] = { PTE_SUBSECTION, "_MMPTE_SUBSECTION.SubsectionAddress" },
        [SUBSECTION_LOW] = { PTE_SUBSECTION, "_MMPTE_SUBSECTION.SubsectionAddressLow" },
        [SUBSECTION_HIGH] = { PTE_SUBSECTION, "_MMPTE_SUBSECTION.SubsectionAddressHigh" },
        [SUBSECTION_PROTECTION] = { PTE_SUBSECTION, "_MMPTE_SUBSECTION.Protection" },
        [SUBSECTION_SWIZZLE] = { PTE_SUBSECTION, "_MMPTE_SUBSECTION.SwizzleBit" },
};

static const char *const form_names[PTE_FORMS] = {
        [PTE_HARDWARE] = "_MMPTE_HARDWARE",     [PTE_TRANSITION] = "_MMPTE_TRANSITION",
        [PTE_PROTOTYPE] = "_MMPTE_PROTOTYPE",   [PTE_SOFTWARE] = "_MMPTE_SOFTWARE",
        [PTE_SUBSECTION] = "_MMPTE_SUBSECTION",
};

/* ---------------------------------------------------------------- binding */

/*
 * PDBs of x86 before 8 are those of the kernel without PAE, with entries of four bytes (7601.24000 is the one of the
 * other kernel), and NT 4.0 and 2000 have none. Eight-byte entries kept one form until 2018: that of 7601.24000 agrees
 * in what is bound here with the Windows Research Kernel's (mi386.h, _X86PAE_).
 */
static const struct {
        uint8_t entry_size;
        bool before_vista; /* ProtoAddressLow has seven bits */
        const char *layout;
} lenders[] = {
        { 8, false, "6.1.7601.24000-x86" },
        { 4, true, "5.1.2600.2180-x86" },
        { 4, false, "6.1.7601.23418-x86" },
};

static const struct stasis_layout *lender(const struct stasis_layout *layout, uint8_t entry_size)
{
        bool before_vista = stasis_layout_sizeof(layout, "_MMPTE_SOFTWARE") == 0; /* NT 4.0 and 2000 */
        for (size_t i = 0; i < sizeof lenders / sizeof *lenders; i++)
                if (lenders[i].entry_size == entry_size && (entry_size == 8 || lenders[i].before_vista == before_vista))
                        return stasis_layout_by_name(lenders[i].layout);
        return NULL;
}

void pte_bind(const struct stasis_layout *layout, uint8_t entry_size, struct pte_forms *ret_forms)
{
        struct stasis_member m;
        *ret_forms = (struct pte_forms){ 0 };
        if (stasis_layout_sizeof(layout, "_MMPTE_SOFTWARE") != entry_size) {
                layout = stasis_layout_pointer_size(layout) == 4 ? lender(layout, entry_size) : NULL;
                ret_forms->lent = true;
        }
        if (!layout)
                return;
        for (size_t i = 0; i < PTE_MEMBERS; i++) /* the width of a member of ISF may be told of a part of the word */
                if (stasis_layout_member(layout, member_rows[i].path, &m) && m.bits && m.offset < entry_size &&
                    8 * m.offset + m.bit + m.bits <= 8u * entry_size)
                        ret_forms->bits[i] = (struct pte_bits){ (uint8_t)(8 * m.offset + m.bit), m.bits };
        if (!ret_forms->bits[SOFTWARE_HIGH].len || !ret_forms->bits[TRANSITION_FRAME].len ||
            !ret_forms->bits[SOFTWARE_PROTOTYPE].len || !ret_forms->bits[SOFTWARE_TRANSITION].len)
                return;
        ret_forms->entry_size = entry_size;
        ret_forms->origin = stasis_layout_name(layout);
        ret_forms->mask_known = !pte_swizzles(ret_forms);
        ret_forms->prototype_base = PROTOTYPE_BASE_VISTA;
}

/* ---------------------------------------------------------------- reading */

static uint64_t get(const struct pte_forms *forms, enum pte_member member, uint64_t value)
{
        struct pte_bits bits = forms->bits[member];
        return bits.len ? value >> bits.at & (bits.len >= 64 ? UINT64_MAX : (UINT64_C(1) << bits.len) - 1) : 0;
}

static bool all_ones(const struct pte_forms *forms, enum pte_member member, uint64_t value)
{
        struct pte_bits bits = forms->bits[member];
        return bits.len && bits.len < 64 && get(forms, member, value) == (UINT64_C(1) << bits.len) - 1;
}

/* The two forms of an address in an entry: whole, or in two parts beside the bits that every form has. */
static uint64_t address_of(const struct pte_forms *forms, enum pte_member whole, uint64_t value)
{
        struct pte_bits bits = forms->bits[whole], low = forms->bits[whole + 1];
        uint64_t address = get(forms, whole, value);
        if (!bits.len)
                return forms->prototype_base + (get(forms, whole + 1, value) << PROTOTYPE_LOW_SHIFT) +
                       (get(forms, whole + 2, value) << (PROTOTYPE_LOW_SHIFT + low.len));
        if (bits.len < 64 && bits.len > 32 && address >> (bits.len - 1)) /* 64-bit addresses keep their sign */
                address |= UINT64_MAX << bits.len;
        return address;
}

/* The swizzle is the same in all forms: clear, and the mask was put in. Zero was never touched. */
static uint64_t unswizzle(const struct pte_forms *forms, uint64_t value, bool *ret_doubtful)
{
        *ret_doubtful = false;
        if (!pte_swizzles(forms) || !value || get(forms, SOFTWARE_SWIZZLE, value))
                return value;
        *ret_doubtful = !forms->mask_known;
        return forms->mask_known ? value & ~forms->invalid_mask : value;
}

static struct pte_meaning read_software(const struct pte_forms *forms, struct pte_meaning m)
{
        uint64_t protection = get(forms, SOFTWARE_PROTECTION, m.value);
        m.form = PTE_SOFTWARE;
        m.page = get(forms, SOFTWARE_HIGH, m.value);
        m.pagefile = (uint32_t)get(forms, SOFTWARE_LOW, m.value);
        if (m.page)
                m.kind = PTE_IS_PAGEFILE;
        else
                m.kind = protection == DECOMMITTED ? PTE_IS_DECOMMITTED : PTE_IS_DEMAND_ZERO;
        return m;
}

static struct pte_meaning read_prototype(const struct pte_forms *forms, struct pte_meaning m, bool prototype)
{
        m.form = prototype ? PTE_SUBSECTION : PTE_PROTOTYPE;
        if (prototype) {
                m.kind = PTE_IS_SUBSECTION;
                m.address = address_of(forms, SUBSECTION_ADDRESS, m.value);
                return m;
        }
        m.kind = all_ones(forms, SOFTWARE_HIGH, m.value) ? PTE_IS_LOOKUP : PTE_IS_PROTOTYPE;
        if (m.kind == PTE_IS_LOOKUP)
                m.doubtful = false;
        else
                m.address = address_of(forms, PROTOTYPE_ADDRESS, m.value);
        return m;
}

struct pte_meaning pte_read(const struct pte_forms *forms, uint64_t value, bool prototype)
{
        struct pte_meaning m = { .kind = PTE_IS_ZERO, .form = PTE_SOFTWARE, .value = value };
        if (!value)
                return m;
        m.kind = PTE_IS_UNKNOWN;
        if (!forms->entry_size)
                return m;
        if (value & 1) {
                m.kind = PTE_IS_VALID;
                m.form = PTE_HARDWARE;
                m.frame = get(forms, HARDWARE_FRAME, value);
                return m;
        }
        if (prototype && forms->bits[SUBSECTION_ADDRESS].len > 32 && value >= SUBSECTION_AS_IT_IS && value % 16 == 0) {
                m.kind = PTE_IS_SUBSECTION;
                m.form = PTE_FORMS;
                m.address = value;
                return m;
        }
        m.value = unswizzle(forms, value, &m.doubtful);
        if (get(forms, SOFTWARE_PROTOTYPE, m.value))
                return read_prototype(forms, m, prototype);
        if (!get(forms, SOFTWARE_TRANSITION, m.value))
                return read_software(forms, m);
        m.kind = PTE_IS_TRANSITION;
        m.form = PTE_TRANSITION;
        m.frame = get(forms, TRANSITION_FRAME, m.value);
        return m;
}

void pte_show(const struct pte_forms *forms, const struct pte_meaning *meaning, struct stasis_pte *ret_pte)
{
        ret_pte->form = NULL;
        ret_pte->member_count = 0;
        if (meaning->kind == PTE_IS_ZERO || meaning->kind == PTE_IS_UNKNOWN || meaning->form == PTE_FORMS)
                return;
        ret_pte->form = form_names[meaning->form];
        for (int i = 0; i < PTE_MEMBERS && ret_pte->member_count < STASIS_PTE_MEMBERS_MAX; i++) {
                if (member_rows[i].form != meaning->form || !forms->bits[i].len)
                        continue;
                ret_pte->member[ret_pte->member_count].name = strchr(member_rows[i].path, '.') + 1;
                ret_pte->member[ret_pte->member_count++].value = get(forms, (enum pte_member)i, meaning->value);
        }
}
