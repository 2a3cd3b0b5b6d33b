package hostile

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
)

const (
	childEnv  = "STELLA_HOSTILE_REPORT"
	maxMemory = 512 << 20 // bytes of the peak resident set, in which the images are made and held too
	goal      = "400MiB"  // what the collector is told to keep to, as a service does
	minCases  = 160
)

// report is what the child process says of itself.
type report struct {
	Cases   map[string]int // by class
	Runs    int
	Slowest measure // nanoseconds
	Peak    measure // bytes of the resident set; 0 where the system does not tell
	Open    int     // file descriptors more than before
	Threads int     // goroutines more than before
}

// TestCorpus runs all cases in a process of its own, so that its memory can be
// told from that of the test.
func TestCorpus(t *testing.T) {
	if name := os.Getenv(childEnv); name != "" {
		inChild(t, name)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report")
	args := []string{"-test.run=^TestCorpus$", "-test.timeout=30m"}
	only := flag.Lookup("test.run").Value.String()
	if strings.Contains(only, "TestCorpus/") {
		args[0] = "-test.run=" + only
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+out, "GOMEMLIMIT="+goal)
	text, err := watch(t, cmd, out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, class := range slices.Sorted(maps.Keys(r.Cases)) {
		t.Logf("%-12s %d cases", class, r.Cases[class])
		n += r.Cases[class]
	}
	t.Logf("%d cases, %d scans", n, r.Runs)
	t.Logf("slowest: %s, %s", time.Duration(r.Slowest.Value).Round(time.Millisecond), r.Slowest.Case)
	t.Logf("peak memory: %d MiB, %s", r.Peak.Value>>20, r.Peak.Case)
	if n < minCases {
		t.Errorf("%d cases, want at least %d", n, minCases)
	}
	if r.Peak.Value > maxMemory {
		t.Errorf("peak memory %d MiB in %s, limit %d MiB", r.Peak.Value>>20, r.Peak.Case, maxMemory>>20)
	}
	if r.Open > 0 || r.Threads > 0 {
		t.Errorf("left behind: %d file descriptors, %d goroutines", r.Open, r.Threads)
	}
}

func inChild(t *testing.T, name string) {
	l := newLab(t)
	r := report{Cases: map[string]int{}}
	files, threads := descriptors(), runtime.NumGoroutine()
	seen := map[string]bool{}
	cases(l, func(class, name string, run func(t *testing.T)) {
		if id := class + "/" + name; seen[id] {
			t.Errorf("two cases are named %s", id)
		} else {
			seen[id] = true
		}
		r.Cases[class]++
		t.Run(class+"/"+name, run)
	})
	l.untouched(t)
	for range 100 { // connections are closed in the background
		if r.Open, r.Threads = descriptors()-files, runtime.NumGoroutine()-threads; r.Open <= 0 && r.Threads <= 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.Runs, r.Slowest, r.Peak = l.runs, l.slow, l.big
	check(os.WriteFile(name, marshal(r), 0o600))
}

// cases gives out every case.
func cases(l *lab, each func(class, name string, run func(t *testing.T))) {
	list := corpus()
	for i := range list {
		h := &list[i]
		each(h.class, h.name, func(t *testing.T) { l.matrix(t, h, i+1) })
	}
	l.references(each)
	l.folders(each)
	l.registries(each)
}

// matrix runs a case in every place and compression, or in one in turn where
// that is enough.
func (l *lab) matrix(t *testing.T, h *hostile, turn int) {
	places, as := h.places(), h.as
	if as == nil {
		as = []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd}
	}
	if testing.Short() && h.large {
		t.Skip("large, left out in short mode")
	}
	if h.long && os.Getenv("STELLA_LONG") == "" {
		t.Skip("made only where STELLA_LONG is set")
	}
	switch {
	case h.large && os.Getenv("STELLA_LONG") != "" && !l.once:
		places, as = ofEachKind(places), as[turn%len(as):][:1]
	case testing.Short() || h.large || l.once:
		places, as = places[turn%len(places):][:1], as[turn%len(as):][:1]
	}
	for _, at := range places {
		for _, c := range as {
			t.Run(fmt.Sprintf("%s %s", at, c), func(t *testing.T) { l.run(t, h, at, c) })
		}
	}
}

// forgetPeak lets the largest resident set start anew at what it is now.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peak is the largest resident set of this process since then.
func peak() (bytes int64) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscanf(rest, "%d", &bytes)
		}
	}
	return bytes << 10
}

// descriptors counts open files; 0 where the system does not tell.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
