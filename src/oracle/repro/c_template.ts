/** What every C program that `repro` writes has in common. */

export const c_header = String.raw`#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif
#define UNUSED __attribute__((unused))

/*
 * ---- set-up: on a tmpfs that nobody else sees ----
 *
 * It becomes the root, and the old root is gone: no path leads out, wherever links and ".." lead.
 */

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "cannot set up %s: %s\n", what, strerror(errno));
	exit(2);
}

static void make_parents(const char *path)
{
	char text[4096];

	snprintf(text, sizeof text, "%s", path);
	for (char *c = strchr(text + 1, '/'); c != NULL; c = strchr(c + 1, '/')) {
		*c = '\0';
		mkdir(text, 0755);
		*c = '/';
	}
}

static void make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	make_parents(path);
	if (mkdir(path, 0755) == 0) {
		must(chown(path, uid, gid), path);
		must(chmod(path, mode), path);
	}
}

/* No device of the host: whiteouts, null, zero and full do no harm. */
UNUSED static void make_node(const char *path, mode_t mode, unsigned long dev)
{
	int harmless = S_ISCHR(mode) ? dev == 0 || dev == 0x103 || dev == 0x105 || dev == 0x107 : !S_ISBLK(mode);

	errno = EPERM;
	must(harmless ? 0 : -1, path);
	make_parents(path);
	must(mknod(path, mode, dev), path);
}

UNUSED static void make_file(const char *path, mode_t mode, uid_t uid, gid_t gid, const char *bytes, size_t size)
{
	make_parents(path);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	must(fd, path);
	must(write(fd, bytes, size), path);
	close(fd);
	must(chown(path, uid, gid), path);
	must(chmod(path, mode), path);
}

/* ---- a task: waits for its turn, makes a call, says what came of it ---- */

static const char *me;        /* its name */
static int go_fd, done_fd;    /* pipes: from and to the program that keeps the order */
static FILE *report;          /* to the same program, which prints it */
static char differs;          /* something was not as predicted */
static int last_signal;       /* that a memory access raised */
UNUSED static char buf[4096]; /* what calls read */
static sigjmp_buf on_fault;

static void fault(int number)
{
	siglongjmp(on_fault, number);
}

static void become(const char *name, uid_t uid, gid_t gid, mode_t mask, const char *cwd)
{
	me = name;
	must(chroot("/r"), "chroot");
	must(chdir(cwd), cwd);
	umask(mask);
	if (uid != 0 || gid != 0) {
		must(syscall(SYS_setgroups, 0, NULL), "groups");
		must(syscall(SYS_setresgid, gid, gid, gid), "gid");
		must(syscall(SYS_setresuid, uid, uid, uid), "uid");
	}
	must(dup2(0, 2), "a null device");
}

UNUSED static void my_turn(void)
{
	char go;

	if (read(go_fd, &go, 1) != 1)
		_exit(0);
	errno = 0;
	last_signal = 0;
	differs = 0;
}

UNUSED static void done(void)
{
	fflush(report);
	if (write(done_fd, &differs, 1) != 1)
		_exit(0);
}

static void line(int n, const char *call, const char *predicted, const char *observed, int same)
{
	fprintf(report, "%3d  %-12s  %-60s  %-20s %s%s\n", n, me, call, predicted, observed, same ? "" : "   <-- DIFFERS");
	if (!same)
		differs = 1;
}

static void observed_text(char *text, size_t size, long ret)
{
	if (last_signal != 0)
		snprintf(text, size, "signal %d", last_signal);
	else if (ret == -1)
		snprintf(text, size, "-1 (%s)", strerror(errno));
	else
		snprintf(text, size, "%ld", ret);
}

UNUSED static void expect(int n, const char *call, long ret, long wanted)
{
	char predicted[64], observed[128];

	observed_text(observed, sizeof observed, ret);
	snprintf(predicted, sizeof predicted, "%ld", wanted);
	line(n, call, predicted, observed, ret == wanted && last_signal == 0);
}

UNUSED static void expect_error(int n, const char *call, long ret, int wanted, const char *name)
{
	int same = ret == -1 && errno == wanted && last_signal == 0;
	char predicted[64], observed[128];

	observed_text(observed, sizeof observed, ret);
	snprintf(predicted, sizeof predicted, "-1 %s", name);
	line(n, call, predicted, same ? predicted : observed, same);
}

UNUSED static void expect_signal(int n, const char *call, long ret, int wanted, const char *name)
{
	char observed[128];

	observed_text(observed, sizeof observed, ret);
	line(n, call, name, last_signal == wanted ? name : observed, last_signal == wanted);
}

UNUSED static void expect_address(int n, const char *call, long ret)
{
	char observed[128];

	observed_text(observed, sizeof observed, ret);
	line(n, call, "an address", ret == -1 ? observed : "an address", ret != -1);
}

/* The call was to end the task: when it has returned that is a difference. */
UNUSED static void expect_end(int n, const char *call, long ret)
{
	char observed[128];

	observed_text(observed, sizeof observed, ret);
	line(n, call, "the task is gone", observed, 0);
}

static void print_bytes(const char *label, const char *bytes, long size)
{
	fprintf(report, "     %-12s  %s \"", "", label);
	for (long i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			fprintf(report, "\\n");
		else if (bytes[i] >= ' ' && bytes[i] < 0x7f)
			putc(bytes[i], report);
		else
			fprintf(report, "\\%03o", (unsigned char)bytes[i]);
	}
	fprintf(report, "\"\n");
}

UNUSED static void expect_bytes(const char *bytes, long size, const char *wanted, long wanted_size)
{
	if (size >= 0)
		print_bytes("it gave", bytes, size);
	if (size == wanted_size && memcmp(bytes, wanted, (size_t)size) == 0)
		return;
	print_bytes("DIFFERS: predicted was", wanted, wanted_size);
	differs = 1;
}

UNUSED static void expect_field(const char *name, long value, long wanted)
{
	if (value == wanted)
		return;
	fprintf(report, "     %-12s  DIFFERS: %s is %ld, predicted was %ld\n", "", name, value, wanted);
	differs = 1;
}

UNUSED static size_t at_most(long count)
{
	return count < 0 || count > (long)sizeof buf ? sizeof buf : (size_t)count;
}

/* Reads memory that may not be there into buf. */
UNUSED static long peek(const volatile void *address, size_t size)
{
	const volatile char *from = address;

	last_signal = sigsetjmp(on_fault, 1);
	if (last_signal != 0)
		return -1;
	for (size_t i = 0; i < size; i++)
		buf[i] = from[i];
	return (long)size;
}
`

export const c_footer = String.raw`/* ---- the order ---- */

enum { TASKS = sizeof tasks / sizeof *tasks, STEPS = sizeof order / sizeof *order };

static pid_t pids[TASKS];
static int go_pipe[TASKS], done_pipe[TASKS];
static int report_pipe[2], null_fd;

/* Out of the way of the descriptors that the tasks' calls return. */
static int high(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	must(moved, "descriptors");
	close(fd);
	return moved;
}

static void start_task(int i)
{
	int go[2], back[2];

	must(pipe(go), "pipe");
	must(pipe(back), "pipe");
	for (int end = 0; end < 2; end++) {
		go[end] = high(go[end]);
		back[end] = high(back[end]);
	}
	fflush(stdout);
	pids[i] = fork();
	must(pids[i], "fork");
	if (pids[i] == 0) {
		struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };
		sigaction(SIGBUS, &action, NULL);
		sigaction(SIGSEGV, &action, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_close_range, 3, 99, 0);
		/* What is played gets no file of whoever runs this, not even a terminal. */
		for (int fd = 0; fd < 2; fd++)
			must(dup2(null_fd, fd), "a null device");
		report = fdopen(report_pipe[1], "w");
		close(report_pipe[0]);
		close(null_fd);
		close(go[1]);
		close(back[0]);
		go_fd = go[0];
		done_fd = back[1];
		tasks[i]();
		for (;;) /* it keeps its descriptors until the end */
			pause();
	}
	close(go[0]);
	close(back[1]);
	go_pipe[i] = go[1];
	done_pipe[i] = back[0];
}

/* Prints what the tasks have to report. */
static void tell(void)
{
	char text[4096];
	ssize_t n;

	while ((n = read(report_pipe[0], text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)n, stdout);
}

/* The tmpfs becomes the root, and there is no way back. */
static void leave_host(void)
{
	null_fd = open("/dev/null", O_RDWR);
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755,size=1g"), "a tmpfs on /tmp");
	must(chdir("/tmp"), "/tmp");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "the old root");
	must(chdir("/"), "/");
	/* A null device of its own: a task may change its mode. A user namespace makes no devices. */
	if (mknod("/null", S_IFCHR | 0666, makedev(1, 3)) == 0) {
		close(null_fd);
		null_fd = open("/null", O_RDWR);
	}
	null_fd = high(null_fd);
}

int main(void)
{
	int differ = 0;


	must(unshare(CLONE_NEWNS), "a mount namespace (this needs root, or: unshare -Urm)");
	umask(0);
	leave_host();
	set_up();
	must(pipe(report_pipe), "pipe");
	for (int end = 0; end < 2; end++)
		report_pipe[end] = high(report_pipe[end]);
	must(fcntl(report_pipe[0], F_SETFL, O_NONBLOCK), "pipe");
	for (int i = 0; i < TASKS; i++)
		start_task(i);
	printf("step task          %-60s  %-20s observed\n", "call", "predicted");
	fflush(stdout);
	for (int i = 0; i < STEPS; i++) {
		int task = order[i].task;
		char answer = 0;
		ssize_t n = write(go_pipe[task], "", 1);

		n = n == 1 ? read(done_pipe[task], &answer, 1) : 0;
		tell();
		if (n == 1 ? answer != 0 : !order[i].ends)
			differ++;
		if (n != 1)
			printf("%3d  the task is gone%s\n", i + 1, order[i].ends ? ", as predicted" : "   <-- DIFFERS");
	}
	for (int i = 0; i < TASKS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	printf("%s\n", differ == 0 ? "predicted and observed agree" : "predicted and observed DIFFER");
	return differ == 0 ? 0 : 1;
}
`
