package cyclonedx
import ("testing";"os";"path/filepath";"bytes";"path";"github.com/google/go-cmp/cmp";"strings")
func TestZZ(t *testing.T) {
	v := newValidator(t)
	files, _ := filepath.Glob("/root/go/pkg/mod/github.com/!cyclone!d!x/cyclonedx-go@v0.12.0/testdata/*.*")
	more, _ := filepath.Glob("/root/go/pkg/mod/github.com/!cyclone!d!x/cyclonedx-go@v0.12.0/testdata/snapshots/*.*")
	files = append(files, more...)
	vers := map[string]int{}
	for _, name := range files {
		in, _ := os.ReadFile(name)
		if e := path.Ext(name); e != ".json" && e != ".xml" { continue }
		d, err := Decode(bytes.NewReader(in), nil)
		if err != nil { t.Logf("%s: %v", path.Base(name), err); continue }
		own := specVersion(t, in)
		if own < "1.4" { continue }
		vers[own+path.Ext(name)]++
		out, losses := mustEncode(t, d, optionsFor(name, own))
		var diff string
		if path.Ext(name) == ".json" { diff = cmp.Diff(comparable(t, in), comparable(t, []byte(out))) 
			e1, e2 := v.checkJSON(t, own, in), v.checkJSON(t, own, []byte(out))
			if e1 == nil && e2 != nil { t.Errorf("%s %v", path.Base(name), e2) }
		} else { diff = cmp.Diff(flatXML(t, in), flatXML(t, []byte(out))) 
			f := v.checkXML(t, own, map[string][]byte{"in": in, "out": []byte(out)})
			if f["in"] == "" && f["out"] != "" { t.Errorf("%s %v", path.Base(name), f["out"]) }
		}
		if diff != "" || len(losses) > 0 { t.Errorf("%s %s: %s %v", path.Base(name), own, diff, losses) }
		for _, g := range d.Gaps { if !strings.Contains(g.What, "not RFC") { t.Logf("%s %v", path.Base(name), g) } }
	}
	t.Log(vers)
}
