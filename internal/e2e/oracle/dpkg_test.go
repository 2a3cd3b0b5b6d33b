package oracle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/layer"
)

// TestThisMachine compares the packages of this machine with what dpkg says is
// installed: name, version, architecture, source and the source's version.
func TestThisMachine(t *testing.T) {
	query, err := exec.LookPath("dpkg-query")
	if err != nil {
		t.Skip("no dpkg-query on this machine")
	}
	if _, err := os.Stat("/var/lib/dpkg/status"); err != nil {
		t.Skip("no packages of dpkg on this machine")
	}
	want := queried(t, query)
	m, err := image.Open(t.Context(), "dir:/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	only(m.Tree)
	r, err := (&scan.Scanner{Analyzers: analyzer.NewSet(osrelease.Analyzer{}, dpkg.Analyzer{})}).Scan(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Document.Packages {
		source, version := p.Name, p.Version
		if p.Upstream != nil {
			source = p.Upstream.Name
			if p.Upstream.Version != "" {
				version = p.Upstream.Version
			}
		}
		got = append(got, strings.Join([]string{p.Name, p.Version, p.Arch, source, version}, " "))
	}
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("packages (-dpkg-query +ours):\n%.6000s", diff)
	}
	t.Logf("%d packages", len(got))
}

// only keeps a walk of this machine out of what dpkg has no part in.
func only(tree *layer.Tree) {
	list, err := os.ReadDir("/")
	if err != nil {
		return
	}
	for _, d := range list {
		if d.IsDir() && !slices.Contains([]string{"etc", "usr", "var", "lib"}, d.Name()) {
			tree.Skip = append(tree.Skip, d.Name())
		}
	}
}

// queried asks dpkg itself. Packages of which only configuration is left are
// not installed.
func queried(t *testing.T, query string) (out []string) {
	t.Helper()
	const format = `${db:Status-Status}\t${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n`
	b, err := exec.Command(query, "-W", "-f", format).Output()
	if err != nil {
		t.Fatalf("dpkg-query: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		state, rest, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			t.Fatal(fmt.Errorf("dpkg-query says %q", line))
		}
		if state != "config-files" && state != "not-installed" {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}
