package matcher_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/examples/matcher"
)

// What a publisher publishes: one record about npm, one about Debian.
var records = map[string]string{
	"left.json": `{"id": "EX-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-0001"], "summary": "Left pads with secrets",
		"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
		"affected": [{"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "1.3.0"}]}]}]}`,
	"zlib.json": `{"id": "EX-2", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-0002"],
		"affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.2.13.dfsg-1+deb12u1"}]}]}]}`,
}

var at = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// What is running, as an inventory of one's own has it.
var inventory = []string{
	"pkg:npm/left@1.2.9",
	"pkg:npm/left@1.3.0",
	"pkg:npm/right@2.0.0",
	"pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?distro=debian-12&upstream=zlib",
	"pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1%2Bdeb12u1?distro=debian-12&upstream=zlib",
	"pkg:pypi/requests@2.31.0",
}

func feed() (dir string, f matcher.Feed, err error) {
	if dir, err = os.MkdirTemp("", "matcher"); err != nil {
		return "", f, err
	}
	for name, text := range records {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return dir, f, err
		}
	}
	f = matcher.Feed{Dir: filepath.Join(dir, ".feed")} // what begins with a dot is no record
	_, err = f.Refresh(context.Background(), dir)
	return dir, f, err
}

func Example() {
	dir, f, err := feed()
	defer os.RemoveAll(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	view, err := f.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer view.Close()
	answer, err := matcher.Match(context.Background(), view, at, inventory)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range answer.Affected {
		fmt.Printf("%s\n  %s, severity %q, fixed in %v\n  %s\n", a.PURL, a.Vulnerability, a.Severity, a.Fixed, a.Why)
	}
	fmt.Println("not assessed:", answer.Gaps)
	text, err := matcher.Explain(context.Background(), view, at, "pkg:npm/left@1.3.0", "CVE-2026-0001")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.Join(strings.SplitAfter(text, "\n")[:2], ""))
	// Output:
	// pkg:npm/left@1.2.9
	//   CVE-2026-0001, severity "high", fixed in [1.3.0]
	//   1.2.9 is in >= 1.0.0, < 1.3.0 of npm left (EX-1)
	// pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?distro=debian-12&upstream=zlib
	//   CVE-2026-0002, severity "", fixed in [1:1.2.13.dfsg-1+deb12u1]
	//   1:1.2.13.dfsg-1 is in >= 0, < 1:1.2.13.dfsg-1+deb12u1 of Debian:12 zlib (EX-2)
	// not assessed: [PyPI: there is no advisory data about this ecosystem: 1 packages were not assessed]
	// pkg:npm/left@1.3.0: not affected
	// because     EX-1: 1.3.0 >= 1.3.0, which fixes it [fixed]
}

// TestMatch asks what must hold whatever the inventory's order.
func TestMatch(t *testing.T) {
	dir, f, err := feed()
	defer os.RemoveAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	view, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	got := func(inventory ...string) (out []string) {
		answer, err := matcher.Match(t.Context(), view, at, inventory)
		if err != nil {
			t.Fatal(err)
		}
		if len(inventory) > 0 && answer.Snapshot != view.Digest() {
			t.Errorf("the answer is of %s, the data is %s", answer.Snapshot, view.Digest())
		}
		for _, a := range answer.Affected {
			out = append(out, a.PURL+" "+a.Vulnerability)
		}
		for _, g := range answer.Gaps {
			out = append(out, "gap "+g)
		}
		return out
	}
	for _, c := range []struct {
		name      string
		inventory []string
		want      []string
	}{
		{"nothing", nil, nil},
		{"before the range", []string{"pkg:npm/left@0.9.0"}, nil},
		{"in it", []string{"pkg:npm/left@1.0.0"}, []string{"pkg:npm/left@1.0.0 CVE-2026-0001"}},
		{"twice", []string{"pkg:npm/left@1.0.0", "pkg:npm/left@1.0.0 "}, []string{"pkg:npm/left@1.0.0 CVE-2026-0001"}},
		{"a scope is another package", []string{"pkg:npm/%40team/left@1.0.0"}, nil},
	} {
		if diff := cmp.Diff(c.want, got(c.inventory...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	// Without its distribution nothing can be said about a package, and that is said.
	for _, url := range []string{"pkg:deb/debian/zlib1g@1.2.13?upstream=zlib", "pkg:deb/debian/zlib1g@1.2.13?distro=debian-13", "pkg:cargo/serde@1.0.0"} {
		if out := got(url); len(out) != 1 || !strings.HasPrefix(out[0], "gap ") {
			t.Errorf("%s: %q", url, out)
		}
	}
	if _, err := matcher.Match(t.Context(), view, at, []string{"pkg:npm/left@1.0.0", "left@1"}); err == nil || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("an entry that is no package URL: %v", err)
	}
	// Without data nothing is assessed.
	answer, err := matcher.Match(t.Context(), nil, at, inventory)
	if err != nil || len(answer.Affected) > 0 || len(answer.Gaps) == 0 {
		t.Errorf("without data: %+v, %v", answer, err)
	}
}
