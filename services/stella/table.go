package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxGapLines bounds the notes on what was not assessed in the table; the JSON
// report has all of them.
const maxGapLines = 12

// table writes what people read: the findings, a summary, what was not assessed.
// Without advisory data there are no findings to show, so it shows packages.
func (p *program) table(w io.Writer, r *result) error {
	var b strings.Builder
	color := p.colored(w)
	p.heading(&b, r)
	switch {
	case r.Report.Snapshot == "":
		writePackages(&b, r)
	case len(r.Report.Findings) > 0:
		writeFindings(&b, r, color)
	}
	writeExcused(&b, r, color)
	writeSummary(&b, r, color)
	writeBeside(&b, r.Document)
	writeVerdict(&b, r, color)
	writeGaps(&b, r, color)
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) packageTable(w io.Writer, r *result) error {
	var b strings.Builder
	p.heading(&b, r)
	writePackages(&b, r)
	writeGaps(&b, r, p.colored(w))
	_, err := io.WriteString(w, b.String())
	return err
}

// colored reports whether w is a terminal whose owner wants colours
// (https://no-color.org).
func (p *program) colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

func (p *program) heading(b *strings.Builder, r *result) {
	d := r.Document
	fmt.Fprintf(b, "%s  %s", clean(cmp.Or(string(d.Subject.Kind), "subject")), clean(r.Reference))
	if d.Subject.OS != nil {
		fmt.Fprintf(b, "  %s", clean(cmp.Or(d.Subject.OS.PrettyName, d.Subject.OS.ID+" "+d.Subject.OS.VersionID)))
	}
	if d.Subject.Platform != "" {
		fmt.Fprintf(b, "  %s", clean(d.Subject.Platform))
	}
	b.WriteByte('\n')
	if d.Subject.ConfigDigest != "" {
		fmt.Fprintf(b, "id     %s\n", clean(d.Subject.ConfigDigest))
	}
	if d.Source != nil && d.Source.PlatformChoice != "" {
		fmt.Fprintf(b, "note   %s\n", clean(d.Source.PlatformChoice))
	}
	b.WriteByte('\n')
}

func newTable(columns ...any) gotable.Writer {
	t := gotable.NewWriter()
	style := gotable.StyleLight
	style.Options = gotable.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.AppendHeader(gotable.Row(columns))
	return t
}

func writeFindings(b *strings.Builder, r *result, color bool) {
	layers := layerNames(r.Document)
	findings := slices.Clone(r.Report.Findings)
	slices.SortStableFunc(findings, func(x, y finding.Finding) int { return cmp.Compare(y.Severity.Rank(), x.Severity.Rank()) })
	decided := r.Decided.decisions()
	columns := []any{"severity", "vulnerability", "package", "installed", "fixed in", "layer", "link"}
	if len(decided) > 0 {
		columns = append([]any{"decision"}, columns...)
	}
	t := newTable(columns...)
	for _, f := range findings {
		row := gotable.Row{
			paint(f.Severity, color), clean(f.Vulnerability) + exploited(&f), clean(f.Name), clean(f.Version),
			clean(cmp.Or(strings.Join(f.Fixed, ", "), strings.ReplaceAll(f.FixStatus, "_", " "), "-")), layers.of(r.Document.PackageByID(f.Package)), clean(f.URL),
		}
		if len(decided) > 0 {
			row = append(gotable.Row{clean(decided.of(&f))}, row...)
		}
		t.AppendRow(row)
	}
	b.WriteString(t.Render())
	b.WriteString("\n\n")
}

// exploited marks what is known to be exploited.
func exploited(f *finding.Finding) string {
	if f.Exploited == "" {
		return ""
	}
	return " (exploited)"
}

func writePackages(b *strings.Builder, r *result) {
	layers := layerNames(r.Document)
	list := slices.Clone(r.Document.Packages)
	slices.SortStableFunc(list, func(x, y sbom.Package) int {
		return cmp.Or(strings.Compare(x.PURL.Type, y.PURL.Type), strings.Compare(x.Name, y.Name), strings.Compare(x.Version, y.Version))
	})
	t := newTable("type", "package", "version", "state", "layer", "found in")
	for i := range list {
		p := &list[i]
		where := ""
		if len(p.Locations) > 0 {
			where = p.Locations[0].Path
			if n := len(p.Locations) - 1; n > 0 {
				where += fmt.Sprintf(" (+%d)", n)
			}
		}
		t.AppendRow(gotable.Row{clean(cmp.Or(p.PURL.Type, "-")), clean(p.Name), clean(cmp.Or(p.Version, "unknown")),
			clean(cmp.Or(string(p.State), "installed")), layers.of(p), clean(where)})
	}
	b.WriteString(t.Render())
	b.WriteString("\n\n")
}

// layers are short names of layers: their number and the line that made them.
type layers map[string]string

func layerNames(d *sbom.Document) layers {
	out := layers{}
	for i, l := range d.Subject.Layers {
		name := fmt.Sprintf("%d", i+1)
		if made := strings.Join(strings.Fields(l.CreatedBy), " "); made != "" {
			made = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(made, "/bin/sh -c "), "#(nop) "))
			name += " " + clean(made[:min(len(made), 24)])
		}
		if _, twice := out[l.DiffID]; !twice {
			out[l.DiffID] = name
		}
	}
	return out
}

func (l layers) of(p *sbom.Package) string {
	if p == nil || len(p.Locations) == 0 {
		return "-"
	}
	return cmp.Or(l[p.Locations[0].Layer], "-")
}

var colors = map[finding.Severity]text.Colors{
	finding.Critical: {text.FgHiWhite, text.BgRed, text.Bold}, finding.High: {text.FgRed, text.Bold},
	finding.Medium: {text.FgYellow}, finding.Low: {text.FgCyan}, finding.None: {text.FgHiBlack},
}

func paint(s finding.Severity, color bool) string {
	word := cmp.Or(string(s), "unknown")
	if c, ok := colors[s]; ok && color {
		return c.Sprint(word)
	}
	return word
}

func writeSummary(b *strings.Builder, r *result, color bool) {
	byType := map[string]int{}
	files := 0
	for i := range r.Document.Packages {
		if r.Document.Packages[i].Type == sbom.TypeFile {
			files++
			continue
		}
		byType[cmp.Or(r.Document.Packages[i].PURL.Type, "other")]++
	}
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(byType)) {
		parts = append(parts, fmt.Sprintf("%d %s", byType[t], clean(t)))
	}
	fmt.Fprintf(b, "%d packages", len(r.Document.Packages)-files)
	if len(parts) > 0 {
		fmt.Fprintf(b, " (%s)", strings.Join(parts, ", "))
	}
	if r.Report.Snapshot == "" {
		b.WriteString(", findings not assessed: no advisory data\n")
		return
	}
	fmt.Fprintf(b, ", %d findings", len(r.Report.Findings))
	counts := map[finding.Severity]int{}
	for _, f := range r.Report.Findings {
		counts[f.Severity]++
	}
	for _, s := range []finding.Severity{finding.Critical, finding.High, finding.Medium, finding.Low, finding.None, finding.Unknown} {
		if counts[s] > 0 {
			fmt.Fprintf(b, ", %d %s", counts[s], paint(s, color))
		}
	}
	b.WriteByte('\n')
}

func writeGaps(b *strings.Builder, r *result, color bool) {
	gaps := r.gaps()
	slices.SortStableFunc(gaps, func(x, y sbom.Gap) int {
		if x.Blocking != y.Blocking {
			if x.Blocking {
				return -1
			}
			return 1
		}
		return 0
	})
	if len(gaps) == 0 {
		return
	}
	b.WriteString("\nNot assessed:\n")
	for i, g := range gaps {
		if i == maxGapLines {
			fmt.Fprintf(b, "  … and %d more (-o json has all)\n", len(gaps)-i)
			break
		}
		mark := "note"
		if g.Blocking {
			mark = "gap "
			if color {
				mark = text.Colors{text.FgYellow, text.Bold}.Sprint(mark)
			}
		}
		fmt.Fprintf(b, "  %s  %s: %s\n", mark, clean(g.Where), clean(g.What))
	}
}

// clean makes text from an image safe for a terminal: control characters are
// shown, not obeyed.
func clean(s string) string {
	if !strings.ContainsFunc(s, unsafeRune) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unsafeRune(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// unsafeRune says which runes could command a terminal or reorder a line.
func unsafeRune(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}
