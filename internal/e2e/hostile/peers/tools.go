//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// tool is a scanner: how it is called, and where its output has packages.
type tool struct {
	args     func(source, path string) []string // nil: it does not open such a source
	env      []string
	packages func(out []byte) (names map[string]bool, ok bool)
	notes    func(out []byte) string // what the output itself says of what it lacks
}

func nothing([]byte) string { return "" }

var tools = map[string]tool{
	"stella": {
		args: func(source, path string) []string {
			return []string{"scan", scheme(source) + path, "--format", "stella"}
		},
		packages: func(out []byte) (map[string]bool, bool) {
			var d struct{ Packages []struct{ Name string } }
			err := json.Unmarshal(out, &d)
			return namesOf(d.Packages, func(p struct{ Name string }) string { return p.Name }), err == nil
		},
		notes: func(out []byte) string {
			var d struct {
				Gaps []struct{ Code, Where, What string }
			}
			if json.Unmarshal(out, &d) != nil {
				return ""
			}
			text := ""
			for _, g := range d.Gaps {
				text += fmt.Sprintf("warning: %s %s: %s\n", g.Code, g.Where, g.What)
			}
			return text
		},
	},
	"syft": {
		args: func(source, path string) []string {
			s := "docker-archive:"
			if source != "docker-archive" {
				s = "oci-dir:"
			}
			return []string{"scan", s + path, "--output", "syft-json"}
		},
		env: []string{"SYFT_CHECK_FOR_APP_UPDATE=false"},
		packages: func(out []byte) (map[string]bool, bool) {
			var d struct{ Artifacts []struct{ Name string } }
			err := json.Unmarshal(out, &d)
			return namesOf(d.Artifacts, func(p struct{ Name string }) string { return p.Name }), err == nil
		},
		notes: nothing,
	},
	"trivy": {
		args: func(_, path string) []string {
			return []string{"image", "--input", path, "--format", "cyclonedx", "--offline-scan", "--skip-db-update", "--skip-java-db-update", "--skip-version-check"}
		},
		packages: func(out []byte) (map[string]bool, bool) {
			var d struct{ Components []struct{ Name string } }
			err := json.Unmarshal(out, &d)
			return namesOf(d.Components, func(p struct{ Name string }) string { return p.Name }), err == nil
		},
		notes: nothing,
	},
	"osv-scanner": {
		args: func(source, path string) []string {
			if source != "docker-archive" {
				return nil
			}
			return []string{"scan", "image", "--archive", path, "--format", "json", "--all-packages", "--offline"}
		},
		packages: func(out []byte) (map[string]bool, bool) {
			var d struct {
				Results []struct {
					Packages []struct{ Package struct{ Name string } }
				}
			}
			err := json.Unmarshal(out, &d)
			names := map[string]bool{}
			for _, r := range d.Results {
				for _, p := range r.Packages {
					names[short(p.Package.Name)] = true
				}
			}
			return names, err == nil
		},
		notes: nothing,
	},
}

func scheme(source string) string {
	if source == "docker-archive" {
		return "docker-archive:"
	}
	return "oci:"
}

func namesOf[T any](list []T, name func(T) string) map[string]bool {
	out := map[string]bool{}
	for _, x := range list {
		out[short(name(x))] = true
	}
	return out
}

// group is a control group that bounds memory, of either version. Where there is none
// the largest resident set is measured, and bounds nothing.
type group struct {
	dir, limit, events, procs string
}

var groups atomic.Int64

func newGroup(bytes int64) *group {
	name := fmt.Sprintf("hostile-peers-%d-%d", os.Getpid(), groups.Add(1))
	for _, g := range []group{
		{filepath.Join("/sys/fs/cgroup/memory", name), "memory.limit_in_bytes", "memory.oom_control", "cgroup.procs"},
		{filepath.Join("/sys/fs/cgroup", name), "memory.max", "memory.events", "cgroup.procs"},
	} {
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(bytes, 10)), 0o644) == nil {
			return &g
		}
		os.Remove(g.dir)
	}
	return &group{}
}

// join is what a shell does first.
func (g *group) join() string {
	if g.dir == "" {
		return ""
	}
	return "echo $$ > " + filepath.Join(g.dir, g.procs) + ";"
}

// killed reports whether the kernel ended something for its memory.
func (g *group) killed() bool {
	b, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n) != "0"
		}
	}
	return false
}

// peak is the largest resident set of a process of the run.
func (g *group) peak(s *os.ProcessState) int64 {
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(u.Maxrss) << 10
}

func (g *group) close() {
	if g.dir != "" {
		os.Remove(g.dir)
	}
}
