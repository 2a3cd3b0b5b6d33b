package advisory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func syft(t testing.TB, path string) *sbom.Document {
	b, err := os.ReadFile(path)
	if err != nil { t.Fatal(err) }
	var d struct{ Components []struct{ BOMRef string `json:"bom-ref"`; Type, Name, Version, Purl string; Properties []struct{Name,Value string} } }
	if err := json.Unmarshal(b, &d); err != nil { t.Fatal(err) }
	doc := &sbom.Document{}
	for _, c := range d.Components {
		p := sbom.Package{ID: c.BOMRef, Type: c.Type, Name: c.Name, Version: c.Version}
		if c.Purl != "" {
			u, err := purl.Parse(c.Purl)
			if err != nil { t.Log(err); continue }
			p.PURL = u
			if up := u.Qualifier("upstream"); up != "" { n, v, _ := strings.Cut(up, "@"); p.Upstream = &sbom.Upstream{Name: n, Version: v} }
		}
		doc.Packages = append(doc.Packages, p)
	}
	return doc
}

func TestScratch(t *testing.T) {
	var b bytes.Buffer
	res, err := snapshot.Build(&b, osv.Walk(t.Context(), nil, "/tmp/adv/localdb/osv-scalibr"))
	if err != nil { t.Fatal(err) }
	t.Log(res.Records, res.Size, len(res.Broken))
	s, err := snapshot.Read(b.Bytes())
	if err != nil { t.Fatal(err) }
	for _, n := range []string{"go-app", "py-app", "poly-app", "node-app"} {
		doc := syft(t, "/tmp/adv/"+n+".cdx.json")
		start := time.Now()
		r, err := advisory.Matcher{View: s}.Match(context.Background(), doc)
		if err != nil { t.Fatal(err) }
		took := time.Since(start)
		ours := map[string]map[string]bool{}   // pkg -> all ids
		adv := map[string]map[string]bool{}
		for _, f := range r.Findings {
			k := f.Name + "@" + strings.TrimPrefix(strings.TrimPrefix(f.Version, "v"), "go")
			if ours[k] == nil { ours[k] = map[string]bool{}; adv[k] = map[string]bool{} }
			ours[k][f.Advisory] = true; adv[k][f.Advisory] = true
			for _, a := range f.Aliases { ours[k][a] = true }
		}
		ob, _ := os.ReadFile("/tmp/adv/" + n + ".osv.json")
		var od struct{ Results []struct{ Packages []struct{ Package struct{ Name, Version, Ecosystem string }; Vulnerabilities []struct{ ID string; Aliases []string } } } }
		if err := json.Unmarshal(ob, &od); err != nil { t.Fatal(err) }
		theirs := map[string]map[string]bool{}
		total := 0
		for _, res := range od.Results { for _, p := range res.Packages {
			k := p.Package.Name + "@" + strings.TrimPrefix(p.Package.Version, "v")
			if p.Package.Ecosystem == "Debian" { continue }
			if theirs[k] == nil { theirs[k] = map[string]bool{} }
			for _, v := range p.Vulnerabilities { theirs[k][v.ID] = true; total++ }
		} }
		var out []string
		for k, ids := range theirs { for id := range ids { if !ours[k][id] { out = append(out, "only osv  "+k+" "+id) } } }
		for k, ids := range adv { for id := range ids { if !theirs[k][id] { out = append(out, "only ours "+k+" "+id) } } }
		sort.Strings(out)
		fmt.Println("==", n, "findings", len(r.Findings), "theirs", total, "gaps", len(r.Gaps), took)
		for _, o := range out { fmt.Println("   ", o) }
		for i, g := range r.Gaps { if i < 12 { fmt.Println("    gap", g.Code, g.Blocking, g.Where, "|", g.What) } }
	}
}
