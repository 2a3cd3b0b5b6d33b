package hostile

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The system calls that reach out of a process: what connects or starts something, and
// what changes a file. Those that a machine does not have are left out.
var outward = "connect,execve,openat,?open,?creat,?openat2,?mkdir,mkdirat,?mknod,mknodat,?unlink,unlinkat,?rmdir,?rename,?renameat,renameat2," +
	"?link,linkat,?symlink,symlinkat,truncate,?chmod,fchmodat,?chown,fchownat,?lchown,utimensat,setxattr,lsetxattr,mount,?execveat"

// readable are files of this machine that images of the corpus lead to.
var readable = regexp.MustCompile(`^/(etc/(passwd|hostname|shadow|group)|proc/[^/]+/environ|dev/zero)$`)

var (
	call    = regexp.MustCompile(`^\d+ +(\w+)\((.*)`)
	paths   = regexp.MustCompile(`(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"`)
	writing = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND`)
	inet    = regexp.MustCompile(`inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"`)
)

// watch runs a command under strace, where that works, and fails for each call that
// leaves the temporary folder or this machine. It returns what the command printed.
func watch(t *testing.T, cmd *exec.Cmd, report string) ([]byte, error) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil || exec.Command(strace, "-f", "--seccomp-bpf", "-y", "-o", os.DevNull, "-e", "trace="+outward, "true").Run() != nil {
		t.Log("strace does not work here: seen by the canary and the client's own trace alone")
		return cmd.CombinedOutput()
	}
	log := filepath.Join(t.TempDir(), "calls")
	cmd.Args = append([]string{strace, "-f", "--seccomp-bpf", "-y", "-s", "4096", "-o", log, "-e", "signal=none", "-e", "trace=" + outward, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = strace
	out, err := cmd.CombinedOutput()
	f, e := os.Open(log)
	if e != nil {
		t.Fatal(e)
	}
	defer f.Close()
	w := watcherOfCalls{inside: []string{filepath.Join(os.TempDir(), "TestCorpus"), filepath.Dir(report)}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		w.line(t, lines.Text())
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	t.Logf("the kernel saw %d files written in the temporary folder, %d connections to this machine, %d programs started, and nothing else", w.written, w.connected, w.started)
	if err == nil && (w.written < 100 || w.started != 1) {
		t.Errorf("the log is of something else: %d written, %d started", w.written, w.started)
	}
	return out, err
}

type watcherOfCalls struct {
	inside                      []string
	written, connected, started int
}

func (w *watcherOfCalls) line(t *testing.T, line string) {
	t.Helper()
	m := call.FindStringSubmatch(line)
	if m == nil {
		return // an exit, or the end of a call that began before
	}
	name, rest := m[1], m[2]
	switch name {
	case "execve", "execveat":
		if w.started++; w.started > 1 {
			t.Errorf("a program was started: %.400s", line)
		}
		return
	case "connect":
		to := inet.FindStringSubmatch(rest)
		if to == nil || !strings.HasPrefix(to[1], "127.") && to[2] != "::1" && !strings.HasPrefix(to[2], "::ffff:127.") {
			t.Errorf("a connection elsewhere: %.400s", line)
		}
		w.connected++
		return
	}
	opens := strings.HasPrefix(name, "open")
	named := paths.FindAllStringSubmatch(rest, -1)
	if strings.HasPrefix(name, "symlink") && len(named) > 1 {
		named = named[1:] // where it leads to is not touched
	}
	for _, p := range named {
		file := p[2]
		if !filepath.IsAbs(file) {
			file = filepath.Join(p[1], file)
		}
		file = filepath.Clean(file)
		if opens && !writing.MatchString(rest) {
			if readable.MatchString(file) {
				t.Errorf("a file of this machine was read: %.400s", line)
			}
			return
		}
		if !w.isInside(file) {
			t.Errorf("a file elsewhere was changed: %.400s", line)
		}
		w.written++
	}
}

// isInside also knows what the test itself writes.
func (w *watcherOfCalls) isInside(file string) bool {
	if file == os.DevNull || strings.HasPrefix(file, "/proc/") && strings.HasSuffix(file, "/clear_refs") {
		return true
	}
	for _, dir := range w.inside {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
