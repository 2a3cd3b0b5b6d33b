//go:build linux

// Command peers runs other scanners on the corpus that makecorpus wrote, without a
// network and within bounds of memory and time, and says what became of each image:
//
//	go run ./internal/e2e/hostile/peers -corpus DIR -bin DIR [-tools syft,trivy,osv-scanner,stella] [-of 12,80]
//
// It needs Linux and root: each run has a network namespace without an interface and a
// control group. What is printed is Markdown; -details writes a line for each run.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/e2e/hostile"
)

// settings of all runs.
type settings struct {
	corpus, bin string
	memory      int64 // bytes
	cpu, wall   time.Duration
	usual       map[string]map[string]bool // lines that a tool prints of a sound image too
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	s := settings{usual: map[string]map[string]bool{}}
	flag.StringVar(&s.corpus, "corpus", "", "the folder that makecorpus wrote")
	flag.StringVar(&s.bin, "bin", "", "the folder of the scanners")
	flag.Int64Var(&s.memory, "memory", 1<<30, "bytes that a run may use")
	flag.DurationVar(&s.cpu, "cpu", time.Minute, "processor time that a run may take")
	flag.DurationVar(&s.wall, "wall", 3*time.Minute, "time that a run may take on a busy machine")
	names := flag.String("tools", "syft,trivy,osv-scanner", "which")
	only := flag.String("of", "", "numbers of classes; empty means all")
	details := flag.String("details", "", "a file for a line of each run")
	flag.Parse()
	text, err := os.ReadFile(filepath.Join(s.corpus, "corpus.json"))
	if err != nil {
		return err
	}
	var list []hostile.Made
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if *only != "" {
		wanted := append(strings.Split(*only, ","), "0")
		list = slices.DeleteFunc(list, func(m hostile.Made) bool { return !slices.Contains(wanted, strconv.Itoa(m.Number)) })
	}
	var all []result
	for name := range strings.SplitSeq(*names, ",") {
		got, err := s.tool(name, list)
		if err != nil {
			return err
		}
		all = append(all, got...)
	}
	fmt.Print(table(all))
	if *details == "" {
		return nil
	}
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%s\t%03d\t%s\t%s\t%s\t%.1fs\t%dMiB\t%s\n", r.tool, r.made.Number, r.made.Source, r.made.Case, r.verdict, r.cpu.Seconds(), r.peak>>20, r.why)
	}
	return os.WriteFile(*details, []byte(b.String()), 0o644)
}

// tool runs one scanner on everything it can open. A sound image comes first in each
// kind of source: who cannot read that is not measured.
func (s *settings) tool(name string, list []hostile.Made) (out []result, err error) {
	t, known := tools[name]
	if !known {
		return nil, fmt.Errorf("no scanner %s is known here", name)
	}
	s.usual[name] = map[string]bool{}
	for _, m := range list {
		if t.args(m.Source, "") == nil {
			continue
		}
		r := s.scan(name, t, m)
		if m.Number == 0 {
			for _, line := range r.said {
				s.usual[name][line] = true
			}
			if r.exit != 0 || len(r.missing) > 0 {
				return nil, fmt.Errorf("%s cannot read a sound %s: exit %d, without %q: %.2000s", name, m.Source, r.exit, r.missing, r.output)
			}
			continue
		}
		out = append(out, r)
		fmt.Fprintf(os.Stderr, "%s %03d %s: %s\n", name, m.Number, m.Source, r.verdict)
	}
	return out, nil
}

// table counts verdicts, by tool and kind of source.
func table(all []result) string {
	type row struct{ tool, source string }
	counts, classes := map[row]map[string]int{}, map[row]int{}
	var rows []row
	var peak = map[row]int64{}
	for _, r := range all {
		k := row{r.tool, r.made.Source}
		if counts[k] == nil {
			counts[k] = map[string]int{}
			rows = append(rows, k)
		}
		counts[k][r.verdict]++
		if r.left > 0 {
			counts[k][left]++
		}
		classes[k]++
		peak[k] = max(peak[k], r.peak)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.tool, b.tool), cmp.Compare(a.source, b.source))
	})
	var b strings.Builder
	columns := []string{crash, memory, slow, silent, escape, accepted, left, said, refused, same}
	fmt.Fprintf(&b, "| Scanner | Source | images | %s | largest set, MiB |\n|---|---|--:|%s--:|\n", strings.Join(columns, " | "), strings.Repeat("--:|", len(columns)))
	for _, k := range rows {
		fmt.Fprintf(&b, "| %s | %s | %d |", k.tool, k.source, classes[k])
		for _, c := range columns {
			fmt.Fprintf(&b, " %d |", counts[k][c])
		}
		fmt.Fprintf(&b, " %d |\n", peak[k]>>20)
	}
	return b.String()
}
