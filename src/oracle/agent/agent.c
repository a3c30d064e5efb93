/*
 * Plays programs of system calls on the kernel that it runs on, one process per task, in exactly the order in
 * which it is told, and answers with all that the calls gave.
 *
 * Processes:
 *
 *     caller ──stdin/stdout──> main ──fork──> agent (process 1 of its own namespaces)
 *                                               ├─ task 1   chroot of the program's mounts
 *                                               └─ task 2   …
 *
 * The agent has a mount and a process namespace of its own, and its root is a tmpfs that nobody else sees. So
 * when it ends, in whatever way, the kernel takes back every process, mount and file that it has made. Without
 * root it makes a user namespace as well.
 *
 * Nothing of the host: what is played was written by strangers. No path leads out, since the old root is gone and
 * the agent reads /proc through a descriptor; no descriptor of the host is handed on, not even its /dev/null. A
 * filter (seccomp) lets tasks, and the programs that they become, make the calls of the table and no others,
 * and no device but those that do no harm.
 *
 * Order: agent and task share one word of memory each (`turn`); whoever has the turn runs, the other sleeps
 * on it (futex). While a task has the turn the word is marked as a robust futex of the task, so that the
 * kernel itself hands the turn back when the task dies or becomes another program by a successful exec. A task that
 * makes several calls one after another makes them in one turn (a run). Since only one of all processes ever
 * runs, they have one processor, which may be given as an argument: waking one of them is no more than a switch.
 *
 * Language: one request per line, words separated by spaces. Set-up and tasks answer nothing, unless they fail:
 * then a line `E what: why`.
 *
 *     fs NAME                        a file system (tmpfs) of that name
 *     proc NAME                      one that shows tasks: of each a directory with the descriptors, and nothing else
 *     show N NUMBER                  the task is shown there, under this number
 *     dir|file|sym|node|hard|white|opaque …   fills it, see build()
 *     fsro NAME                      its superblock is read-only from now on
 *     at PATH FLAGS fs NAME[/SUB]    mounts: the first one at /
 *     at PATH FLAGS bind PATH
 *     at PATH FLAGS overlay UPPER|- WORK|- OPTIONS|- LOWER…     directories as NAME or NAME/SUB, or as mounts show them: /PATH
 *     flag PATH FS_FLAGS             inode flags, such as immutable
 *     task N UID GID UMASK NOFILE SECUREBITS CAPS|- CWD [GROUP…]
 *     call N NAME ARGUMENT…          answers one line, see answer()
 *     wait N                         answers what the call that was blocked gave
 *     stoppable                      before the tasks: calls may be stopped
 *     stop KIND N NAME ARGUMENT…     as call, but the call stops on its way, see STOPS; answers `S`
 *     go N                           the call goes on; answers what it gave
 *     lsm                            answers the numbers of the active security modules
 *     pace                           before anything is made: answers how often a second this machine forks a process
 *                                    that ends at once, and as text how often it mounts a tmpfs and takes it down
 *     kill N                         ends a task; answers D
 *     end                            takes everything down and answers `.`
 *
 * Arguments: a number; `"text`; `@` for NULL; `#` for the number of the bytes before; `$3` for what call 3 returned,
 * `$3+4096` that and so much more, `$3.st_size` for a field of what it filled in; `( "a "b )` for a vector. In text,
 * `%0A` is a byte, and `*41;` after a byte says that it stands 41 times more.
 *
 * Answers: `13` result, `-2` errno, `!7` signal, `X` the task runs another program now, `D` the task is dead, `B` the
 * call sleeps, `S` the call has stopped, `R` the call was not made, since it would reach the host. After a result
 * `"text` are the bytes that the call gave, and `st_size=13` a field of a structure.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/userfaultfd.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* since 6.6, on every architecture */
#endif

enum {
	MAX_TASKS = 32,
	MAX_CALLS = 4096,
	FIELDS = 32,         /* most fields of a structure */
	LINE_SIZE = 1 << 20, /* longest request */
	DATA_SIZE = 1 << 20, /* most bytes that a call may ask for */
	BLOCKED_MS = 300,    /* a call that takes longer and sleeps is said to be blocked */
	RUN_ANSWERS = 1 << 16,               /* a run ends where its answers are longer */
	MAX_ANSWER = 4 * DATA_SIZE,          /* longest answer: three characters a byte, and a count for five */
	CALLED_OFF = 1U << 30,
};

/* ---- what agent and tasks share ------------------------------------------------------------------------- */

enum outcome { RETURNED, SIGNALLED, RUNS_OTHER, DEAD, BLOCKED, STOPPED };

/*
 * STOPS: where a call can be made to wait inside the kernel, and by what.
 *   exec_open     the file to be executed is being opened; writes are not denied yet   (FAN_OPEN_EXEC_PERM)
 *   exec_args     writes are denied; the arguments are being read from user memory     (userfaultfd)
 *   copy_up_open  an overlay opens the lower file that it copies                       (FAN_OPEN_PERM)
 *   copy_up_read  and reads it                                                         (FAN_ACCESS_PERM)
 *   stacked_copy_up_open, stacked_copy_up_read   the same where the lower file lies on an overlay itself
 */
enum stop { NO_STOP, EXEC_OPEN, EXEC_ARGS, COPY_UP_OPEN, COPY_UP_READ, STACKED_OPEN, STACKED_READ, STOPS };
static const char *const stop_names[STOPS] = { "",
	"exec_open", "exec_args", "copy_up_open", "copy_up_read", "stacked_copy_up_open", "stacked_copy_up_read" };
static const uint64_t stop_events[STOPS] = { [EXEC_OPEN] = FAN_OPEN_EXEC_PERM,
	[COPY_UP_OPEN] = FAN_OPEN_PERM, [COPY_UP_READ] = FAN_ACCESS_PERM,
	[STACKED_OPEN] = FAN_OPEN_PERM, [STACKED_READ] = FAN_ACCESS_PERM };

struct slot {
	_Atomic uint32_t turn; /* 0: the agent's; the task's thread number (and FUTEX_WAITERS): the task's */
	pid_t pid;             /* 0: no such task */
	enum outcome state;    /* RETURNED while the task can take calls, else why not */
	int first;             /* number of the first call of its run */
	uint32_t count;        /* how many calls the run has */
	_Atomic uint32_t at;   /* which of them it makes; CALLED_OFF: it makes no more of them */
	uint32_t done;         /* how many have answered */
	int call;              /* number of the call that it makes */
	int error;             /* errno of the call, 0 if it did not fail */
	int signal;            /* signal that a memory access raised */
	size_t data_size;      /* bytes that it gave */
	bool has_data, has_fields;
	bool refused;          /* the call would reach the host: it was not made */
	enum stop stop;        /* where the call is to stop */
	int uffd;              /* the task's userfaultfd until the agent has it, 0: none; or an errno, negative */
	char *args_page;       /* in the task's memory: missing until the agent fills it, with args */
	char *args[512];       /* one page: what will be there */
	size_t line_size, line_at;
	char line[LINE_SIZE];  /* the calls of the run, each with a NUL; they begin at line_at */
	size_t answer_size, last_answer, told; /* all, up to where the last begins, up to what was told */
	char answers[RUN_ANSWERS + MAX_ANSWER];
	char data[DATA_SIZE];
};

struct structure;

static struct shared {
	long ret[MAX_CALLS];
	const struct structure *filled[MAX_CALLS]; /* of which there are fields */
	long field[MAX_CALLS][FIELDS];
	struct slot slot[MAX_TASKS];
} *shared;

static bool in_user_ns;        /* without root: one user id, and user.* instead of trusted.* attributes */
static char setup_error[1024]; /* the first thing that failed in this program's set-up */

static void fail(const char *format, ...)
{
	int why = errno;
	va_list args;

	if (setup_error[0] != '\0')
		return;
	va_start(args, format);
	int n = vsnprintf(setup_error, sizeof setup_error, format, args);
	va_end(args);
	if (why != 0 && n >= 0 && n < (int)sizeof setup_error)
		snprintf(setup_error + n, sizeof setup_error - n, ": %s", strerror(why));
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

/* ---- nothing of the host ------------------------------------------------------------------------------------- */

/* Devices that do no harm: a whiteout, null, zero, full. */
static const unsigned harmless_devices[] = { 0, 0x103, 0x105, 0x107 };
enum { HARMLESS = sizeof harmless_devices / sizeof *harmless_devices };

/* Whether mknod makes nothing that leads to a driver of the host; other types than devices do not. */
static bool is_harmless(mode_t mode, unsigned long dev)
{
	if (!S_ISCHR(mode))
		return !S_ISBLK(mode);
	for (int i = 0; i < HARMLESS; i++)
		if (harmless_devices[i] == dev)
			return true;
	return false;
}

/* Opens what a path leads to, as a place only, if no symbolic link is on the way. */
static int open_straight(const char *path, uint64_t flags)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

/* No symbolic link, as far as there is anything. Not known before 5.6, which has no openat2. */
static bool leads_straight(const char *path)
{
	int fd = open_straight(path, 0);
	bool straight = fd >= 0 || errno == ENOENT;

	if (fd >= 0)
		close(fd);
	errno = 0;
	return straight;
}

/*
 * Whether a path of the set-up stays where it seems to lead: no component is `..` or a symbolic link. Else says so.
 * What is missing will be made.
 */
static bool stays(const char *path)
{
	char text[PATH_MAX];
	struct stat st;

	errno = 0;
	if (snprintf(text, sizeof text, "%s", path) >= (int)sizeof text) {
		fail("a path that is too long");
		return false;
	}
	if (strstr(text, "/..") == NULL && leads_straight(text))
		return true;
	for (char *name = text, *end; name != NULL; name = end) {
		end = strchr(name + 1, '/');
		if (end != NULL)
			*end = '\0';
		bool is_link = lstat(text, &st) == 0 && S_ISLNK(st.st_mode);
		errno = 0;
		if (strcmp(name, "/..") == 0 || is_link) {
			fail(is_link ? "%s is a symbolic link" : "%s leads out", text);
			return false;
		}
		if (end != NULL)
			*end = '/';
	}
	return true;
}

/* ---- words of a request ------------------------------------------------------------------------------------ */

static char *next_word(char **rest)
{
	char *word = *rest;

	if (word == NULL || *word == '\0')
		return NULL;
	char *end = strchr(word, ' ');
	if (end != NULL) {
		*end = '\0';
		*rest = end + 1;
	} else {
		*rest = NULL;
	}
	return word;
}

static int hex(char c)
{
	return c <= '9' ? c - '0' : (c & ~0x20) - 'A' + 10;
}

/* Decodes text into `out`, which has room for `size` bytes and a NUL. Returns its length. */
static size_t decode(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (const char *c = text; *c != '\0' && n < size; c++) {
		if (*c == '%') {
			out[n++] = (char)(hex(c[1]) << 4 | hex(c[2]));
			c += 2;
		} else if (*c == '*') {
			char *end;
			size_t more = strtoul(c + 1, &end, 10);
			if (more > size - n)
				more = size - n;
			memset(out + n, n > 0 ? out[n - 1] : 0, more);
			n += more;
			c = end;
		} else {
			out[n++] = *c;
		}
	}
	out[n] = '\0';
	return n;
}

/* ---- tasks: system calls by name ---------------------------------------------------------------------------- */

/* A structure that calls fill. */
struct structure {
	const char *const *names; /* up to NULL */
	void (*take)(const void *filled, long *field);
};

/*
 * A call: what to do with each argument that the kernel takes, by letters that take a word of the request,
 *   i number   s string   v vector of strings   b bytes   n their number   l length of the buffer to be filled
 * and letters that do not:
 *   o buffer to be filled   t structure to be filled   = the constant that stands at its place
 */
struct call {
	const char *name;
	long number;
	const char *args;
	long constants[6];
	const struct structure *fills;
};

static _Alignas(16) char filled[4096]; /* the structure that the running call fills */

/* `calls`, and the structures: made from the declarations of the model's system calls (call_table.ts). */
#include "calls.h"

enum { CALLS = sizeof calls / sizeof *calls };

static struct slot *me;
static char scratch[LINE_SIZE]; /* strings of the running call's arguments, decoded */
static size_t scratch_used;

static sigjmp_buf on_fault;

static void fault(int signal)
{
	siglongjmp(on_fault, signal);
}

static char *text_argument(const char *word, size_t *size)
{
	if (word == NULL || word[0] != '"')
		return NULL;
	char *at = scratch + scratch_used;
	size_t n = decode(word + 1, at, sizeof scratch - scratch_used - 1);
	scratch_used += n + 1;
	if (size != NULL)
		*size = n;
	return at;
}

static long field_of(unsigned long call, const char *name)
{
	const struct structure *filled = shared->filled[call];

	for (int i = 0; filled != NULL && filled->names[i] != NULL && i < FIELDS; i++)
		if (strcmp(filled->names[i], name) == 0)
			return shared->field[call][i];
	return 0;
}

static long number_argument(const char *word)
{
	if (word == NULL || word[0] == '@')
		return 0;
	if (word[0] != '$')
		return strtol(word, NULL, 10);
	char *end;
	unsigned long call = strtoul(word + 1, &end, 10) % MAX_CALLS;
	if (*end == '.')
		return field_of(call, end + 1);
	return shared->ret[call] + (*end == '+' ? strtol(end + 1, NULL, 10) : 0);
}

/* No buffer of any machine is so long: the kernel is to say so, of a length that it refuses everywhere. */
static long length_of(long n)
{
	return n >= 1L << 46 ? -1 : n;
}

/* The length of the buffer to be filled, never more than ours has: the kernel reads less in one call, too. */
static long buffer_length(long n)
{
	return length_of(n) > DATA_SIZE ? DATA_SIZE : length_of(n);
}

/* How many bytes are written: no more than there are. Where there are none, none can be read: then `*at` is NULL. */
static long bytes_length(const char *word, size_t size, long *at)
{
	long n = word == NULL || word[0] == '#' ? (long)size : length_of(number_argument(word));

	if (n > 0 && size == 0)
		*at = 0;
	return n > (long)size && *at != 0 ? (long)size : n;
}

static char **vector_argument(const char *word, char **rest)
{
	static char *vector[2][4096];
	static int which;

	if (word == NULL || word[0] != '(')
		return NULL;
	char **strings = vector[which ^= 1];
	size_t n = 0;
	while ((word = next_word(rest)) != NULL && word[0] != ')' && n < 4095)
		strings[n++] = text_argument(word, NULL);
	strings[n] = NULL;
	return strings;
}

/* Of a call that is to stop when its arguments are read: the same vector, in memory that is missing. */
static char **stopping_vector(char **vector)
{
	size_t n = 0;

	if (me->stop != EXEC_ARGS || me->args_page == NULL)
		return vector;
	me->stop = NO_STOP; /* the first vector, not the second */
	memset(me->args, 0, sizeof me->args);
	for (; vector != NULL && vector[n] != NULL && n < sizeof me->args / sizeof *me->args - 1; n++)
		me->args[n] = vector[n];
	madvise(me->args_page, sizeof me->args, MADV_DONTNEED);
	return (char **)me->args_page;
}

static long run_call(const struct call *call, char *rest)
{
	long a[8] = { 0 };
	size_t size = 0;
	bool fills = false;

	scratch_used = 0;
	for (int n = 0; call->args[n] != '\0'; n++) {
		char *word = strchr("ot=", call->args[n]) ? NULL : next_word(&rest);
		switch (call->args[n]) {
		case 'i': a[n] = number_argument(word); break;
		case 's': a[n] = (long)text_argument(word, NULL); break;
		case 'v': a[n] = (long)stopping_vector(vector_argument(word, &rest)); break;
		case 'b': a[n] = (long)text_argument(word, &size); break;
		case 'n': a[n] = bytes_length(word, size, &a[n - 1]); break;
		case 'l': a[n] = buffer_length(number_argument(word)); break;
		case 'o':
			a[n] = (long)me->data;
			fills = true;
			break;
		case 't': a[n] = (long)filled; break;
		default: a[n] = call->constants[n];
		}
	}
	if (call->number == SYS_mknodat && !is_harmless((mode_t)a[2], (unsigned long)a[3])) {
		me->refused = true;
		return 0;
	}
	long ret = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (ret != -1 && fills) {
		me->has_data = true;
		me->data_size = (size_t)ret;
	}
	if (ret != -1 && call->fills != NULL) {
		call->fills->take(filled, shared->field[me->call]);
		shared->filled[me->call] = call->fills;
		me->has_fields = true;
	}
	return ret;
}

/* Copies between memory that may not be there and our own. Returns 0, or the signal that it raised. */
static int __attribute__((noinline)) copy_faulting(volatile char *to, const volatile char *from, size_t size)
{
	int signal = sigsetjmp(on_fault, 1);

	if (signal == 0)
		for (size_t i = 0; i < size; i++)
			to[i] = from[i];
	return signal;
}

/* peek ADDRESS LENGTH gives the bytes, poke ADDRESS BYTES gives 0; both may raise a signal. */
static long access_memory(bool store, char *rest)
{
	char *at = (char *)number_argument(next_word(&rest));
	const char *word = next_word(&rest);
	size_t size = 0;

	scratch_used = 0;
	if (store) {
		const char *bytes = text_argument(word, &size);
		me->signal = copy_faulting(at, bytes, size);
	} else {
		size = (size_t)number_argument(word);
		if (size > DATA_SIZE) {
			errno = EFAULT;
			return -1;
		}
		me->signal = copy_faulting(me->data, at, size);
		me->has_data = me->signal == 0;
		me->data_size = size;
	}
	if (me->signal != 0)
		return -1;
	return store ? 0 : (long)size;
}

static void serve(int number);

static uint64_t fork_key; /* clone takes no such argument: only who knows it may fork, see filter_calls() */

/* fork N: the child is task N. It answers the agent's calls as its parent does. */
static long fork_task(char *rest)
{
	char *word = next_word(&rest);
	int number = word != NULL ? atoi(word) : 0;

	if (number <= 0 || number >= MAX_TASKS || shared->slot[number].pid != 0) {
		errno = EAGAIN;
		return -1;
	}
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0, fork_key);
	if (pid == 0)
		serve(number);
	if (pid > 0)
		shared->slot[number].pid = pid;
	return pid > 0 ? number : -1;
}

static void run_request(char *rest)
{
	const char *name = next_word(&rest);
	long ret = -1;

	if (me->uffd > 0) /* the agent has it by now */
		close(me->uffd);
	me->uffd = 0;
	me->error = me->signal = 0;
	me->data_size = 0;
	me->has_data = me->has_fields = me->refused = false;
	errno = ENOSYS;
	if (name == NULL) {
	} else if (strcmp(name, "peek") == 0 || strcmp(name, "poke") == 0) {
		ret = access_memory(name[1] == 'o', rest);
	} else if (strcmp(name, "fork") == 0) {
		ret = fork_task(rest);
	} else {
		for (int i = 0; i < CALLS; i++) {
			if (strcmp(name, calls[i].name) == 0) {
				ret = run_call(&calls[i], rest);
				break;
			}
		}
	}
	me->error = ret == -1 && me->signal == 0 ? errno : 0;
	shared->ret[me->call] = ret;
}

/* ---- tasks: answers ------------------------------------------------------------------------------------------ */

static void say(const char *format, ...)
{
	char *at = me->answers + me->answer_size;
	va_list args;

	va_start(args, format);
	me->answer_size += (size_t)vsnprintf(at, 128, format, args);
	va_end(args);
}

static void say_text(const char *bytes, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	char *at = me->answers + me->answer_size;

	*at++ = '"';
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];
		size_t same = 1;
		while (i + same < size && (unsigned char)bytes[i + same] == c)
			same++;
		if (c <= ' ' || c >= 0x7f || c == '%' || c == '*') {
			*at++ = '%';
			*at++ = digits[c >> 4];
			*at++ = digits[c & 15];
		} else {
			*at++ = (char)c;
		}
		if (same > 4) {
			at += sprintf(at, "*%zu;", same - 1);
			i += same - 1;
		}
	}
	me->answer_size = (size_t)(at - me->answers);
}

/* One line about the call that the task has made. */
static void say_answer(void)
{
	if (me->refused) {
		say("R mknod of a device that is not a whiteout (0:0), null (1:3), zero (1:5) or full (1:7)\n");
		return;
	}
	if (me->signal != 0)
		say("!%d", me->signal);
	else if (me->error != 0)
		say("-%d", me->error);
	else
		say("%ld", shared->ret[me->call]);
	if (me->has_data) {
		say(" ");
		say_text(me->data, me->data_size);
	}
	const char *const *names = me->has_fields ? shared->filled[me->call]->names : NULL;
	for (int i = 0; names != NULL && names[i] != NULL; i++)
		say(" %s=%ld", names[i], shared->field[me->call][i]);
	say("\n");
}

/* Makes the calls of a run, unless the agent calls it off, since it has said that one of them sleeps. */
static void make_run(void)
{
	for (uint32_t at = 0;;) {
		char *line = me->line + me->line_at;
		me->line_at += strlen(line) + 1;
		me->call = (me->first + (int)at) % MAX_CALLS;
		run_request(line);
		me->last_answer = me->answer_size;
		say_answer();
		uint32_t now = at++;
		me->done = at;
		if (at == me->count || me->answer_size > RUN_ANSWERS || !atomic_compare_exchange_strong(&me->at, &now, at))
			return;
	}
}

/*
 * One robust futex is enough: the word `turn`, while the task has the turn. When the task dies or executes
 * another program the kernel sets FUTEX_OWNER_DIED in it and wakes the agent.
 */
static struct {
	struct robust_list_head head;
	struct robust_list turn;
} robust;

static void mark_turn_robust(void)
{
	robust.head.list.next = &robust.head.list;
	robust.head.futex_offset = (long)((char *)&me->turn - (char *)&robust.turn);
	robust.head.list_op_pending = &robust.turn;
	syscall(SYS_set_robust_list, &robust.head, sizeof robust.head);
}

/* A task's whole life: takes calls as long as there are any. */
static void serve(int number)
{
	uint32_t mine = (uint32_t)syscall(SYS_gettid) | FUTEX_WAITERS;

	me = &shared->slot[number];
	mark_turn_robust();
	for (;;) {
		for (uint32_t turn; (turn = me->turn) != mine;)
			futex(&me->turn, FUTEX_WAIT, turn, NULL);
		make_run();
		me->turn = 0;
		futex(&me->turn, FUTEX_WAKE, 1, NULL);
	}
}

/* ---- tasks: who they are ------------------------------------------------------------------------------------ */

static void limit_capabilities(const char *mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned long long bits = strtoull(mask, NULL, 10);

	memset(data, 0, sizeof data);
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(bits >> 32 * i);
	if (syscall(SYS_capset, &header, data) != 0)
		fail("capset");
}

static char proc_name[NAME_MAX + 1]; /* the file system that shows tasks, empty: none */

struct identity {
	unsigned uid, gid, umask, nofile, securebits;
	const char *caps; /* a bit set, or "-": all for root and none else */
	const char *cwd;
	size_t group_count;
	gid_t groups[64];
};

/* Calls that tasks need besides those of the table: to serve, to become who they are, and to end. */
static const long service_calls[] = {
	SYS_futex, SYS_close, SYS_madvise, SYS_gettid, SYS_set_robust_list, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_sched_yield, SYS_restart_syscall, SYS_setgroups, SYS_setresgid, SYS_setresuid, SYS_capset, SYS_exit, SYS_ppoll,
#ifdef SYS_pause
	SYS_pause,
#endif
};

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#else
#error "which calls may be let through is not known for this processor"
#endif

static struct sock_filter filter[64 + 2 * (CALLS + sizeof service_calls / sizeof *service_calls)];
static unsigned short filter_length;

static void filter_step(unsigned short code, uint32_t value, unsigned char when_true, unsigned char when_false)
{
	filter[filter_length++] = (struct sock_filter){ code, when_true, when_false, value };
}

static void filter_load(size_t offset)
{
	filter_step(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void filter_answer(uint32_t answer)
{
	filter_step(BPF_RET | BPF_K, answer, 0, 0);
}

/* Only little-endian: the low half of an argument comes first. */
static size_t half_of(int argument, int high)
{
	return offsetof(struct seccomp_data, args) + (size_t)argument * 8 + (size_t)high * 4;
}

/* Lets a task, and the program that it may become, make the calls of the table and no others. */
static void filter_calls(void)
{
	const uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;

	filter_length = 0;
	filter_load(offsetof(struct seccomp_data, arch));
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	filter_answer(SECCOMP_RET_KILL_PROCESS);
	filter_load(offsetof(struct seccomp_data, nr));
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 6);
	filter_load(half_of(5, 0));
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)fork_key, 0, 3);
	filter_load(half_of(5, 1));
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(fork_key >> 32), 0, 1);
	filter_answer(SECCOMP_RET_ALLOW);
	filter_answer(refuse);
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, SYS_mknodat, 0, 7 + HARMLESS);
	filter_load(half_of(2, 0));
	filter_step(BPF_ALU | BPF_AND | BPF_K, S_IFMT, 0, 0);
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 2 + HARMLESS, 0);
	filter_step(BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 0, 2 + HARMLESS);
	filter_load(half_of(3, 0));
	for (int i = 0; i < HARMLESS; i++)
		filter_step(BPF_JMP | BPF_JEQ | BPF_K, harmless_devices[i], (unsigned char)(HARMLESS - i), 0);
	filter_answer(refuse);
	filter_answer(SECCOMP_RET_ALLOW);
	for (int i = 0; i < CALLS; i++) {
		filter_step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, 0, 1);
		filter_answer(SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < sizeof service_calls / sizeof *service_calls; i++) {
		filter_step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)service_calls[i], 0, 1);
		filter_answer(SECCOMP_RET_ALLOW);
	}
	filter_answer(refuse);
	struct sock_fprog program = { filter_length, filter };
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0)
		fail("a filter of system calls");
}

static void become(const struct identity *who)
{
	if (chroot("/s/r") != 0 || chdir(who->cwd) != 0)
		fail("cannot enter %s", who->cwd);
	const struct rlimit nofile = { .rlim_cur = who->nofile, .rlim_max = who->nofile };
	if (setrlimit(RLIMIT_NOFILE, &nofile) != 0)
		fail("limit of %u descriptors", who->nofile);
	filter_calls();
	umask(who->umask);
	if (who->securebits != 0 && prctl(PR_SET_SECUREBITS, who->securebits) != 0)
		fail("securebits");
	if (!in_user_ns && setgroups(who->group_count, who->groups) != 0)
		fail("setgroups");
	if (syscall(SYS_setresgid, who->gid, who->gid, who->gid) != 0)
		fail("gid %u", who->gid);
	if (who->caps[0] != '-' && who->uid != 0)
		prctl(PR_SET_KEEPCAPS, 1);
	if (syscall(SYS_setresuid, who->uid, who->uid, who->uid) != 0)
		fail("uid %u", who->uid);
	if (who->caps[0] != '-') {
		limit_capabilities(who->caps);
		prctl(PR_SET_KEEPCAPS, 0);
	}
	/* Whose ids have changed is shown as root's. Only who sees tasks can tell. */
	if (proc_name[0] != '\0')
		prctl(PR_SET_DUMPABLE, 1);
}

static int null_fd;
static bool stoppable;      /* tasks of this program get what is needed to stop them */
static int uffd[MAX_TASKS]; /* the agent's, 0: none; why there is none, as a negative errno */
static int forks_to[MAX_TASKS]; /* the number of the child that a task is about to have */
static bool faulted[MAX_TASKS]; /* it waits for its arguments */

/* A page of the task's memory that the agent fills when somebody wants to read it. */
static void make_args_page(struct slot *slot)
{
	/* A forked child's page waits for the agent too, which gets a descriptor of its own for it. */
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	slot->uffd = -errno;
	if (fd < 0)
		return;
	slot->args_page = mmap(NULL, sizeof slot->args, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register area = {
		.range = { (unsigned long)slot->args_page, sizeof slot->args },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	if (slot->args_page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &area) != 0) {
		slot->uffd = -errno;
		slot->args_page = NULL;
		close(fd);
		return;
	}
	slot->uffd = fd;
}

/* A request that asks for nothing: the task closes its userfaultfd, which others would see among its descriptors. */
static void ask_for_nothing(struct slot *slot)
{
	slot->line[0] = '\0';
	slot->line_at = slot->answer_size = 0;
	slot->first = MAX_CALLS - 1;
	slot->count = 1;
	slot->turn = (uint32_t)slot->pid | FUTEX_WAITERS;
	futex(&slot->turn, FUTEX_WAKE, 1, NULL);
	for (uint32_t turn; (turn = slot->turn) != 0 && (turn & FUTEX_OWNER_DIED) == 0;)
		futex(&slot->turn, FUTEX_WAIT, turn, NULL);
}

static void take_uffd(int number)
{
	struct slot *slot = &shared->slot[number];
	int pidfd = (int)syscall(SYS_pidfd_open, slot->pid, 0);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, slot->uffd, 0);

	uffd[number] = fd > 0 ? fd : -errno;
	close(pidfd);
	ask_for_nothing(slot);
}

/* What a task's userfaultfd says: it misses its arguments, or it has forked and here is the child's. */
static void hear_of_memory(int number)
{
	struct pollfd ready = { .fd = uffd[number], .events = POLLIN };
	struct uffd_msg message;

	if (uffd[number] <= 0 || poll(&ready, 1, 0) != 1 || read(uffd[number], &message, sizeof message) <= 0)
		return;
	if (message.event == UFFD_EVENT_PAGEFAULT)
		faulted[number] = true;
	if (message.event != UFFD_EVENT_FORK)
		return;
	int child = forks_to[number];
	shared->slot[child].args_page = shared->slot[number].args_page;
	uffd[child] = (int)message.arg.fork.ufd;
}

static void start_task(char *rest)
{
	struct identity who = { 0 };
	int number = atoi(next_word(&rest));
	char cwd[PATH_MAX];

	who.uid = (unsigned)atol(next_word(&rest));
	who.gid = (unsigned)atol(next_word(&rest));
	who.umask = (unsigned)atol(next_word(&rest));
	who.nofile = (unsigned)atol(next_word(&rest));
	who.securebits = (unsigned)atol(next_word(&rest));
	who.caps = next_word(&rest);
	decode(next_word(&rest) + 1, cwd, sizeof cwd - 1);
	who.cwd = cwd;
	for (char *word; (word = next_word(&rest)) != NULL && who.group_count < 64;)
		who.groups[who.group_count++] = (gid_t)atol(word);
	if (number <= 0 || number >= MAX_TASKS) {
		errno = 0;
		fail("task %d: numbers are 1 to %d", number, MAX_TASKS - 1);
		return;
	}
	struct slot *slot = &shared->slot[number];
	slot->state = RETURNED;
	slot->stop = NO_STOP;
	slot->uffd = 0;
	slot->args_page = NULL;
	slot->turn = UINT32_MAX; /* nobody's, until the task is ready */
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };
		sigaction(SIGBUS, &action, NULL);
		sigaction(SIGSEGV, &action, NULL);
		for (int fd = 0; fd < 3; fd++)
			dup2(null_fd, fd);
		syscall(SYS_close_range, 3, ~0U, 0);
		setup_error[0] = '\0';
		if (stoppable)
			make_args_page(slot);
		become(&who);
		if (setup_error[0] != '\0') {
			strcpy(slot->data, setup_error);
			_exit(1);
		}
		slot->data[0] = '\0';
		slot->turn = 0;
		futex(&slot->turn, FUTEX_WAKE, 1, NULL);
		serve(number);
	}
	slot->pid = pid;
	if (pid < 0) {
		fail("fork");
		return;
	}
	while (slot->turn != 0) {
		static const struct timespec moment = { .tv_nsec = 5000000 };
		futex(&slot->turn, FUTEX_WAIT, UINT32_MAX, &moment);
		if (slot->turn != 0 && waitpid(pid, NULL, WNOHANG) == pid) {
			slot->pid = 0;
			errno = 0;
			fail("task %d: %s", number, slot->data);
			return;
		}
	}
	uffd[number] = slot->uffd;
	if (slot->uffd > 0)
		take_uffd(number);
}

/* ---- the agent: building trees and mounts ------------------------------------------------------------------ */

/* A directory of a file system, as NAME or NAME/SUB: the file system's tree stands in its directory t. */
static void layer_path(const char *word, char *out)
{
	char text[PATH_MAX];
	decode(word + 1, text, sizeof text - 1);
	const char *slash = strchr(text, '/');
	int name = slash != NULL ? (int)(slash - text) : (int)strlen(text);
	snprintf(out, PATH_MAX, "/s/f/%.*s/t%s", name, text, slash != NULL ? slash : "");
}

/* A layer of an overlay: such a directory, or one that earlier mounts show, as an absolute path. */
static void overlay_layer(const char *word, char *out)
{
	char text[PATH_MAX];

	decode(word + 1, text, sizeof text - 1);
	if (text[0] != '/')
		layer_path(word, out);
	else
		snprintf(out, PATH_MAX, "/s/r%.*s", PATH_MAX - 8, strcmp(text, "/") == 0 ? "" : text);
}

/* The directory in which something was made last, and its descriptor, 0: none. Most files of a tree have the same. */
static char parent_path[PATH_MAX];
static int parent_fd;

static void forget_parent(void)
{
	if (parent_fd > 0)
		close(parent_fd);
	parent_fd = 0;
	parent_path[0] = '\0';
}

/* Opens the directory in which a path stands, and makes it where it is missing. Returns false where it has failed. */
static bool open_parent(char *path)
{
	size_t length = (size_t)(strrchr(path, '/') - path);

	if (parent_fd > 0 && strncmp(parent_path, path, length) == 0 && parent_path[length] == '\0')
		return true;
	forget_parent();
	memcpy(parent_path, path, length);
	parent_path[length] = '\0';
	if (!stays(parent_path))
		return false;
	parent_fd = open(parent_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0) {
		for (char *c = strchr(path + 1, '/'); c != NULL; c = strchr(c + 1, '/')) {
			*c = '\0';
			mkdir(path, 0755);
			*c = '/';
		}
		parent_fd = open(parent_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	errno = 0;
	return true;
}

static void file_system_made(char *rest)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path - 2, "/s/f/%s", next_word(&rest));
	if (!stays(path))
		return;
	if (mkdir(path, 0755) != 0 || mount("tmpfs", path, "tmpfs", 0, "mode=0755,size=1g,nr_inodes=1m") != 0)
		fail("tmpfs");
	strcat(path, "/t");
	if (mkdir(path, 0755) != 0)
		fail("%s", path);
}

static void file_system_read_only(char *rest)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "/s/f/%s", next_word(&rest));
	if (!stays(path))
		return;
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
		fail("read-only");
}

/* A file with its mode; set-id bits would not outlive its owner. */
static int make_file(const char *name, mode_t mode, const char *word)
{
	static char bytes[LINE_SIZE];
	size_t size = decode(word + 1, bytes, sizeof bytes - 1);
	int fd = openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode & 01777);
	bool made = fd >= 0 && (size == 0 || write(fd, bytes, size) == (ssize_t)size);

	if (fd >= 0)
		close(fd);
	return made ? 0 : -1;
}

/*
 * dir   PATH MODE UID GID
 * file  PATH MODE UID GID "BYTES
 * sym   PATH MODE UID GID "TARGET
 * node  PATH MODE UID GID RDEV       the mode says which kind
 * hard  PATH OLD                     another name
 * white PATH                         a whiteout
 * opaque PATH                        nothing of lower layers is seen in this directory
 */
static void build(const char *what, char *rest)
{
	char path[PATH_MAX], other[PATH_MAX];

	layer_path(next_word(&rest), path);
	const char *name = strrchr(path, '/') + 1;
	if (strcmp(name, "..") == 0)
		fail("%s leads out", path);
	if (setup_error[0] != '\0' || !open_parent(path))
		return;
	if (strcmp(what, "hard") == 0) {
		layer_path(next_word(&rest), other);
		if (stays(other) && linkat(AT_FDCWD, other, parent_fd, name, 0) != 0)
			fail("link %s", path);
		return;
	}
	if (strcmp(what, "white") == 0) {
		/* Of root, in a set-group-ID directory too: a set-up gives whiteouts no owner. */
		if (mknodat(parent_fd, name, S_IFCHR, makedev(0, 0)) != 0 ||
		    fchownat(parent_fd, name, 0, 0, AT_SYMLINK_NOFOLLOW) != 0)
			fail("whiteout %s", path);
		return;
	}
	if (strcmp(what, "opaque") == 0) {
		const char *attribute = in_user_ns ? "user.overlay.opaque" : "trusted.overlay.opaque";
		if (setxattr(path, attribute, "y", 1, 0) != 0)
			fail("opaque %s", path);
		return;
	}
	mode_t mode = (mode_t)atol(next_word(&rest));
	uid_t uid = (uid_t)atol(next_word(&rest));
	gid_t gid = (gid_t)atol(next_word(&rest));
	char *word = next_word(&rest);
	bool is_dir = strcmp(what, "dir") == 0;
	int made = -1;
	if (is_dir) {
		made = mkdirat(parent_fd, name, 0755) != 0 && errno != EEXIST ? -1 : 0;
	} else if (strcmp(what, "file") == 0) {
		made = make_file(name, mode, word);
	} else if (strcmp(what, "sym") == 0) {
		decode(word + 1, other, sizeof other - 1);
		made = symlinkat(other, parent_fd, name);
	} else {
		unsigned long dev = strtoul(word, NULL, 10);
		errno = EPERM;
		made = is_harmless(mode, dev) ? mknodat(parent_fd, name, mode, (dev_t)dev) : -1;
	}
	if (made != 0)
		fail("%s", path);
	/* Also to root: in a set-group-id directory the group is not root's by itself. */
	if (fchownat(parent_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		fail("owner of %s", path);
	/* What has its mode from the beginning keeps it; a directory may have got a set-group-id bit from its parent. */
	bool has_mode = !is_dir && (mode & 06000) == 0;
	if (strcmp(what, "sym") != 0 && !has_mode && fchmodat(parent_fd, name, mode & 07777, 0) != 0)
		fail("mode of %s", path);
}

static void inode_flags(char *rest)
{
	char path[PATH_MAX];

	layer_path(next_word(&rest), path);
	int flags = atoi(next_word(&rest));
	int fd = stays(path) ? open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) : -1;
	if (fd < 0 || ioctl(fd, FS_IOC_SETFLAGS, &flags) != 0)
		fail("flags of %s", path);
	close(fd);
}

static void overlay_option(char *options, size_t size, const char *name, const char *path)
{
	size_t n = strlen(options);

	n += (size_t)snprintf(options + n, size - n, "%s", name);
	for (; *path != '\0' && n + 2 < size; path++) {
		if (strchr(":,\\", *path) != NULL)
			options[n++] = '\\';
		options[n++] = *path;
	}
	options[n] = '\0';
}

enum { MAX_OVERLAYS = 32 };
static char overlays[MAX_OVERLAYS][PATH_MAX]; /* where they are mounted */
static int overlay_count;
static char lower_overlays[MAX_OVERLAYS][PATH_MAX]; /* layers of overlays that lie on overlays */
static int lower_overlay_count;

/* Notes a lower layer that lies on an overlay. */
static void note_layer(const char *path)
{
	struct statfs fs;

	if (lower_overlay_count < MAX_OVERLAYS && statfs(path, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC)
		snprintf(lower_overlays[lower_overlay_count++], PATH_MAX, "%s", path);
}

static void mount_overlay(const char *at, unsigned long flags, char *rest)
{
	char options[16384] = "", path[PATH_MAX];
	const char *upper = next_word(&rest), *work = next_word(&rest), *more = next_word(&rest);
	const char *separator = "lowerdir=";

	for (char *lower; (lower = next_word(&rest)) != NULL; separator = ":") {
		overlay_layer(lower, path);
		if (!stays(path))
			return;
		note_layer(path);
		overlay_option(options, sizeof options, separator, path);
	}
	if (upper[0] != '-') {
		overlay_layer(upper, path);
		if (!stays(path))
			return;
		overlay_option(options, sizeof options, ",upperdir=", path);
	}
	if (work[0] != '-') {
		overlay_layer(work, path);
		if (!stays(path))
			return;
		overlay_option(options, sizeof options, ",workdir=", path);
	}
	if (more[0] != '-' && strlen(options) + strlen(more) + sizeof ",userxattr" < sizeof options)
		strcat(strcat(options, ","), more);
	if (in_user_ns)
		strcat(options, ",userxattr");
	if (mount("overlay", at, "overlay", flags, options) != 0)
		fail("overlay %s (%s)", at, options);
	if (overlay_count < MAX_OVERLAYS)
		snprintf(overlays[overlay_count++], PATH_MAX, "%s", at);
}

/*
 * Tasks that see each other: of a procfs that no path leads to, only the directories of their descriptors are shown,
 * each mounted on a directory of a tmpfs. Descriptors lead to what the stage has; a whole procfs leads to our own program.
 */
enum { MAX_SHOWN = 8 };
static char proc_places[MAX_SHOWN][PATH_MAX];
static unsigned long proc_flags[MAX_SHOWN];
static int proc_count;

static int proc_fd; /* a procfs that is mounted nowhere, until descriptors are to be shown */

/* Gives our procfs a path: binds begin there. It leads out of the root of every task. */
static bool attach_proc(void)
{
	static bool attached;

	if (!attached)
		attached = syscall(SYS_move_mount, proc_fd, "", AT_FDCWD, "/p", MOVE_MOUNT_F_EMPTY_PATH) == 0;
	return attached;
}

static void proc_made(char *rest)
{
	char path[PATH_MAX];

	snprintf(proc_name, sizeof proc_name, "%s", rest != NULL ? rest : "");
	file_system_made(rest);
	snprintf(path, sizeof path, "/s/f/%s/t", proc_name);
	if (chmod(path, 0555) != 0 || !attach_proc())
		fail("proc");
}

static void note_proc(const char *from, const char *at, unsigned long flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "/s/f/%s/t", proc_name);
	size_t length = strlen(path);
	if (proc_name[0] == '\0' || strncmp(from, path, length) != 0 || strspn(from + length, "/") != strlen(from + length))
		return;
	if (proc_count == MAX_SHOWN) {
		errno = 0;
		fail("more than %d mounts of proc", MAX_SHOWN);
		return;
	}
	snprintf(proc_places[proc_count], PATH_MAX, "%s", at);
	proc_flags[proc_count++] = flags;
}

/* show N NUMBER */
static void show_task(char *rest)
{
	char from[64], path[PATH_MAX], fd[PATH_MAX + 8];
	const char *slot = next_word(&rest), *number = next_word(&rest);
	int n = slot != NULL ? atoi(slot) : 0;

	if (number == NULL || n <= 0 || n >= MAX_TASKS || shared->slot[n].pid <= 0 || proc_name[0] == '\0')
		return;
	snprintf(path, sizeof path, "/s/f/%s/t/%d", proc_name, atoi(number));
	snprintf(fd, sizeof fd, "%s/fd", path);
	mkdir(path, 0555);
	mkdir(fd, 0555);
	snprintf(from, sizeof from, "/p/%d/fd",shared->slot[n].pid);
	for (int i = 0; i < proc_count; i++) {
		snprintf(fd, sizeof fd, "%.*s/%d/fd", PATH_MAX - 16, proc_places[i], atoi(number));
		umount2(fd, MNT_DETACH); /* of an earlier task of that number */
		errno = 0;
		if (mount(from, fd, NULL, MS_BIND, NULL) != 0 ||
		    (proc_flags[i] != 0 && mount(NULL, fd, NULL, MS_REMOUNT | MS_BIND | proc_flags[i], NULL) != 0))
			fail("descriptors of task %s", number);
	}
}

static void mount_at(char *rest)
{
	char inside[PATH_MAX - 8], at[PATH_MAX], from[PATH_MAX];
	char *word = next_word(&rest);

	decode(word + 1, inside, sizeof inside - 1);
	snprintf(at, sizeof at, "/s/r%s", strcmp(inside, "/") == 0 ? "" : inside);
	if (!open_parent(at) || !stays(at))
		return;
	struct stat st;
	if (lstat(at, &st) != 0)
		mkdir(at, 0755);
	unsigned long flags = strtoul(next_word(&rest), NULL, 10);
	const char *kind = next_word(&rest);
	if (strcmp(kind, "overlay") == 0) {
		mount_overlay(at, flags, rest);
		return;
	}
	if (strcmp(kind, "fs") == 0) {
		layer_path(next_word(&rest), from);
	} else if (strcmp(kind, "bind") == 0) {
		decode(next_word(&rest) + 1, inside, sizeof inside - 1);
		snprintf(from, sizeof from, "/s/r%s", inside);
	} else {
		return;
	}
	if (!stays(from))
		return;
	if (mount(from, at, NULL, MS_BIND, NULL) != 0)
		fail("mount %s at %s", from, at);
	note_proc(from, at, flags);
	if (flags != 0 && mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | flags, NULL) != 0)
		fail("options of %s", at);
}

/* ---- the agent: one program --------------------------------------------------------------------------------- */

static bool stage_is_up;
static int next_call;
static int highest_task;

/*
 * What tasks have for their first three descriptors is theirs: they may change its mode. A user namespace makes
 * no devices; there it is the host's, which belongs to somebody else.
 */
static void open_null(void)
{
	if (in_user_ns)
		return;
	if (null_fd > 0)
		close(null_fd);
	null_fd = -1;
	if (mknod("/s/null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		null_fd = open("/s/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		fail("a null device");
}

/* Every program has a tmpfs of its own, with its file systems below /s/f and what its tasks see below /s/r. */
static void raise_stage(void)
{
	if (stage_is_up)
		return;
	stage_is_up = true;
	next_call = 0;
	highest_task = 0;
	overlay_count = lower_overlay_count = proc_count = 0;
	proc_name[0] = '\0';
	stoppable = false;
	setup_error[0] = '\0';
	forget_parent();
	errno = 0;
	if (mount("tmpfs", "/s", "tmpfs", 0, "mode=0755,size=16m") != 0 || mkdir("/s/f", 0755) != 0 ||
	    mkdir("/s/r", 0755) != 0)
		fail("stage");
	open_null();
}

/* ---- the agent: stops inside calls ----------------------------------------------------------------------------- */

static int watch[MAX_TASKS];   /* the fanotify group of a task that is to stop, 0: none */
static int event[MAX_TASKS];   /* the event that it waits at, 0: none */

static void allow(int group, int file)
{
	struct fanotify_response response = { .fd = file, .response = FAN_ALLOW };

	if (write(group, &response, sizeof response) < 0)
		fail("fanotify");
	close(file);
}

static bool mark_all(int group, enum stop stop)
{
	const unsigned flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
	uint64_t mask = stop_events[stop];
	char path[PATH_MAX];
	bool good = true;

	/* Only layers: a call opens and reads files of the overlay above them itself. */
	if (stop == STACKED_OPEN || stop == STACKED_READ) {
		for (int i = 0; good && i < lower_overlay_count; i++)
			good = fanotify_mark(group, flags, mask, AT_FDCWD, lower_overlays[i]) == 0;
		return good;
	}
	DIR *dir = opendir("/s/f");
	good = dir != NULL;
	for (struct dirent *each; good && (each = readdir(dir)) != NULL;) {
		if (each->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/s/f/%s", each->d_name);
		good = fanotify_mark(group, flags, mask, AT_FDCWD, path) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	for (int i = 0; good && stop == EXEC_OPEN && i < overlay_count; i++)
		good = fanotify_mark(group, flags, mask, AT_FDCWD, overlays[i]) == 0;
	return good;
}

/* Makes the next call of a task stop. Returns false, with errno, where this cannot be had. */
static bool arm(int number, enum stop stop)
{
	if (stop == EXEC_ARGS) {
		errno = -uffd[number];
		return uffd[number] > 0;
	}
	int group = fanotify_init(FAN_CLASS_CONTENT | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_LARGEFILE | O_CLOEXEC);
	if (group < 0)
		return false;
	if (!mark_all(group, stop)) {
		close(group);
		return false;
	}
	watch[number] = group;
	return true;
}

/* Lets the task go on, and whoever else waits for the same group. */
static void disarm(int number)
{
	if (event[number] > 0)
		allow(watch[number], event[number]);
	if (watch[number] > 0)
		close(watch[number]);
	if (faulted[number] && shared->slot[number].pid > 0) {
		struct uffdio_copy copy = {
			.dst = (unsigned long)shared->slot[number].args_page,
			.src = (unsigned long)shared->slot[number].args,
			.len = sizeof shared->slot[number].args,
		};
		if (ioctl(uffd[number], UFFDIO_COPY, &copy) != 0)
			fail("userfaultfd");
	}
	watch[number] = event[number] = 0;
	faulted[number] = false;
}

/* Is this what the task is to stop at? A copy-up opens files of the upper layer too: they are empty. */
static bool is_stop(int number, const struct fanotify_event_metadata *each)
{
	struct stat st;

	if (each->pid != shared->slot[number].pid || event[number] > 0)
		return false;
	return shared->slot[number].stop == EXEC_OPEN || (fstat(each->fd, &st) == 0 && st.st_size > 0);
}

/* Answers what asks for permission; the task that is to stop is not answered. */
static void look_for_stops(void)
{
	for (int i = 1; i <= highest_task; i++) {
		struct fanotify_event_metadata events[16];
		ssize_t n = watch[i] > 0 ? read(watch[i], events, sizeof events) : 0;
		for (const struct fanotify_event_metadata *each = events; FAN_EVENT_OK(each, n); each = FAN_EVENT_NEXT(each, n)) {
			if (!is_stop(i, each)) {
				allow(watch[i], each->fd);
				continue;
			}
			/* Nobody else is to wait: the agent itself opens files, when it reads of other stops. */
			event[i] = each->fd;
			fanotify_mark(watch[i], FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
		}
		hear_of_memory(i);
	}
}

static bool has_stopped(const struct slot *slot)
{
	long number = slot - shared->slot;

	return event[number] > 0 || faulted[number];
}

static void clear_stage(void)
{
	for (int i = 1; i <= highest_task; i++)
		if (shared->slot[i].pid > 0)
			kill(shared->slot[i].pid, SIGKILL);
	/* A child of a task becomes ours when the task dies. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (int i = 1; i <= highest_task; i++) {
		shared->slot[i].pid = 0;
		disarm(i);
		if (uffd[i] > 0)
			close(uffd[i]);
		uffd[i] = 0;
	}
	forget_parent();
	if (stage_is_up && umount2("/s", MNT_DETACH) != 0)
		fail("umount");
	stage_is_up = false;
}

/* State of a process as ps shows it, 0 when there is none. */
static char process_state(pid_t pid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "%d/stat", pid);
	int fd = openat(proc_fd, path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *name_end = strrchr(text, ')');
	return name_end != NULL ? name_end[2] : 0;
}

/* The kernel gave the turn back: the task is dead, or another program now. Waits until it has settled. */
static enum outcome other_program(struct slot *slot)
{
	for (;;) {
		char state = process_state(slot->pid);
		if (state == 0 || state == 'Z' || state == 'X')
			return DEAD;
		if (state == 'S' || state == 'T')
			return RUNS_OTHER;
		sched_yield();
	}
}

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether the call that the task makes sleeps; then it makes no other of its run when it wakes. */
static bool sleeps(struct slot *slot, uint32_t at)
{
	char state = process_state(slot->pid);

	return (state == 'S' || state == 'D') && atomic_compare_exchange_strong(&slot->at, &at, CALLED_OFF);
}

static enum outcome wait_for_turn(struct slot *slot)
{
	uint32_t at = slot->at;
	long deadline = now_ms() + BLOCKED_MS;

	for (;;) {
		if (stoppable) {
			look_for_stops();
			if (has_stopped(slot))
				return STOPPED;
		}
		uint32_t turn = slot->turn;
		if (turn == 0)
			return RETURNED;
		if (turn & FUTEX_OWNER_DIED)
			return other_program(slot);
		struct timespec moment = { .tv_nsec = stoppable ? 500000 : 20000000 };
		futex(&slot->turn, FUTEX_WAIT, turn, &moment);
		if (slot->turn != turn)
			continue;
		if (slot->at != at) {
			at = slot->at;
			deadline = now_ms() + BLOCKED_MS;
		} else if (now_ms() > deadline && sleeps(slot, at)) {
			return BLOCKED;
		}
	}
}

/* What the task's calls have answered and nobody was told yet. */
static void answer(struct slot *slot)
{
	fwrite(slot->answers + slot->told, 1, slot->answer_size - slot->told, stdout);
	slot->told = slot->answer_size;
}

/* Of a call that has not answered. */
static void answer_why(const struct slot *slot)
{
	static const char *const why[] = { [RUNS_OTHER] = "X", [DEAD] = "D", [BLOCKED] = "B", [STOPPED] = "S" };

	puts(why[slot->state]);
}

/* Of a call that was waited for: what it gave, or why it has not answered. */
static void answer_last(struct slot *slot)
{
	if (slot->state != RETURNED) {
		answer_why(slot);
		return;
	}
	slot->told = slot->last_answer;
	answer(slot);
}

static struct slot *task_named(const char *word)
{
	int number = word != NULL ? atoi(word) : 0;

	if (number <= 0 || number >= MAX_TASKS || shared->slot[number].pid <= 0)
		return NULL;
	if (number > highest_task)
		highest_task = number;
	return &shared->slot[number];
}

static struct slot *running; /* whose calls are gathered for a run, NULL: there are none */

/* Makes the calls that were gathered; those that the task does not come to answer why. */
static void make_gathered(void)
{
	struct slot *slot = running;
	uint32_t left = slot != NULL ? slot->count : 0;

	running = NULL;
	while (left > 0 && slot->state == RETURNED) {
		slot->count = left;
		slot->at = slot->done = 0;
		slot->answer_size = slot->told = 0;
		slot->turn = (uint32_t)slot->pid | FUTEX_WAITERS;
		futex(&slot->turn, FUTEX_WAKE, 1, NULL);
		slot->state = wait_for_turn(slot);
		left -= slot->done;
		slot->first += (int)slot->done;
		answer(slot);
	}
	for (; left > 0; left--)
		answer_why(slot);
}

/* The child that a task is about to have takes calls as soon as it is there. */
static void expect_child(struct slot *slot, int number)
{
	if (number <= 0 || number >= MAX_TASKS)
		return;
	if (number > highest_task)
		highest_task = number;
	struct slot *child = &shared->slot[number];
	child->turn = 0;
	child->state = RETURNED;
	child->uffd = 0;
	child->args_page = NULL;
	forks_to[slot - shared->slot] = number;
}

/* Gives the next call its number. */
static void expect_call(void)
{
	int number = next_call++ % MAX_CALLS;

	shared->ret[number] = -1;
	shared->filled[number] = NULL;
}

static void gather(struct slot *slot, const char *call)
{
	size_t size = strlen(call) + 1;

	if (running != slot || slot->line_size + size > LINE_SIZE)
		make_gathered();
	if (running == NULL) {
		running = slot;
		slot->first = next_call;
		slot->count = 0;
		slot->line_at = slot->line_size = 0;
	}
	memcpy(slot->line + slot->line_size, call, size);
	slot->line_size += size;
	slot->count++;
	expect_call();
}

/* A task that makes no more calls answers why. */
static void make_call(char *rest)
{
	struct slot *slot = task_named(next_word(&rest));

	if (slot == NULL || rest == NULL || slot->state != RETURNED) {
		make_gathered();
		expect_call();
		if (slot == NULL || rest == NULL)
			puts("D");
		else
			answer_why(slot);
		return;
	}
	if (strncmp(rest, "fork ", 5) != 0) {
		gather(slot, rest);
		return;
	}
	make_gathered();
	if (slot->state == RETURNED)
		expect_child(slot, atoi(rest + 5));
	gather(slot, rest);
	make_gathered();
}

/* stop KIND N NAME ARGUMENT… */
static void stop_call(char *rest)
{
	const char *kind = next_word(&rest);
	int number = rest != NULL ? atoi(rest) : 0, stop = NO_STOP + 1;

	while (kind != NULL && stop < STOPS && strcmp(kind, stop_names[stop]) != 0)
		stop++;
	if (kind == NULL || stop == STOPS || number <= 0 || number >= MAX_TASKS) {
		puts("E there is no such stop");
		return;
	}
	if (!arm(number, (enum stop)stop)) {
		printf("E this kernel does not stop at %s: %s\n", kind, strerror(errno));
		return;
	}
	shared->slot[number].stop = (enum stop)stop;
	make_call(rest);
	make_gathered();
	if (shared->slot[number].state != STOPPED)
		disarm(number);
	shared->slot[number].stop = NO_STOP;
}

static void go_on(char *rest)
{
	struct slot *slot = task_named(next_word(&rest));

	if (slot == NULL) {
		puts("D");
		return;
	}
	if (slot->state == STOPPED) {
		disarm((int)(slot - shared->slot));
		slot->state = wait_for_turn(slot);
	}
	answer_last(slot);
}

static void wait_for_call(char *rest)
{
	struct slot *slot = task_named(next_word(&rest));

	if (slot == NULL) {
		puts("D");
		return;
	}
	if (slot->state == BLOCKED)
		slot->state = wait_for_turn(slot);
	answer_last(slot);
}

/* The numbers (LSM_ID_*) of the active security modules, in their order; an errno before 6.8. */
static void security_modules(void)
{
	enum { LSM_LIST_MODULES = 461 };
	uint64_t ids[64];
	uint32_t size = sizeof ids;
	long n = syscall(LSM_LIST_MODULES, ids, &size, 0);

	printf("%ld", n < 0 ? -(long)errno : n);
	for (long i = 0; i < n; i++)
		printf("%s%llu", i == 0 ? " \"" : ",", (unsigned long long)ids[i]);
	putchar('\n');
}

enum { PACE_MS = 100 };

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

static void mount_and_unmount(void)
{
	if (mount("tmpfs", "/s", "tmpfs", 0, "mode=0755,size=1m") == 0)
		umount2("/s", MNT_DETACH);
}

static long per_second(void (*work)(void))
{
	long began = now_ms(), passed, times = 0;

	do {
		work();
		times++;
		passed = now_ms() - began;
	} while (passed < PACE_MS);
	return times * 1000 / passed;
}

/* What no play can be faster than, if it has processes and mounts of its own. */
static void pace(void)
{
	printf("%ld \"%ld\n", per_second(fork_and_wait), per_second(mount_and_unmount));
}

/* Ends a task, whatever it is doing; its number may be given to another. Forgets what a task could not be made for. */
static void end_task(char *rest)
{
	struct slot *slot = task_named(next_word(&rest));

	setup_error[0] = '\0';
	if (slot != NULL) {
		char state;

		kill(slot->pid, SIGKILL);
		while ((state = process_state(slot->pid)) != 0 && state != 'Z' && state != 'X')
			sched_yield();
		/* The child of another task stays a zombie until that ends. */
		waitpid(slot->pid, NULL, WNOHANG);
		slot->pid = 0;
	}
	puts("D");
}

static void request(char *line)
{
	char *rest = line;
	const char *what = next_word(&rest);

	if (what == NULL)
		return;
	if (strcmp(what, "call") == 0) {
		make_call(rest);
		return;
	}
	make_gathered();
	if (strcmp(what, "wait") == 0) {
		wait_for_call(rest);
		return;
	}
	if (strcmp(what, "stop") == 0) {
		stop_call(rest);
		return;
	}
	if (strcmp(what, "go") == 0) {
		go_on(rest);
		return;
	}
	if (strcmp(what, "lsm") == 0) {
		security_modules();
		return;
	}
	if (strcmp(what, "pace") == 0) {
		pace();
		return;
	}
	if (strcmp(what, "kill") == 0) {
		end_task(rest);
		return;
	}
	if (strcmp(what, "end") == 0) {
		clear_stage();
		puts(".");
		return;
	}
	raise_stage();
	errno = 0;
	bool failed_before = setup_error[0] != '\0';
	if (strcmp(what, "fs") == 0)
		file_system_made(rest);
	else if (strcmp(what, "proc") == 0)
		proc_made(rest);
	else if (strcmp(what, "show") == 0)
		show_task(rest);
	else if (strcmp(what, "fsro") == 0)
		file_system_read_only(rest);
	else if (strcmp(what, "at") == 0)
		mount_at(rest);
	else if (strcmp(what, "stoppable") == 0)
		stoppable = true;
	else if (strcmp(what, "flag") == 0)
		inode_flags(rest);
	else if (strcmp(what, "task") == 0) {
		int number = rest != NULL ? atoi(rest) : 0;
		if (number > highest_task && number < MAX_TASKS)
			highest_task = number;
		start_task(rest);
	} else
		build(what, rest);
	if (!failed_before && setup_error[0] != '\0')
		printf("E %s\n", setup_error);
}

/* Reads requests until there are none; what is answered goes out before the agent waits for more. */
static void serve_requests(void)
{
	static char buffer[4 * LINE_SIZE];
	size_t used = 0;

	for (;;) {
		if (used == sizeof buffer)
			return; /* a line that no caller of ours writes */
		fflush(stdout);
		ssize_t n = read(STDIN_FILENO, buffer + used, sizeof buffer - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		used += (size_t)n;
		char *start = buffer, *end;
		while ((end = memchr(start, '\n', used - (size_t)(start - buffer))) != NULL) {
			*end = '\0';
			if (end - start < LINE_SIZE)
				request(start);
			else
				puts("E a request longer than a mebibyte");
			start = end + 1;
		}
		make_gathered();
		used -= (size_t)(start - buffer);
		memmove(buffer, start, used);
	}
}

/* ---- the agent: its namespaces -------------------------------------------------------------------------------- */

/* Ends with one line that says why nothing can be played here. */
static void give_up(const char *what)
{
	printf("E %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		give_up(path);
	close(fd);
}

/* Without root: one user namespace in which this user is root. */
static void make_user_ns(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER) != 0)
		give_up("user namespaces are not allowed here");
	in_user_ns = true;
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", uid);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1", gid);
	write_text("/proc/self/gid_map", map);
}

/* A procfs of our processes, as a descriptor. */
static int open_proc(void)
{
	int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	int made = -1;

	if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		made = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (made < 0)
		give_up("proc");
	close(context);
	return made;
}

/* A tmpfs as root, with nothing in it but the place of the stage; the old root is gone. */
static void leave_host(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		give_up("private mounts");
	proc_fd = open_proc();
	if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755,size=1m") != 0)
		give_up("a tmpfs on /tmp");
	if (mkdir("/tmp/s", 0755) != 0 || mkdir("/tmp/p", 0700) != 0)
		give_up("directories");
	if (chdir("/tmp") != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
	    chdir("/") != 0)
		give_up("pivot_root");
}

/* Should what is played use up the memory, we are ended for it and not somebody else; nothing of it stays then. */
static void be_first_to_go(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) < 0)
		fprintf(stderr, "oom_score_adj: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* All of our processes: see the top. Where this cannot be had they are slower. */
static void stay_on_one_processor(int wanted)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || wanted < 0)
		return;
	while (!CPU_ISSET(wanted % CPU_SETSIZE, &allowed))
		wanted++;
	CPU_ZERO(&one);
	CPU_SET(wanted % CPU_SETSIZE, &one);
	sched_setaffinity(0, sizeof one, &one);
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	syscall(SYS_close_range, 3, ~0U, 0);
	int processor = sched_getcpu();
	bool user_ns = geteuid() != 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--user-ns") == 0)
			user_ns = true;
		else
			processor = atoi(argv[i]);
	}
	if (user_ns)
		make_user_ns();
	null_fd = in_user_ns ? open("/dev/null", O_RDWR | O_CLOEXEC) : 0;
	if (null_fd < 0)
		give_up("/dev/null");
	if (getrandom(&fork_key, sizeof fork_key, 0) != sizeof fork_key)
		give_up("random bytes");
	be_first_to_go();
	stay_on_one_processor(processor);
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) != 0)
		give_up("mount and process namespaces");
	pid_t agent = fork();
	if (agent < 0)
		give_up("fork");
	if (agent > 0) {
		int status = 0;
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		waitpid(agent, &status, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	static const struct rlimit no_core = { 0, 0 };
	setrlimit(RLIMIT_CORE, &no_core);
	umask(0);
	leave_host();
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		give_up("memory");
	static char out[1 << 16];
	setvbuf(stdout, out, _IOFBF, sizeof out);
	printf("ready %s\n", in_user_ns ? "user-ns" : "root");
	serve_requests();
	clear_stage();
	return 0;
}
