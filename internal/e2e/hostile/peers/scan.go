//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/e2e/hostile"
)

// What becomes of an image, worst first.
const (
	crash    = "crash"
	memory   = "over the memory"
	slow     = "over the time"
	escape   = "escape"
	silent   = "silent skip" // ended well, said nothing, and did not see what is there
	accepted = "accepted"    // ended well and said nothing of an image that is not what it says
	left     = "left behind" // files in the temporary folder
	said     = "said"        // ended well and said something
	refused  = "refused"     // ended with an error
	same     = "read"        // ended well, with everything
)

// result is one run.
type result struct {
	tool    string
	made    hostile.Made
	verdict string
	why     string
	exit    int
	cpu     time.Duration
	peak    int64
	left    int
	missing []string // packages
	said    []string // lines that complain
	output  string
}

// scan runs a tool on one image.
func (s *settings) scan(name string, t tool, m hostile.Made) result {
	r := result{tool: name, made: m}
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		r.verdict, r.why = crash, err.Error()
		return r
	}
	defer os.RemoveAll(dir)
	home, temp, work := filepath.Join(dir, "home"), filepath.Join(dir, "temp"), filepath.Join(dir, "work")
	for _, d := range []string{home, temp, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			r.verdict, r.why = crash, err.Error()
			return r
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.wall)
	defer cancel()
	group := newGroup(s.memory)
	defer group.close()
	line := fmt.Sprintf("%s ulimit -t %d; exec unshare --net -- \"$@\"", group.join(), int(s.cpu.Seconds()))
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", line, "sh", filepath.Join(s.bin, name)}, t.args(m.Source, filepath.Join(s.corpus, m.Path))...)...)
	cmd.Dir = work
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temp, "XDG_CACHE_HOME=" + filepath.Join(home, ".cache")}, t.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 2 * time.Second
	err = cmd.Run()
	r.exit = cmd.ProcessState.ExitCode()
	r.cpu = cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime()
	r.peak = group.peak(cmd.ProcessState)
	r.output = stderr.String()
	r.left = count(temp)
	found, ok := t.packages(stdout.Bytes())
	r.missing = missing(m, found)
	for _, l := range complaints(r.output + "\n" + t.notes(stdout.Bytes())) {
		if !s.usual[name][l] {
			r.said = append(r.said, l)
		}
	}
	s.judge(&r, err, ok, len(found), errors.Is(ctx.Err(), context.DeadlineExceeded), group.killed(), outside(work, home))
	return r
}

var panics = regexp.MustCompile(`(?m)^(panic: |fatal error: |goroutine \d+ \[|SIGSEGV)`)

// judge takes the worst that is so.
func (s *settings) judge(r *result, err error, parsed bool, found int, late, killed bool, escaped string) {
	first := func(list []string) string { return strings.Join(list[:min(1, len(list))], "") }
	switch lost := len(r.missing) > 0 || loses(r.made.Gaps) && found <= len(r.made.Packages); {
	case killed || r.peak >= s.memory:
		r.verdict = memory
	case late || r.cpu >= s.cpu-s.cpu/10: // the kernel and the sum of the parts do not agree to the tick
		r.verdict = slow
	case panics.MatchString(r.output):
		r.verdict, r.why = crash, panics.FindString(r.output)
	case escaped != "":
		r.verdict, r.why = escape, escaped
	case err != nil && r.exit < 0:
		r.verdict, r.why = crash, err.Error()
	case err != nil:
		r.verdict, r.why = refused, first(r.said)
	case !parsed:
		r.verdict, r.why = crash, "its output is not JSON"
	case len(r.said) > 0:
		r.verdict, r.why = said, first(r.said)
	case lost:
		r.verdict, r.why = silent, fmt.Sprintf("without %q; gaps %q", r.missing, r.made.Gaps)
	case r.made.Error != "":
		r.verdict, r.why = accepted, r.made.Error
	default:
		r.verdict = same
	}
	if len(r.why) > 200 {
		r.why = r.why[:200]
	}
	r.why = strings.Join(strings.Fields(r.why), " ")
}

// loses reports whether something could not be read, and not only is irregular.
func loses(gaps []string) bool {
	return slices.ContainsFunc(gaps, func(g string) bool {
		return strings.HasPrefix(g, "!") || strings.HasPrefix(g, "unreadable ") || strings.HasPrefix(g, "unsupported ")
	})
}

// missing are packages of the image that were not found. Files without a package are
// listed by us alone, and names are compared without their groups. Of an image that is
// refused nothing is known but its first layer.
func missing(m hostile.Made, found map[string]bool) (out []string) {
	want := m.Packages
	if m.Error != "" {
		want = []string{"witness"}
	}
	for _, name := range want {
		if strings.Contains(name, "/") {
			continue
		}
		if !found[short(name)] {
			out = append(out, name)
		}
	}
	return out
}

func short(name string) string { return name[strings.LastIndexAny(name, ":/")+1:] }

var (
	complaint = regexp.MustCompile(`(?i)\b(warn(ing)?|error|fail(ed|ure)?|fatal|unable|could not|cannot|invalid|skipp(ed|ing)|corrupt|malformed|exceed(s|ed)?)\b`)
	volatile  = regexp.MustCompile(`[0-9]+|/[^\s"]*`)
)

// complaints are lines that say that something is wrong, without what differs between
// runs.
func complaints(text string) (out []string) {
	for line := range strings.Lines(text) {
		if complaint.MatchString(line) {
			out = append(out, strings.TrimSpace(volatile.ReplaceAllString(line, "N")))
		}
	}
	return out
}

func count(dir string) int {
	list, _ := os.ReadDir(dir)
	return len(list)
}

// outside says what was written where nothing should be: in the working folder, beside
// caches in the home, or at the paths that images of the corpus lead to.
func outside(work, home string) string {
	for _, name := range []string{"/tmp/stella-canary", "/tmp/x", "/canary", "/new"} {
		if _, err := os.Lstat(name); err == nil {
			return name
		}
	}
	list, _ := os.ReadDir(work)
	beside, _ := os.ReadDir(home)
	for _, e := range append(list, beside...) {
		if !strings.HasPrefix(e.Name(), ".") {
			return e.Name()
		}
	}
	return ""
}
