/* SPDX-License-Identifier: MIT */
/*
 * A program whose PDB has what a kernel's has: compiled by clang and linked by lld-link for x64 and x86
 * (pdb_llvm.py). Never run.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum _STATES { Initialized, Ready, Running, Standby = 7, Negative = -2, Large = 0x7fffffff };

struct _LIST_ENTRY {
        struct _LIST_ENTRY *Flink, *Blink;
};

struct _DISPATCHER_HEADER {
        union {
                struct {
                        u8 Type;
                        union {
                                u8 TimerControlFlags;
                                struct {
                                        u8 Absolute : 1, Wake : 1, EncodedTolerableDelay : 6;
                                };
                                u8 Abandoned;
                        };
                        u8 Hand, Size;
                };
                volatile long Lock;
        };
        long SignalState;
        struct _LIST_ENTRY WaitListHead;
};

struct _KTHREAD;
struct _EPROCESS;
typedef union {
        u64 Whole;
        struct {
                u32 Low, High;
        } Parts;
} LARGE;

struct _KTHREAD {
        struct _DISPATCHER_HEADER Header;
        const volatile void *InitialStack;
        struct _EPROCESS *Process;
        LARGE Quantum;
        enum _STATES State;
        u32 MiscFlags0 : 1, : 3, MiscFlags1 : 7, MiscFlags2 : 21;
        u64 Wide : 40, Wider : 24;
        u8 Matrix[3][5][7];
        struct {
                u16 First;
                struct {
                        u8 Second[2];
                } Inner[4];
        } Unnamed[2];
        struct _LIST_ENTRY const *const Pointers[6];
        double Floats[2];
        float Single;
        int (*Routine)(struct _KTHREAD *, void *);
        u16 Name[16];
        _Bool Flag;
        signed char Priority;
};

#define TEN(x) int x##0, x##1, x##2, x##3, x##4, x##5, x##6, x##7, x##8, x##9;
#define HUNDRED(x) TEN(x##0) TEN(x##1) TEN(x##2) TEN(x##3) TEN(x##4) TEN(x##5) TEN(x##6) TEN(x##7) TEN(x##8) TEN(x##9)
#define THOUSAND(x) \
        HUNDRED(x##0) \
        HUNDRED(x##1) \
        HUNDRED(x##2) HUNDRED(x##3) HUNDRED(x##4) HUNDRED(x##5) HUNDRED(x##6) HUNDRED(x##7) HUNDRED(x##8) HUNDRED(x##9)

/* Its field list is longer than a record can be, and goes on in others. */
struct _LONG_ONE {
        THOUSAND(FieldOfAStructureThatIsTooLongForOneRecord1)
        THOUSAND(FieldOfAStructureThatIsTooLongForOneRecord2)
        THOUSAND(FieldOfAStructureThatIsTooLongForOneRecord3)
        u8 Last;
};

struct _KTHREAD PsIdleThread;
struct _LONG_ONE LongOne;
enum _STATES State;
struct _LIST_ENTRY PsActiveProcessHead = { &PsActiveProcessHead, &PsActiveProcessHead };
static u32 hidden_counter;
extern const u32 NtBuildNumber;
const u32 NtBuildNumber = 19041;

#ifdef _WIN64
#define STDCALL
#define FASTCALL
#else
#define STDCALL __attribute__((stdcall))
#define FASTCALL __attribute__((fastcall))
#endif

int __attribute__((noinline)) STDCALL KeWaitForSingleObject(struct _KTHREAD *thread, int reason)
{
        volatile u8 room[0x80];
        room[reason & 0x7f] = (u8)thread->State;
        hidden_counter += room[0];
        return (int)hidden_counter;
}

int __attribute__((noinline)) FASTCALL KfLowerIrql(int level) { return level + (int)LongOne.Last; }

static int __attribute__((noinline)) not_exported(int level)
{
        volatile int more[40];
        more[level & 31] = level;
        return KeWaitForSingleObject(&PsIdleThread, more[3]) + KfLowerIrql(level);
}

int KiSystemStartup(int level) { return not_exported(level) + not_exported(level + 1) + (int)State; }
