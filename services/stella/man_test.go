package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

// TestManPages: every command has a page that is well formed, twice the same, and that
// what formats manual pages here has nothing against.
func TestManPages(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	run := commands(t)
	for _, dir := range []string{first, second} {
		if code, out, complaint := run("man", dir); code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, out, complaint)
		}
	}
	pages, err := filepath.Glob(filepath.Join(first, "*.1"))
	if err != nil || len(pages) < 40 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	mandoc, _ := exec.LookPath("mandoc")
	groff, _ := exec.LookPath("groff")
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(filepath.Join(second, filepath.Base(name)))
		if err != nil || !bytes.Equal(page, again) {
			t.Errorf("%s is another one the second time: %v", filepath.Base(name), err)
		}
		if err := manCheck(page); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
	if mandoc != "" {
		if out, err := exec.Command(mandoc, append([]string{"-Tlint", "-Wwarning"}, pages...)...).CombinedOutput(); err != nil {
			t.Errorf("mandoc: %s", out)
		}
	}
	if groff != "" {
		if out, err := exec.Command(groff, append([]string{"-man", "-ww", "-z", "-Tutf8"}, pages...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff: %s %v", out, err)
		}
	}
	scan, err := os.ReadFile(filepath.Join(first, "stella-scan.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`.TH "STELLA\-SCAN" "1" "" "stella devel"`, "\n.SH \"EXIT STATUS\"\n", "\n\\fB\\-\\-fail\\-on\\fR \\fIstring\\fR\n", "\\fBstella\\fR(1)"} {
		if !strings.Contains(string(scan), want) {
			t.Errorf("stella-scan.1 has no %s", want)
		}
	}
	dated := commands(t, "SOURCE_DATE_EPOCH=1717200000")
	if code, _, _ := dated("man", second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if page, _ := os.ReadFile(filepath.Join(second, "stella.1")); !bytes.Contains(page, []byte(`.TH "STELLA" "1" "2024\-06\-01"`)) {
		t.Errorf("no date: %.100s", page)
	}
}

// TestManText: nothing that help says is taken for a macro.
func TestManText(t *testing.T) {
	var m manWriter
	m.macro("TH", `A"B`, `\fB`)
	m.paragraphs(".SH evil\n'so evil\n  .nf\n  a\\b\n\n.fi\x1b[2J")
	if err := manCheck(m.b.Bytes()); err != nil {
		t.Errorf("%v in\n%s", err, m.b.String())
	}
	for _, page := range []string{".SH \"A\"\n", ".TH a\n.SH b\n.SH c\n", ".TH a\n.nf\n", ".TH a\n.xx\n", ".TH a\n'so\n"} {
		if manCheck([]byte(page)) == nil {
			t.Errorf("%q: nothing is wrong with it", page)
		}
	}
}

// manCheck says what is wrong with a page: macros that there are not, sections without
// text, text that roff would take for a macro.
func manCheck(page []byte) error {
	known := " TH SH PP TP nf fi "
	filled, last := true, ""
	for i, line := range strings.Split(strings.TrimSuffix(string(page), "\n"), "\n") {
		name, isMacro := strings.CutPrefix(line, ".")
		name, _, _ = strings.Cut(name, " ")
		wrong := ""
		switch {
		case isMacro && !strings.Contains(known, " "+name+" "):
			wrong = "is no macro"
		case i == 0 && name != "TH":
			wrong = "does not begin with TH"
		case name == "SH" && last == "SH":
			wrong = "follows a section without text"
		case isMacro && name == "nf" && !filled, isMacro && name == "fi" && filled:
			wrong = "is not of a pair"
		case strings.HasPrefix(line, "'"):
			wrong = "would be a macro"
		case strings.ContainsAny(line, "\x1b\x00"):
			wrong = "has a control character"
		}
		if wrong != "" {
			return fmt.Errorf("line %s: %s %s: %w", strconv.Itoa(i+1), line, wrong, fault.Invalid)
		}
		if isMacro {
			filled = name != "nf" && (filled || name == "fi")
			last = name
		} else {
			last = ""
		}
	}
	if !filled {
		return fmt.Errorf("the last line: nf without fi: %w", fault.Invalid)
	}
	return nil
}
