/* SPDX-License-Identifier: MIT */
/*
 * stasis: from the static image of a dead machine to every thread of the system that was running.
 *
 * Conventions that hold for every function here
 *   - What can fail returns enum stasis_status; outputs come last, are named ret_ and stay untouched on failure.
 *   - struct stasis_error lives on the caller's stack, owns nothing, and may be NULL ("do not format a text").
 *   - pa is a physical address, va a virtual one, off an offset in the file; lengths are len (bytes) or
 *     count (elements).
 *   - Handles come in _open/_close pairs, and _close takes NULL. Everything else is borrowed from its handle.
 *   - The library never prints, never exits, and never aborts on what it reads.
 *   - An opened image never changes and may be shared by threads; a system handle and what hangs on it belong to one
 *     thread at a time.
 */
#ifndef STASIS_H
#define STASIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STASIS_VERSION "0.1.0"

#if defined(__GNUC__)
#define STASIS_API __attribute__((visibility("default")))
#define STASIS_MUST_CHECK __attribute__((warn_unused_result))
#define STASIS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define STASIS_API
#define STASIS_MUST_CHECK
#define STASIS_PRINTF(f, a)
#endif

/* ---------------------------------------------------------------- status */

enum stasis_status {
        STASIS_OK,
        STASIS_ABSENT,      /* what was asked for is not there (a page, a symbol, a list entry) */
        STASIS_CORRUPT,     /* the input contradicts itself */
        STASIS_UNSUPPORTED, /* understood, and not served by this version */
        STASIS_LIMIT,       /* a bound of ours was reached */
        STASIS_IO,          /* the operating system said no */
        STASIS_NOMEM,
        STASIS_USAGE /* the caller asked for something that makes no sense */
};

struct stasis_error {
        enum stasis_status status;
        char text[256]; /* one line, no full stop, always terminated */
};

STASIS_API const char *stasis_status_name(enum stasis_status status);

struct stasis_bytes {
        const uint8_t *at;
        size_t len;
};

/* ---------------------------------------------------------------- image */

struct stasis_image;

struct stasis_image_options {
        /*
         * Name of a reader ("raw", "elf", "kdump", "dmp", "lime"), which then reads the file as it is; or NULL: the
         * best bid wins, and a file that is compressed or an archive is opened as what it holds.
         */
        const char *format;
        const char *tmp;    /* folder for what must be unpacked; NULL: $TMPDIR, else /var/tmp */
        uint64_t tmp_limit; /* bytes that may be unpacked; 0: 64 GiB */
        void (*progress)(void *ctx, const char *what, uint64_t done,
                         uint64_t total); /* NULL, or called while unpacking */
        void *progress_ctx;
        /*
         * NULL, or gives an open, empty, writable file for what must be unpacked, instead of one in tmp; it is the
         * image's from then on. -1: there is none, and errno says why. At most twice an image.
         */
        int (*tmp_file)(void *ctx);
        void *tmp_file_ctx;
        /*
         * NULL, or is shown all bytes of the image's files, unpacked, in order and piece by piece, before any reader
         * looks at them: to know a file again by a digest of what it holds. At last len is 0.
         */
        void (*contents)(void *ctx, const void *at, size_t len);
        void *contents_ctx;
};

#define STASIS_MEMBERS_MAX 2 /* an archive in an archive; what that holds is not opened */

/* A file that is open, for a process that may not open any. */
struct stasis_file {
        int fd;           /* the library's with the call, also where it fails */
        const char *name; /* for messages */
        /* Which member of the archive that it is, from the outside in; NULL: the only one. */
        const char *member[STASIS_MEMBERS_MAX];
};

/* A compressed file or an archive that the image was in. */
struct stasis_container {
        const char *
                kind; /* "gzip", "xz", "zstd", "bzip2", "lz4", "zip", "tar" or "7z"; static. "gzip" also of a .tar.gz */
        const char *member; /* its name there; NULL: of a compressed file, which names none */
        uint64_t size;      /* of the container in bytes */
        uint64_t off;    /* where in it the member begins, if it lies there as it is; STASIS_NOWHERE: it was unpacked */
        uint64_t blocks; /* not 0: nor was it unpacked; so many compressed blocks are unpacked one by one when asked */
};

/* One contiguous piece of physical memory held by the file. Sorted by pa, never overlapping, never empty. */
struct stasis_run {
        uint64_t pa, len, off;
};

/*
 * A piece that the file declares and does not hold, and why. filtered: it was left out on purpose when the file was
 * made (pages that makedumpfile filtered out); else it is missing (cut tail, p_filesz < p_memsz, ...).
 */
struct stasis_gap {
        uint64_t pa, len;
        const char *why; /* static or owned by the image */
        bool filtered;
};

/* A piece of data beside the memory that the file carries (a .dmp's secondary data); it lies inside the file. */
struct stasis_blob {
        uint8_t guid[16]; /* as Windows keeps it: the first three parts little-endian */
        uint64_t off, len;
};

enum stasis_machine { STASIS_MACHINE_UNKNOWN, STASIS_MACHINE_X86, STASIS_MACHINE_X64, STASIS_MACHINE_ARM64 };

/* Which members of struct stasis_hints / stasis_cpu a reader really found; absent is not zero. */
enum stasis_hint {
        STASIS_HINT_MACHINE = 1 << 0,
        STASIS_HINT_PAE = 1 << 1,
        STASIS_HINT_ROOT = 1 << 2,
        STASIS_HINT_KDBG = 1 << 3,
        STASIS_HINT_PROCESS_HEAD = 1 << 4,
        STASIS_HINT_MODULE_HEAD = 1 << 5,
        STASIS_HINT_PFN_DATABASE = 1 << 6,
        STASIS_HINT_BUILD = 1 << 7,
        STASIS_HINT_PROCESSORS = 1 << 8,
        STASIS_HINT_BUGCHECK = 1 << 9,
        STASIS_HINT_SYSTEM_TIME = 1 << 10,
        STASIS_HINT_UP_TIME = 1 << 11,
        STASIS_HINT_DUMP_TYPE = 1 << 12,
        STASIS_HINT_PRODUCT_TYPE = 1 << 13,
        STASIS_HINT_SUITE_MASK = 1 << 14,
        STASIS_HINT_CONTEXT = 1 << 15,
        STASIS_HINT_EXCEPTION = 1 << 16,
        STASIS_HINT_VMCOREINFO = 1 << 17,
        STASIS_HINT_COMMENT = 1 << 18,
        STASIS_HINT_THREAD = 1 << 19,
        STASIS_HINT_PROCESS = 1 << 20,
        STASIS_HINT_PRCB = 1 << 21,
        STASIS_HINT_STACK = 1 << 22,
        STASIS_HINT_DRIVERS = 1 << 23,
        STASIS_HINT_DUMP_LEVEL = 1 << 24,
        STASIS_HINT_UNLOADED = 1 << 25,
        STASIS_HINT_BROKEN_DRIVER = 1 << 26
};

enum stasis_cpu_known {
        STASIS_CPU_GPR = 1 << 0,     /* gpr, rip, rflags */
        STASIS_CPU_SEGMENT = 1 << 1, /* selectors */
        STASIS_CPU_CONTROL = 1 << 2, /* cr[0], cr[2], cr[3], cr[4] */
        STASIS_CPU_BASES = 1 << 3,   /* fs_base, gs_base, gdt_base, idt_base */
        STASIS_CPU_KERNEL_GS = 1 << 4,
        STASIS_CPU_DEBUG = 1 << 5, /* dr[0..3], dr[6], dr[7] */
        STASIS_CPU_VECTOR = 1 << 6 /* mxcsr, xmm (x86: the first eight) */
};

/* Registers of one CPU as the image's container states them. gpr: rax rbx rcx rdx rsi rdi rbp rsp r8..r15. */
struct stasis_cpu {
        uint32_t known;  /* enum stasis_cpu_known */
        uint32_t number; /* UINT32_MAX: the container does not say whose they are */
        uint64_t gpr[16], rip, rflags;
        uint16_t cs, ds, es, fs, gs, ss;
        uint64_t cr[5];
        uint64_t fs_base, gs_base, gdt_base, idt_base, kernel_gs_base;
        uint64_t dr[8];
        uint32_t mxcsr;
        uint8_t xmm[16][16];
        const char *origin; /* "QEMU note", "NT_PRSTATUS", "dump header CONTEXT", ...; static */
        uint64_t off;       /* where in the file the record that they are from begins; 0: not told */
};

/* A crash dump's EXCEPTION_RECORD. */
struct stasis_exception {
        uint32_t code, flags;
        uint64_t record, address; /* the next record, or 0; where it was raised */
        uint32_t parameter_count; /* at most 15 */
        uint64_t parameter[15];
        uint64_t off; /* where it begins in the file */
};

/* A module that the image's container lists by itself. */
struct stasis_driver {
        uint64_t base, entry_point;
        uint32_t size, timestamp;
        struct stasis_bytes path; /* UTF-16LE, inside the mapping; {NULL, 0} where not there */
};

/* A module that was there once: what the kernel remembers of it. */
struct stasis_unloaded {
        const char *name; /* UTF-8; a triage dump keeps its first 12 letters; NULL where it is not readable */
        uint64_t start, end;
        uint64_t time;    /* FILETIME when it was unloaded; 0: not told (a triage dump drops it) */
        uint64_t va, off; /* of the entry: address, and place in the file; STASIS_NOWHERE where there is none */
};

struct stasis_hints {
        uint32_t known; /* enum stasis_hint */
        enum stasis_machine machine;
        bool pae;
        uint32_t major; /* Windows .dmp MajorVersion: 0xf free, 0xc checked */
        uint32_t build;
        uint32_t processors;
        uint32_t dump_type, product_type, suite_mask;
        uint32_t dump_level; /* kdump: what makedumpfile left out (its option -d) */
        uint64_t root;       /* CR3 or DirectoryTableBase as written, low bits included */
        uint64_t kdbg, process_head, module_head, pfn_database; /* virtual addresses */
        uint32_t bugcheck;
        uint64_t bugcheck_parameter[4];
        uint64_t system_time;        /* FILETIME */
        uint64_t up_time;            /* 100 ns */
        struct stasis_bytes context; /* raw CONTEXT inside the mapping; x86 and x64: cpu has it decoded */
        struct stasis_exception exception;
        struct stasis_bytes vmcoreinfo; /* text, not terminated; in the mapping, or owned by the image */
        const char *comment;            /* owned by the image */
        const struct stasis_cpu *cpu;
        size_t cpu_count;
        /* Triage dumps: the one thread, its process and its processor's block, where each was (virtual addresses); */
        uint64_t thread, process, prcb;
        uint64_t stack, stack_len; /* the part of its stack that is kept; it ends at the stack's base */
        uint64_t stack_off;        /* where in the file it begins */
        const struct stasis_driver *driver;
        size_t driver_count;
        const struct stasis_unloaded *unloaded;
        size_t unloaded_count;
        const char *broken_driver; /* the driver that the system blames; UTF-8 */
};

/*
 * path may be "ARCHIVE!MEMBER", and need not be where an archive holds one file. What must be unpacked goes to a file
 * without a name in options->tmp, which is gone with the image, whatever happens.
 */
STASIS_API enum stasis_status stasis_image_open(const char *path, const struct stasis_image_options *options,
                                                struct stasis_image **ret_image,
                                                struct stasis_error *err) STASIS_MUST_CHECK;
/*
 * One image out of several files, in any order: the parts of a split kdump (makedumpfile --split). STASIS_USAGE for
 * files that are no such parts, or of different dumps; a part that is not given is a gap.
 */
STASIS_API enum stasis_status stasis_image_open_files(const char *const *paths, size_t count,
                                                      const struct stasis_image_options *options,
                                                      struct stasis_image **ret_image,
                                                      struct stasis_error *err) STASIS_MUST_CHECK;
/* The same of files that are open. No file is opened by path, where options->tmp_file is given. */
STASIS_API enum stasis_status stasis_image_open_fds(const struct stasis_file *files, size_t count,
                                                    const struct stasis_image_options *options,
                                                    struct stasis_image **ret_image,
                                                    struct stasis_error *err) STASIS_MUST_CHECK;
/*
 * The files in an archive, in its order; len 0: it does not say. A compressed file holds one without a name (""). false
 * from seen ends it. STASIS_ABSENT: the file is no archive; what stands in the way of opening one fails here too.
 */
STASIS_API enum stasis_status stasis_archive_members(const struct stasis_file *file,
                                                     const struct stasis_image_options *options,
                                                     bool (*seen)(void *ctx, const char *name, uint64_t len), void *ctx,
                                                     struct stasis_error *err) STASIS_MUST_CHECK;
/* Same over bytes in memory, borrowed until close. name is shown in messages. */
STASIS_API enum stasis_status stasis_image_open_memory(const void *bytes, size_t len, const char *name,
                                                       const struct stasis_image_options *options,
                                                       struct stasis_image **ret_image,
                                                       struct stasis_error *err) STASIS_MUST_CHECK;
STASIS_API void stasis_image_close(struct stasis_image *image);

STASIS_API const char *stasis_image_path(const struct stasis_image *image); /* of its first file */
/* The path of each of its files, in the order given; NULL past the last. */
STASIS_API const char *stasis_image_file_at(const struct stasis_image *image, size_t index);
/* What its first file was in, from the outside in; NULL past the last, at once where it was in nothing. */
STASIS_API const struct stasis_container *stasis_image_container_at(const struct stasis_image *image, size_t index);
/* The stable name of its reader ("dmp"), and what it is in words ("Windows crash dump, 64-bit, full"). */
STASIS_API const char *stasis_image_format(const struct stasis_image *image);
STASIS_API const char *stasis_image_format_title(const struct stasis_image *image);
STASIS_API uint64_t stasis_image_file_size(const struct stasis_image *image); /* of all its files together */
/*
 * Does the file hold pieces of virtual memory (a triage dump)? Then pa means a virtual address in the runs, the gaps
 * and the calls below, and there are no page tables.
 */
STASIS_API bool stasis_image_is_virtual(const struct stasis_image *image);
/*
 * Are its pages packed (a kdump)? Then off of a run means nothing, no place in the file can be named, and
 * stasis_image_view has nothing to show: read. (It has nothing to show either where a container has blocks.)
 */
STASIS_API bool stasis_image_is_packed(const struct stasis_image *image);
STASIS_API const struct stasis_run *stasis_image_runs(const struct stasis_image *image, size_t *ret_count);
STASIS_API const struct stasis_gap *stasis_image_gaps(const struct stasis_image *image, size_t *ret_count);
STASIS_API const struct stasis_hints *stasis_image_hints(const struct stasis_image *image);
/* Whatever the reader had to say beside hints and gaps ("size is not a multiple of the page size"). */
STASIS_API const char *const *stasis_image_remarks(const struct stasis_image *image, size_t *ret_count);
/* In the order of the file; none in most files. */
STASIS_API const struct stasis_blob *stasis_image_blobs(const struct stasis_image *image, size_t *ret_count);

/*
 * All of [pa, pa+len) or nothing: STASIS_ABSENT where a byte of it is not held, of a packed image STASIS_CORRUPT where
 * a page does not unpack. Runs that touch are crossed.
 */
STASIS_API enum stasis_status stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf,
                                                size_t len) STASIS_MUST_CHECK;
/* The bytes from pa to the end of its run, at most len, without a copy; {NULL, 0} where pa is not held, or packed. */
STASIS_API struct stasis_bytes stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len);
/* Where in the file pa lies. */
STASIS_API enum stasis_status stasis_image_offset(const struct stasis_image *image, uint64_t pa,
                                                  uint64_t *ret_off) STASIS_MUST_CHECK;
/* How many different 4 KiB pages of the file have been touched so far. */
STASIS_API uint64_t stasis_image_pages_touched(const struct stasis_image *image);

/* ---------------------------------------------------------------- translation */

#define STASIS_LEVELS_MAX 5

struct stasis_space;

/* What one translation crossed. entry[0..depth) were read, from the root down; the last one decided. */
struct stasis_walk {
        uint64_t va, pa, page_size;
        uint8_t depth;
        struct {
                uint64_t pa, value;
        } entry[STASIS_LEVELS_MAX];
};

/* mode: "x86", "pae", "x64" or "la57"; of a virtual image "flat", where root means nothing. root is taken as CR3 holds
 * it: the bits that are no address are masked. */
STASIS_API enum stasis_status stasis_space_open(const struct stasis_image *image, const char *mode, uint64_t root,
                                                struct stasis_space **ret_space,
                                                struct stasis_error *err) STASIS_MUST_CHECK;
STASIS_API void stasis_space_close(struct stasis_space *space);
/*
 * STASIS_OK: pa, page_size and all entries. STASIS_ABSENT: an entry says not present (entry[depth-1] is that entry).
 * STASIS_IO: a table page is not in the image (entry[depth-1].pa is where it should be, value is 0).
 * STASIS_CORRUPT: va is not canonical. ret_walk is filled in every case.
 */
STASIS_API enum stasis_status stasis_space_walk(struct stasis_space *space, uint64_t va,
                                                struct stasis_walk *ret_walk) STASIS_MUST_CHECK;
/* Also what a process would get by a page fault, where the image or what was given with it holds it. */
STASIS_API enum stasis_status stasis_space_read(struct stasis_space *space, uint64_t va, void *buf,
                                                size_t len) STASIS_MUST_CHECK;

/* What an address comes to: never a bare "not there". */
enum stasis_verdict {
        STASIS_VERDICT_PRESENT,      /* the processor would translate it, and the image holds the page */
        STASIS_VERDICT_TRANSITION,   /* taken from the working set; its frame still holds it */
        STASIS_VERDICT_PROTOTYPE,    /* shared: a prototype entry leads to its frame */
        STASIS_VERDICT_DEMAND_ZERO,  /* never touched: the first access would find zeros; there are no bytes yet */
        STASIS_VERDICT_PAGED_OUT,    /* in a page file */
        STASIS_VERDICT_COMPRESSED,   /* in the memory manager's compressed store */
        STASIS_VERDICT_MAPPED_FILE,  /* in the file that is mapped there */
        STASIS_VERDICT_NOT_CAPTURED, /* the page, or what would tell of it, is not in the image */
        STASIS_VERDICT_INVALID,      /* nothing is there: an access would be refused */
        STASIS_VERDICT_NOT_PRESENT   /* the processor would not translate it; no system is known that says more */
};
STASIS_API const char *stasis_verdict_name(enum stasis_verdict verdict); /* "demand-zero": stable, in JSON */

/* Where the bytes of an address lie, or would lie. */
enum stasis_backing {
        STASIS_BACKING_NONE,
        STASIS_BACKING_IMAGE,    /* at a physical address */
        STASIS_BACKING_PAGEFILE, /* in page file number `pagefile`, at `off` */
        STASIS_BACKING_STORE /* compressed: page `off` / 4096 of the store, which calls itself page file `pagefile` */
};
STASIS_API const char *stasis_backing_name(enum stasis_backing backing); /* "page file" */

/* A page-table entry as the system itself reads it where the processor does not. */
#define STASIS_PTE_MEMBERS_MAX 8
struct stasis_pte {
        uint64_t va, pa, value; /* va, pa: STASIS_NOWHERE where not known */
        const char *form;       /* the structure that describes it, "_MMPTE_SOFTWARE"; NULL: none does */
        struct {
                const char *name; /* "PageFileHigh" */
                uint64_t value;
        } member[STASIS_PTE_MEMBERS_MAX];
        uint8_t member_count;
};

/* All that can be said of an address. Texts are static. */
#define STASIS_PTES_MAX 6
struct stasis_address {
        struct stasis_walk walk;   /* the tables; the last entry is the one that a fault began at */
        enum stasis_status status; /* as of stasis_space_read of one byte */
        enum stasis_verdict verdict;
        enum stasis_backing backing;
        uint64_t pa;                            /* STASIS_NOWHERE where there is none */
        uint32_t pagefile;                      /* of STASIS_BACKING_PAGEFILE and _STORE, with off */
        uint64_t off;                           /* there; of this very byte */
        uint64_t vad;                           /* the VAD that decided, or 0 */
        struct stasis_pte pte[STASIS_PTES_MAX]; /* of the system's own, in the order in which one led to the next */
        uint8_t pte_count;
        const char
                *why; /* what makes it so, beyond the verdict ("the page file that was given is too short"), or NULL */
};
/* Never fails: what cannot be known is a verdict too. */
STASIS_API void stasis_space_examine(struct stasis_space *space, uint64_t va, struct stasis_address *ret_address);

/* ---------------------------------------------------------------- facts */

enum stasis_kind {
        STASIS_KIND_NUMBER, /* unsigned; JSON number */
        STASIS_KIND_SIGNED, /* value is an int64_t; JSON number */
        STASIS_KIND_BOOL,
        STASIS_KIND_HEX,      /* a word without names; JSON "0x..." */
        STASIS_KIND_ADDRESS,  /* a virtual address; JSON "0x..." */
        STASIS_KIND_PHYSICAL, /* a physical address; JSON "0x..." */
        STASIS_KIND_CODE,  /* an address; text = "module!symbol" or "module", and extra = offset in it, where known */
        STASIS_KIND_ENUM,  /* text = the name; JSON string */
        STASIS_KIND_FLAGS, /* value and the names of the column; JSON {"value":"0x..","names":[..]} */
        STASIS_KIND_TIME,  /* FILETIME; JSON ISO 8601, seven decimals, Z */
        STASIS_KIND_TEXT,  /* text is valid UTF-8 */
        STASIS_KIND_TEXTS, /* text is a list, elements separated by '\n'; JSON array of strings */
        STASIS_KIND_STACK, /* frame[0..value), the innermost first; text has a line for each; JSON array of objects */
        STASIS_KIND_REGISTERS, /* registers; text has a line for each that is known; JSON object */
        STASIS_KIND_LIST       /* list, of value rows; JSON array of objects, each as a record */
};

/* Why a fact is absent. The names are stable (JSON "absent"). */
enum stasis_absence {
        STASIS_PRESENT,
        STASIS_NOT_IN_VERSION, /* this version of the system has no such member */
        STASIS_NOT_IN_IMAGE,   /* the page that holds it is not in the file */
        STASIS_PAGED_OUT,      /* its page is in a page file that was not given, or is not in memory */
        STASIS_CONTRADICTORY,  /* what stands there cannot be true; a note says more */
        STASIS_NOT_APPLICABLE, /* the thread has none (no TEB of a kernel thread, no exit time of a living one) */
        STASIS_NOT_KNOWN,      /* nothing in the image tells (layout lacks it, list not found) */
        STASIS_DEMAND_ZERO,    /* its page was never touched: there are no bytes yet */
        STASIS_COMPRESSED,     /* its page is in the compressed store, and could not be read there */
        STASIS_MAPPED_FILE,    /* its page is in the file that is mapped there */
        STASIS_NOT_MAPPED      /* nothing is at that address */
};

enum stasis_origin { STASIS_ORIGIN_NONE, STASIS_ORIGIN_SCAN, STASIS_ORIGIN_LINK, STASIS_ORIGIN_CONTEXT };

#define STASIS_NOWHERE UINT64_MAX

/* How a frame of a call stack was found. A scanned word only looks like a return address: it is no fact. */
enum stasis_how {
        STASIS_HOW_REGISTER, /* an instruction pointer: of a processor, or saved where the thread was switched away */
        STASIS_HOW_ORC,      /* Linux: by the kernel's ORC tables */
        STASIS_HOW_FRAME_POINTER, /* by the chain of saved frame pointers */
        STASIS_HOW_EH_FRAME,      /* by the call frame information of an ELF file in memory */
        STASIS_HOW_SCAN,
        STASIS_HOW_UNWIND_INFO,   /* Windows x64: by the unwind data of the module */
        STASIS_HOW_LEAF,          /* the same: the module has none for that function, so that it has no frame */
        STASIS_HOW_TRAP_FRAME,    /* Windows: saved where the thread entered the kernel (KTRAP_FRAME) */
        STASIS_HOW_MACHINE_FRAME, /* what the processor pushed when it was interrupted */
        STASIS_HOW_FPO,           /* Windows x86: by the frame data of a PDB */
        STASIS_HOW_CALL_CHECKED /* a word of the stack: it is behind a call in a module's code, and no more is known */
};
STASIS_API const char *stasis_how_name(enum stasis_how how); /* "register", "orc", "frame-pointer", ... */

/* What a frame is worth. One that was found from a weaker one is worth no more than that. */
enum stasis_trust {
        STASIS_TRUST_PROVED, /* registers, and what tables of the code say */
        STASIS_TRUST_LIKELY, /* frame pointers, which code need not keep */
        STASIS_TRUST_GUESS   /* it looks like a return address: a scan */
};
STASIS_API const char *stasis_trust_name(enum stasis_trust trust); /* "proved", "likely", "guess" */

struct stasis_frame {
        uint64_t pc;
        uint64_t sp;        /* the stack pointer that belongs to pc */
        uint64_t slot;      /* virtual address that pc was read from; STASIS_NOWHERE: a register */
        const char *module; /* NULL: not known */
        const char *symbol; /* NULL: not known */
        uint64_t offset;    /* of pc in the symbol; without one in the module; without that 0 */
        enum stasis_how how;
        bool exact; /* pc is the instruction itself (a register, or interrupted there), not the one behind a call */
        enum stasis_trust trust;
        const char *symbol_from; /* how symbol is known ("export", "nearest-export"); NULL: no table says */
};

/* Numbers of registers: 0 to 15 as in stasis_cpu.gpr, then these. */
enum { STASIS_REGISTER_RIP = 16, STASIS_REGISTER_RFLAGS, STASIS_REGISTERS };
#define STASIS_REGISTERS_SELECTORS (1u << STASIS_REGISTERS) /* in known: cs ss; see cpu.known for ds es fs gs */

struct stasis_registers {
        uint32_t known;                /* bit i: register i; one that is not known is 0, which means nothing */
        uint8_t width;                 /* of a register in bytes: 4 or 8 */
        uint64_t va[STASIS_REGISTERS]; /* where each was read; STASIS_NOWHERE: not in memory, or not known */
        /* origin: what was read; its own `known` is that of a processor, else of what of it is known beside the above:
         * STASIS_CPU_SEGMENT (ds es fs gs), _DEBUG and, for mxcsr alone, _VECTOR */
        struct stasis_cpu cpu;
        uint32_t xmm_known; /* bit i: cpu.xmm[i] */
        uint64_t xmm_va[16];
        enum stasis_absence absence; /* STASIS_PRESENT, or why none is known */
};
/* "rax", of 4 bytes "eax"; NULL: such a machine has none of this number. */
STASIS_API const char *stasis_register_name(uint8_t width, unsigned number);
STASIS_API uint64_t stasis_register_value(const struct stasis_registers *registers, unsigned number);

struct stasis_fact {
        uint64_t value;
        uint64_t extra;   /* by kind; see enum stasis_kind */
        uint64_t va, pa;  /* where it was read; STASIS_NOWHERE where that does not apply (derived) */
        const char *text; /* by kind; borrowed until the record is decoded anew */
        uint8_t absence;  /* enum stasis_absence */
        uint8_t origin;   /* enum stasis_origin */
        uint8_t backing;  /* enum stasis_backing of va; IMAGE and NONE say no more than pa does */
        uint8_t pagefile; /* PAGEFILE, STORE: which one, */
        uint64_t off;     /* and where in it */
        union {           /* by kind; as long as text */
                const struct stasis_frame *frame;
                const struct stasis_registers *registers;
                const struct stasis_list *list;
        };
};

/* One value of an enumeration, or one (multi-bit) flag: value = bits [bit, bit+len). */
struct stasis_name {
        const char *name;
        uint32_t value;   /* enumerations: the value */
        uint8_t bit, len; /* flags: position and width */
};

/* One row of a field table as it applies to this system. key is stable; member is what the layout was asked for. */
struct stasis_column {
        const char *key, *title, *group, *member, *help;
        enum stasis_kind kind;
        const struct stasis_name *names;
        size_t name_count;
        const struct stasis_list_rows *list; /* of a list: see stasis_list_column_at */
        bool costly;                         /* worth leaving out where nobody asks for it: see stasis_system_choose */
};
/* Column i of the rows of such a list; NULL past the last, and where the column is no list. */
STASIS_API const struct stasis_column *stasis_list_column_at(const struct stasis_column *column, size_t index);

/* The value of a fact that is a list of small records, all of one form. Inner facts are no lists. */
struct stasis_list {
        const struct stasis_column *column; /* column[i] describes fact[row * columns + i] */
        size_t columns;
        const struct stasis_fact *fact;
        size_t rows;
};

enum stasis_what { STASIS_PROCESSES, STASIS_THREADS, STASIS_MODULES };

struct stasis_record {
        enum stasis_what what;
        uint64_t object;                    /* virtual address of the object described */
        const struct stasis_column *column; /* column[i] describes fact[i] */
        const struct stasis_fact *fact;
        size_t count;
};

/* A fact of a record by its key; NULL where there is no such column. */
STASIS_API const struct stasis_fact *stasis_record_fact(const struct stasis_record *record, const char *key);
/*
 * Writes the fact as a person reads it ("Waiting", "0x80801000 nt+0x1000", "2019-04-01 12:00:00.0000000"), or the
 * reason in angle brackets where it is absent. Returns the length that the whole text has, as snprintf does.
 */
STASIS_API size_t stasis_fact_text(const struct stasis_column *column, const struct stasis_fact *fact, char *buf,
                                   size_t len);
STASIS_API const char *stasis_absence_name(enum stasis_absence absence); /* "not in this version", ... */
STASIS_API const char *stasis_kind_name(enum stasis_kind kind);

/* ---------------------------------------------------------------- the system in the image */

struct stasis_system;

/* A page file that was taken with the image; nothing in it tells whether it is of the same machine. */
struct stasis_pagefile {
        uint32_t number;  /* as page-table entries name it: 0 is the first that Windows made */
        const char *path; /* NULL: bytes in memory, borrowed until the system is closed */
        const void *bytes;
        size_t len;
};

struct stasis_system_options {
        const char *layout_path; /* Volatility 3 ISF JSON, plain or .xz; NULL: built-in tables */
        /*
         * Files that tell types and symbols, each known by its content; borrowed. Linux: of the kernel (a vmlinux or
         * .debug, BTF, a System.map, an ISF); types come from the first file that has them, a symbol from the first
         * that knows it. Without, the image's own are used. Windows: PDB and ISF files, or folders of them (plain, or a
         * symbol store); a module's is used where GUID and age agree.
         */
        const char *const *symbols;
        size_t symbol_count;
        bool infer_layout; /* no table: member places by what must hold in the image; not with layout_path */
        const char *mode;  /* paging mode and root by hand, or NULL and ignored */
        bool root_known;
        uint64_t root;
        bool every_source; /* of threads: also those that cost with the size of the image (a scan of all of it) */
        unsigned jobs;     /* threads that such a scan runs in; 0: as many as this process may use */
        const struct stasis_pagefile *pagefile; /* read while the system is opened */
        size_t pagefile_count;
        void (*progress)(void *ctx, const char *what, uint64_t done,
                         uint64_t total); /* NULL, or called on long steps */
        void *progress_ctx;
};

enum stasis_severity {
        STASIS_NOTE_INFO,    /* worth knowing, nothing is missing */
        STASIS_NOTE_WARNING, /* two witnesses disagree, or a fact is doubtful */
        STASIS_NOTE_MISSING  /* something that should be in the answer is not: the answer is partial */
};

struct stasis_note {
        enum stasis_severity severity;
        const char *code; /* stable, "list-torn" */
        const char *text; /* one sentence */
        uint64_t object;  /* the object it speaks of, or 0 */
        int64_t pid, tid; /* of that object, or -1 */
};

/* One attempt of discovery, in order. */
struct stasis_trace {
        const char *step; /* "root", "kernel", "kdbg", "version", "layout", "processes", ... */
        const char *text;
        bool success;
};

/* A member place that was looked for in the image itself, because no table was used or the one used is doubtful. */
struct stasis_inference {
        const char *member;  /* "_KTHREAD.Teb" */
        const char *verdict; /* "found", "thin", "ambiguous" or "denied"; only found ones are used */
        const char *rule;    /* what must hold, in words */
        uint32_t offset;     /* found: of the member; ambiguous, denied: a place that fits */
        uint32_t other;      /* ambiguous: another that fits; denied: the one that the debugger block tells */
        uint32_t agreed, of; /* objects that support it, of those that say anything */
        bool told;           /* the debugger block says so too */
};

/*
 * Finds out what system the image holds. A failure says what was tried; the trace of a failed attempt is kept when
 * ret_system is given: the handle is returned with a status other than STASIS_OK and must be closed; only
 * stasis_system_trace and stasis_system_notes may be asked of it.
 */
STASIS_API enum stasis_status stasis_system_open(const struct stasis_image *image,
                                                 const struct stasis_system_options *options,
                                                 struct stasis_system **ret_system,
                                                 struct stasis_error *err) STASIS_MUST_CHECK;
STASIS_API void stasis_system_close(struct stasis_system *system);

/* Facts about the system as a whole (name, version, build, kernel base, PDB, layout ...), as one record. */
STASIS_API const struct stasis_record *stasis_system_facts(const struct stasis_system *system);
STASIS_API const struct stasis_trace *stasis_system_trace(const struct stasis_system *system, size_t *ret_count);
STASIS_API const struct stasis_inference *stasis_system_inferred(const struct stasis_system *system, size_t *ret_count);
STASIS_API const struct stasis_note *stasis_system_notes(const struct stasis_system *system, size_t *ret_count);

/*
 * How many objects of this kind were found; the first call walks the lists. Objects are in a fixed order: processes
 * and threads by pid, tid, object; modules by base.
 */
STASIS_API enum stasis_status stasis_system_count(struct stasis_system *system, enum stasis_what what,
                                                  size_t *ret_count, struct stasis_error *err) STASIS_MUST_CHECK;
/* Decodes object number index. The record is valid until the next call for the same `what` on this system. */
STASIS_API enum stasis_status stasis_system_record(struct stasis_system *system, enum stasis_what what, size_t index,
                                                   const struct stasis_record **ret_record,
                                                   struct stasis_error *err) STASIS_MUST_CHECK;
/* The columns of such records, also where there is no record; NULL and 0 after a failed open. */
STASIS_API const struct stasis_column *stasis_system_columns(struct stasis_system *system, enum stasis_what what,
                                                             size_t *ret_count);
/*
 * From now on only these columns (by their keys) will be looked at: a costly one that is not among them is left undone,
 * and absent as not known. keys NULL: all of them, as at first.
 */
STASIS_API void stasis_system_choose(struct stasis_system *system, enum stasis_what what, const char *const *keys,
                                     size_t count);
/* The same without a system: row i of the table of the operating system `os` (its name), for documentation; NULL past
 * the last, or where there is no such decoder. */
STASIS_API const struct stasis_column *stasis_column_at(const char *os, enum stasis_what what, size_t index);
STASIS_API const struct stasis_column *stasis_system_fact_column_at(const char *os, size_t index);

/* User modules (native and WoW64) of one process, in place of the kernel's, in later STASIS_MODULES questions. */
STASIS_API enum stasis_status stasis_system_modules_of(struct stasis_system *system, uint64_t pid,
                                                       struct stasis_error *err) STASIS_MUST_CHECK;
/* The PDB that a module's image names (its CodeView record), and whether it is among the files that were given. */
struct stasis_debug {
        char pdb[64]; /* name of the file, printable; "": not told */
        bool known;   /* the next two */
        uint8_t guid[16];
        uint32_t age;
        const char *found; /* the PDB or ISF file with this GUID and age; NULL: none was given, or it is not there */
        const char *why;   /* where it is not known: the reason, as a phrase; else NULL */
};
/* Of module number index, as STASIS_MODULES counts them. STASIS_UNSUPPORTED: such a system has no PDBs. */
STASIS_API enum stasis_status stasis_system_module_debug(struct stasis_system *system, size_t index,
                                                         struct stasis_debug *ret_debug,
                                                         struct stasis_error *err) STASIS_MUST_CHECK;
/* What the kernel remembers of modules that are no longer loaded, newest first where it tells; borrowed. */
STASIS_API const struct stasis_unloaded *stasis_system_unloaded(struct stasis_system *system, size_t *ret_count);
/* The processor blocks that were found, with the threads they name; 0 where a block names none, or is not readable. */
struct stasis_processor {
        uint32_t number;
        uint64_t block, current, next, idle;
};
STASIS_API const struct stasis_processor *stasis_system_processors(struct stasis_system *system, size_t *ret_count);
/* The ways of finding threads, in the order of the fact "sources", and how many each saw; NULL where there are none. */
struct stasis_source {
        const char *name;    /* "cid-table": stable */
        const char *heading; /* three letters, for a table */
        const char *title;   /* half a line */
        const char *why_not; /* it was not gone through, or could not be: why; NULL: it was */
        size_t threads;
};
STASIS_API const struct stasis_source *stasis_system_sources(struct stasis_system *system, size_t *ret_count);
/* A thread object given by address: accepted only where it is one. */
STASIS_API enum stasis_status stasis_system_thread_at(struct stasis_system *system, uint64_t object,
                                                      const struct stasis_record **ret_record,
                                                      struct stasis_error *err) STASIS_MUST_CHECK;
/* The kernel's address space, or that of a process; borrowed from the system. */
STASIS_API struct stasis_space *stasis_system_space(struct stasis_system *system);
STASIS_API enum stasis_status stasis_system_process_space(struct stasis_system *system, uint64_t pid,
                                                          struct stasis_space **ret_space,
                                                          struct stasis_error *err) STASIS_MUST_CHECK;

/* ---- who waits for whom */

/* A thing that a thread waits for, and who could end that. The members are those of the fact wait_objects. */
struct stasis_wait {
        size_t thread;           /* the waiter: its number among STASIS_THREADS */
        uint64_t object;         /* 0: not readable */
        uint64_t container;      /* what the object belongs to, or 0 */
        const char *what;        /* "object", "resource, exclusive", ... (waits_for) */
        const char *kind;        /* "MutantObject", ...; NULL: not known */
        const char *type, *name; /* of the object manager; NULL: none, or not known */
        const char *from;        /* the member that names the owner; NULL: there is none */
        const size_t *owner;     /* threads that have it, or must answer or end: numbers among STASIS_THREADS */
        size_t owner_count;
        size_t process; /* number among STASIS_PROCESSES of a process that must end, or answer; SIZE_MAX: none */
        bool ends;      /* that process must end: every thread of it. Else any of them may answer */
        bool alone;     /* nothing else that the thread waits for would do (but for a timeout) */
        bool timed;     /* the wait also ends after a time */
};

/* One step of a chain: a thread, or a process that must end or answer. */
struct stasis_wait_step {
        size_t thread;  /* SIZE_MAX: the process itself */
        size_t process; /* of the thread, or it; SIZE_MAX: not known */
        size_t wait;    /* what the thread waits for: number in stasis_waits.wait. Who holds it is the next step.
                           SIZE_MAX: a process, or the last step of a chain */
};

/* From a thread that nobody waits for to one that does not wait for anybody. */
struct stasis_wait_chain {
        const struct stasis_wait_step *step;
        size_t count;
        size_t depth;    /* threads from its beginning to its end, also where that is told elsewhere: */
        size_t deadlock; /* the last step is a thread of this one; SIZE_MAX: no */
        size_t joins;    /* the last step stands in this chain before, which tells how it goes on; SIZE_MAX: no */
};

/* Threads each of which waits for the next one alone, and the last one for the first. */
struct stasis_deadlock {
        const struct stasis_wait_step *step; /* one such cycle; of several through the same threads one */
        size_t count;
        const size_t *thread; /* every thread that is in a cycle with these */
        size_t thread_count;
        bool timed; /* a wait of the cycle ends after a time, and the deadlock with it */
};

struct stasis_waits {
        const struct stasis_wait *wait; /* by thread */
        size_t wait_count;
        const struct stasis_wait_chain *chain; /* longest first */
        size_t chain_count;
        const struct stasis_deadlock *deadlock; /* by their first thread */
        size_t deadlock_count;
        size_t waiting; /* threads that wait for anything */
        bool cut;       /* there is more than is kept: a note says so */
};
/* All of it, as long as the system. STASIS_UNSUPPORTED: such a system (Linux) does not keep who holds what. */
STASIS_API enum stasis_status stasis_system_waits(struct stasis_system *system, const struct stasis_waits **ret_waits,
                                                  struct stasis_error *err) STASIS_MUST_CHECK;

/*
 * The other way round: which virtual addresses come to physical ones. One pass over the page tables, however many
 * addresses are asked for; memory grows with these alone. Only what the processor would translate counts.
 */
struct stasis_mapping {
        struct stasis_walk walk; /* va, and the entries that lead to pa, which was asked for */
        bool kernel;             /* found in the kernel's own tables, which all processes share */
        int64_t pid;         /* the process whose tables these are; -1: the kernel's half, or tables given by hand */
        uint64_t object;     /* of that process, or 0 */
        const char *process; /* its name, or NULL; borrowed until the call returns */
};
/* Called for each, in the order of the tables; false ends the search. */
typedef bool stasis_found(void *ctx, const struct stasis_mapping *mapping);
/*
 * Through the tables of one space. STASIS_LIMIT: hostile tables, which go on without end; what was told stands.
 * ret_unreadable (may be NULL): how many tables are not in the image. STASIS_USAGE: a virtual image has no tables.
 */
STASIS_API enum stasis_status stasis_space_reverse(struct stasis_space *space, const uint64_t *pa, size_t count,
                                                   stasis_found *found, void *ctx,
                                                   uint64_t *ret_unreadable) STASIS_MUST_CHECK;
/*
 * Through the kernel's tables and those of every process; pid not NULL: what this process alone has. Tables that a
 * process shares with the kernel are entered once, and are the kernel's.
 */
STASIS_API enum stasis_status stasis_system_reverse(struct stasis_system *system, const uint64_t *pid,
                                                    const uint64_t *pa, size_t count, stasis_found *found, void *ctx,
                                                    uint64_t *ret_unreadable,
                                                    struct stasis_error *err) STASIS_MUST_CHECK;
STASIS_API const char *stasis_space_mode(const struct stasis_space *space);
STASIS_API uint64_t stasis_space_root(const struct stasis_space *space);

/* ---------------------------------------------------------------- layouts and readers built in */

/* Name of built-in layout i ("10.0.19041.1237-x64"), NULL past the last. */
STASIS_API const char *stasis_layout_name_at(size_t index);
/* Name and title of the decoder of operating system i ("windows", "Windows"), NULL past the last. */
STASIS_API const char *stasis_os_name_at(size_t index, const char **ret_title);
/* Name and title of reader i, NULL past the last. */
STASIS_API const char *stasis_format_name_at(size_t index, const char **ret_title);

#ifdef __cplusplus
}
#endif
#endif
