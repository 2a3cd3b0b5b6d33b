package updateinfo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/updateinfo"
)

// read collects what a document says: a line for each package.
func read(s *updateinfo.Source, name, text string) (lines, broken []string, fatal error) {
	for st, err := range s.Parse(&advisory.Document{Name: name, Content: []byte(text)}) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, b.ID)
		case err != nil:
			fatal = err
		default:
			r := st.(*advisory.Record)
			lines = append(lines, r.ID+" "+strings.Join(r.Upstream, " ")+" "+r.Rating)
			for _, a := range r.Affected {
				line := "  " + a.Ecosystem + " " + a.Name + " " + a.Stream
				for _, rg := range a.Ranges {
					line += " <" + rg.Events[1].Fixed
				}
				lines = append(lines, line)
			}
		}
	}
	return lines, broken, fatal
}

func updates(list ...string) string { return "<updates>" + strings.Join(list, "") + "</updates>" }

func update(id, rest string) string {
	return `<update type="security"><id>` + id + `</id><title>` + id + `</title>` + rest + `</update>`
}

func packages(collection, list string) string {
	return `<pkglist><collection>` + collection + list + `</collection></pkglist>`
}

func TestParse(t *testing.T) {
	ruby := packages(`<module name="ruby" stream="2.6" version="8060020220628150300" context="d63f516d" arch="x86_64"/>`,
		`<package name="ruby-libs" version="2.6.10" release="109.module+el8.6.0+1" epoch="0" arch="x86_64" src="ruby-2.6.10-109.module+el8.6.0+1.src.rpm"/>
		 <package name="rubygem-json" version="2.1.0" release="109.module+el8.6.0+1" epoch="0" arch="x86_64" src="ruby-2.6.10-109.module+el8.6.0+1.src.rpm"/>
		 <package name="rubygem-bson" version="4.3.0" release="2.module+el8.4.0+592" epoch="1" arch="x86_64" src="rubygem-bson-4.3.0-2.module+el8.4.0+592.src.rpm"/>`)
	cve := `<references><reference href="https://x/1" id="CVE-2022-28738" type="cve" title="CVE-2022-28738 and CVE-2022-28739"/></references>`
	for _, tt := range []struct {
		name   string
		source *updateinfo.Source
		text   string
		lines  []string
		broken []string
		fatal  error
	}{
		{"Rocky Linux by source package, with a module", updateinfo.Rocky(), updates(update("RLSA-2022:6447", "<severity>Moderate</severity>"+cve+ruby)), []string{
			"RLSA-2022:6447 CVE-2022-28738 CVE-2022-28739 Moderate",
			"  Rocky Linux:8 ruby ruby:2.6 <2.6.10-109.module+el8.6.0+1",
			"  Rocky Linux:8 rubygem-bson ruby:2.6 <1:4.3.0-2.module+el8.4.0+592",
		}, nil, nil},
		{"AlmaLinux by package, with a module", updateinfo.AlmaLinux(), updates(update("ALSA-2022:6447", "<severity>None</severity>"+cve+ruby)), []string{
			"ALSA-2022:6447 CVE-2022-28738 CVE-2022-28739 ",
			"  AlmaLinux:8 ruby-libs ruby:2.6 <2.6.10-109.module+el8.6.0+1",
			"  AlmaLinux:8 rubygem-json ruby:2.6 <2.1.0-109.module+el8.6.0+1",
			"  AlmaLinux:8 rubygem-bson ruby:2.6 <1:4.3.0-2.module+el8.4.0+592",
		}, nil, nil},
		{"two versions of one package", updateinfo.Oracle(), updates(update("ELSA-1", packages("", `<package name="a" version="1" release="2" arch="x86_64"/><package name="a" version="1" release="2" arch="aarch64"/><package name="a" version="1" release="3" arch="i686"/>`))),
			[]string{"ELSA-1  ", "  Oracle Linux:8 a  <1-2 <1-3"}, nil, nil},
		{"what fixes bugs is passed over, unless it names a CVE", updateinfo.Rocky(), updates(
			strings.Replace(update("RLBA-1", ""), "security", "bugfix", 1), strings.Replace(update("RLBA-2", cve), "security", "bugfix", 1)), []string{"RLBA-2 CVE-2022-28738 CVE-2022-28739 "}, nil, nil},
		{"the same twice, and another of one id", updateinfo.Rocky(), updates(update("A-1", cve), update("A-1", cve), update("A-1", "")), []string{"A-1 CVE-2022-28738 CVE-2022-28739 "}, []string{"A-1"}, nil},
		{"no id", updateinfo.Rocky(), updates(update("", cve), update("A-1", "")), []string{"A-1  "}, []string{""}, nil},
		{"no stream", updateinfo.Rocky(), updates(update("A-1", packages(`<module name="ruby"/>`, `<package name="a" version="1" release="1"/>`))), nil, []string{"A-1"}, nil},
		{"nothing", updateinfo.Rocky(), updates(), nil, nil, nil},
		{"cut", updateinfo.Rocky(), updates(update("A-1", ""))[:60], nil, nil, updateinfo.ErrInvalid},
		{"html", updateinfo.Rocky(), "<html></html>", nil, nil, updateinfo.ErrInvalid},
		{"xz", updateinfo.Rocky(), "\xfd7zXZ\x00abc", nil, nil, updateinfo.ErrUnsupported},
	} {
		lines, broken, fatal := read(tt.source, "8/x/x86_64/updateinfo.xml", tt.text)
		if diff := cmp.Diff(tt.lines, lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.broken, broken); diff != "" {
			t.Errorf("%s, broken (-want +got):\n%s", tt.name, diff)
		}
		if !errors.Is(fatal, tt.fatal) || (fatal != nil) != (tt.fatal != nil) {
			t.Errorf("%s: %v", tt.name, fatal)
		}
	}
	if _, _, err := read(updateinfo.Rocky(), "updateinfo.xml", updates()); !errors.Is(err, updateinfo.ErrInvalid) {
		t.Errorf("a document without a release: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(updates(update("A-1", packages(`<module name="ruby" stream="2.6"/>`, `<package name="a" version="1" release="2" epoch="1" arch="x86_64" src="b-1-2.src.rpm"/>`)))))
	f.Fuzz(func(t *testing.T, content []byte) {
		ids := map[string]bool{}
		for s, err := range updateinfo.Rocky().Parse(&advisory.Document{Name: "8/x", Content: content}) {
			if err != nil {
				continue
			}
			r := s.(*advisory.Record)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			if ids[r.ID] {
				t.Fatalf("%s is there twice", r.ID)
			}
			ids[r.ID] = true
		}
	})
}

// An update becomes a record: its packages are affected before their versions.
func Example() {
	const text = `<updates><update type="security">
		<id>ALAS2023-2024-001</id><severity>Important</severity>
		<references><reference href="https://alas.aws.amazon.com/cve/html/CVE-2024-10001.html" id="CVE-2024-10001" type="cve"/></references>
		<pkglist><collection><package name="bolt" epoch="1" version="1.2" release="3.amzn2023" arch="x86_64"/></collection></pkglist>
	</update></updates>`
	for s, err := range updateinfo.Amazon().Parse(&advisory.Document{Name: "2023/core/x86_64/updateinfo.xml", Content: []byte(text)}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		r := s.(*advisory.Record)
		a := r.Affected[0]
		fmt.Println(r.ID, r.Upstream, r.Rating, a.Ecosystem, a.Name, a.Ranges[0].Events[1].Fixed)
	}
	// Output:
	// ALAS2023-2024-001 [CVE-2024-10001] Important Amazon Linux:2023 bolt 1:1.2-3.amzn2023
}
