package cpe_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/cpe"
)

// TestBindings are the examples of NISTIR 7695 §6.1.2 and §6.2.2.
func TestBindings(t *testing.T) {
	for _, tt := range []struct{ formatted, uri string }{
		{`cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*`, `cpe:/a:microsoft:internet_explorer:8.0.6001:beta`},
		{`cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*`, `cpe:/a:microsoft:internet_explorer:8.%02:sp%01`},
		{`cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:-:*:*:online:win2003:x64:*`, `cpe:/a:hp:insight_diagnostics:7.4.0.1570:-:~~online~win2003~x64~`},
		{`cpe:2.3:a:hp:openview_network_manager:7.51:*:*:*:*:linux:*:*`, `cpe:/a:hp:openview_network_manager:7.51::~~~linux~~`},
		{`cpe:2.3:a:foo\\bar:big\$money_manager_2010:*:*:*:*:special:ipod_touch:80gb:*`, `cpe:/a:foo%5cbar:big%24money_manager_2010:::~~special~ipod_touch~80gb~`},
		{`cpe:2.3:a:foo\~bar:big\~money_2010:*:*:*:*:*:*:*:*`, `cpe:/a:foo%7ebar:big%7emoney_2010`},
		{`cpe:2.3:o:microsoft:windows_7:-:sp1:*:*:*:*:*:*`, `cpe:/o:microsoft:windows_7:-:sp1`},
		{`cpe:2.3:a:c\+\+:node.js:1\:2:*:*:*:*:*:*:*`, `cpe:/a:c%2b%2b:node.js:1%3a2`},
		{`cpe:2.3:a:v:p:1:*:x:en-us:*:*:*:*`, `cpe:/a:v:p:1::x:en-us`},
	} {
		a, err := cpe.Parse(tt.formatted)
		if err != nil {
			t.Error(err)
			continue
		}
		b, err := cpe.Parse(tt.uri)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s and %s (-first +second):\n%s", tt.formatted, tt.uri, diff)
		}
		if a.String() != tt.formatted || a.URI() != tt.uri {
			t.Errorf("written back:\n%s\n%s\nwant:\n%s\n%s", a, a.URI(), tt.formatted, tt.uri)
		}
	}
}

func TestNormalForm(t *testing.T) {
	for text, want := range map[string]string{
		`CPE:2.3:A:OpenSSL:OpenSSL:1.0.2K:*:*:*:*:*:*:*`:    `cpe:2.3:a:openssl:openssl:1.0.2k:*:*:*:*:*:*:*`,
		`cpe:2.3:a:a\-b:c\_d:1\.0:*:*:*:*:*:*:*`:            `cpe:2.3:a:a-b:c_d:1.0:*:*:*:*:*:*:*`,
		`cpe:2.3:a:c++:x:1:*:*:*:*:*:*:*`:                   `cpe:2.3:a:c\+\+:x:1:*:*:*:*:*:*:*`,
		`cpe:2.3:a:x:\-:1:*:*:*:*:*:*:*`:                    `cpe:2.3:a:x:\-:1:*:*:*:*:*:*:*`,
		`cpe:/a:openssl:openssl:1.0.2~beta`:                 `cpe:2.3:a:openssl:openssl:1.0.2\~beta:*:*:*:*:*:*:*`,
		`cpe:/`:                                             `cpe:2.3:*:*:*:*:*:*:*:*:*:*:*`,
		`cpe:/o:redhat:enterprise_linux:8::baseos`:          `cpe:2.3:o:redhat:enterprise_linux:8:*:baseos:*:*:*:*:*`,
		`cpe:2.3:a:x:y:??1.2*:*:*:*:*:*:*:*`:                `cpe:2.3:a:x:y:??1.2*:*:*:*:*:*:*:*`,
		`cpe:2.3:a:x:y:\*\?:*:*:*:*:*:*:*`:                  `cpe:2.3:a:x:y:\*\?:*:*:*:*:*:*:*`,
		`cpe:2.3:a:www.geeklog.net:geeklog:1:*:*:*:*:*:*:é`: `cpe:2.3:a:www.geeklog.net:geeklog:1:*:*:*:*:*:*:é`,
	} {
		n, err := cpe.Parse(text)
		if err != nil || n.String() != want {
			t.Errorf("%s:\n%s, %v, want\n%s", text, n, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "openssl", "cpe:2.2:a:b:c", "cpe:2.3:a:b:c", `cpe:2.3:a:hp:insight:7.4.*.1570:*:*:*:*:*:*:*`, `cpe:2.3:x:b:c:1:*:*:*:*:*:*:*`,
		`cpe:2.3:a:b::1:*:*:*:*:*:*:*`, `cpe:2.3:a:b:c:1:*:*:*:*:*:*:\`, `cpe:2.3:a:b c:d:1:*:*:*:*:*:*:*`, `cpe:2.3:a:b:c:1:*:*:*:*:*:*:*:*`,
		`cpe:/a:foo:bar:12.%02.1234`, `cpe:/a:foo:%0`, `cpe:/a:foo:%00`, `cpe:/a:b:c:d:e:~~f`, `cpe:/a:b:c:d:e:f:g:h`, "cpe:/a:b\x00", "cpe:/a:" + strings.Repeat("x", 5000),
		`cpe:2.3:a:b:a?b:1:*:*:*:*:*:*:*`, `cpe:2.3:a:b:**:1:*:*:*:*:*:*:*x`,
	} {
		n, err := cpe.Parse(text)
		if err == nil {
			t.Errorf("%.60q is %v", text, n)
		} else if len(text) < 5000 && !errors.Is(err, cpe.ErrInvalid) {
			t.Error(err)
		}
	}
}

// TestCompareAttribute is table 6-2 of NISTIR 7696, row by row.
func TestCompareAttribute(t *testing.T) {
	for _, tt := range []struct {
		source, target string
		want           cpe.Relation
	}{
		{"*", "*", cpe.Equal}, {"*", "-", cpe.Superset}, {"*", "i", cpe.Superset}, {"*", "m*", cpe.Undefined},
		{"-", "*", cpe.Subset}, {"-", "-", cpe.Equal}, {"-", "i", cpe.Disjoint}, {"-", "m*", cpe.Undefined},
		{"i", "i", cpe.Equal}, {"i", "k", cpe.Disjoint}, {"i", "m*", cpe.Undefined}, {"i", "-", cpe.Disjoint}, {"i", "*", cpe.Subset},
		{"m*", "mk", cpe.Superset}, {"m*", "k", cpe.Disjoint}, {"m*", "*", cpe.Subset}, {"m*", "-", cpe.Disjoint}, {"m*", "m*", cpe.Undefined},
		// §6.1: question marks stand for as many characters or fewer, at the edges.
		{"8.?", "8.1", cpe.Superset}, {"8.?", "8.", cpe.Superset}, {"8.?", "8.10", cpe.Disjoint}, {"8.??", "8.10", cpe.Superset}, {"?8", "18", cpe.Superset},
		{"*8.0*", "18.0.1", cpe.Superset}, {"*8.0", "18.0.1", cpe.Disjoint}, {"8.*", "9.8.1", cpe.Disjoint}, {`a\*`, "ab", cpe.Disjoint}, {`a\*`, `a\*`, cpe.Equal},
		{`a?`, `a\+`, cpe.Superset}, {`a*`, `a\+\+`, cpe.Superset}, {`a??`, `a\+\+`, cpe.Superset}, {`a?`, `a\+\+`, cpe.Disjoint}, {`*\+`, `a\+`, cpe.Superset},
	} {
		if got := cpe.CompareAttribute(tt.source, tt.target); got != tt.want {
			t.Errorf("%s and %s: %s, want %s", tt.source, tt.target, got, tt.want)
		}
	}
}

// TestCompare is table 6-4 of NISTIR 7696 and the examples of its §7.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		source, target string
		want           cpe.Relation
	}{
		{"cpe:/a:adobe:reader:9.3.2", "cpe:/a:adobe:reader:9.3.2", cpe.Equal},
		{"cpe:/a:adobe:reader", "cpe:/a:adobe:reader:9.3.2", cpe.Superset},
		{"cpe:/a:adobe:reader:9.3.2", "cpe:/a:adobe:reader", cpe.Subset},
		{"cpe:/a:adobe:reader:9.3.2", "cpe:/a:adobe:reader:9.3.3", cpe.Disjoint},
		{"cpe:/a:adobe:reader:9.%02", "cpe:/a:adobe:reader:9.3.2", cpe.Superset},
		{"cpe:/a:adobe::9.3.2", "cpe:/a:adobe:reader", cpe.Undefined}, // a superset in one, a subset in another
		{"cpe:/o:microsoft:windows_7::sp1", "cpe:/o:microsoft:windows_7::-", cpe.Disjoint},
		{"cpe:/a:x:y", "cpe:/a:x:y:1.%02", cpe.Undefined},
		{"cpe:/a:x:z:%02", "cpe:/a:x:y:1.%02", cpe.Disjoint},
	} {
		source, err := cpe.Parse(tt.source)
		if err != nil {
			t.Fatal(err)
		}
		target, err := cpe.Parse(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := cpe.Compare(source, target); got != tt.want {
			t.Errorf("%s and %s: %s, want %s", tt.source, tt.target, got, tt.want)
		}
		if got, want := cpe.Match(source, target), tt.want == cpe.Equal || tt.want == cpe.Superset; got != want {
			t.Errorf("match %s and %s: %v", tt.source, tt.target, got)
		}
	}
}

func TestEcosystem(t *testing.T) {
	plugin, _ := cpe.Parse(`cpe:2.3:a:acme:forms:1.0.1:beta1:*:*:*:wordpress:*:*`)
	plain, _ := cpe.Parse(`cpe:2.3:a:acme:c\+\+:1.0.1:-:*:*:*:*:*:*`)
	got := []any{plugin.Key(), plugin.Ecosystem(), plugin.FullVersion(), plain.Key(), plain.Ecosystem(), plain.FullVersion(),
		plugin.Of("CPE"), plugin.Of("CPE:wordpress"), plugin.Of("CPE:joomla"), plain.Of("CPE:joomla"), plain.Of("npm")}
	want := []any{"a:acme:forms", "CPE:wordpress", "1.0.1-beta1", `a:acme:c\+\+`, "CPE", "1.0.1", true, true, false, true, false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHasProduct(t *testing.T) {
	for text, want := range map[string]bool{
		"cpe:2.3:a:x:y:*:*:*:*:*:*:*:*": true, "cpe:2.3:a:x:y:-:*:*:*:*:*:*:*": true, "cpe:2.3:a:x:*:*:*:*:*:*:*:*:*": false,
		"cpe:2.3:a:*:y:*:*:*:*:*:*:*:*": false, "cpe:2.3:a:x:y*:*:*:*:*:*:*:*:*": false, "cpe:2.3:*:x:y:*:*:*:*:*:*:*:*": false, "cpe:2.3:a:-:y:*:*:*:*:*:*:*:*": false,
	} {
		if n, err := cpe.Parse(text); err != nil || n.HasProduct() != want {
			t.Errorf("%s: %v, %v", text, n.HasProduct(), err)
		}
	}
}

// TestRelations: comparing the other way round gives the converse, and what is
// written is read back.
func TestRelations(t *testing.T) {
	converse := map[cpe.Relation]cpe.Relation{cpe.Equal: cpe.Equal, cpe.Disjoint: cpe.Disjoint, cpe.Subset: cpe.Superset, cpe.Superset: cpe.Subset}
	attr := rapid.SampledFrom([]string{"*", "-", "a", "b", `a\*`, "1.0"})
	name := rapid.Custom(func(t *rapid.T) cpe.Name {
		return cpe.Name{Part: "a", Vendor: attr.Draw(t, "vendor"), Product: attr.Draw(t, "product"), Version: attr.Draw(t, "version"), Update: "*",
			Edition: "*", Language: "*", SWEdition: "*", TargetSW: attr.Draw(t, "target"), TargetHW: "*", Other: "*"}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := name.Draw(t, "a"), name.Draw(t, "b")
		if there, back := cpe.Compare(a, b), cpe.Compare(b, a); there != cpe.Undefined && there != cpe.Disjoint && converse[there] != back {
			t.Fatalf("%s to %s is %s, and back %s", a, b, there, back)
		}
		for _, text := range []string{a.String(), a.URI()} {
			if c, err := cpe.Parse(text); err != nil || c != a {
				t.Fatalf("%s: %+v, %v, want %+v", text, c, err, a)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`cpe:2.3:a:foo\\bar:big\$money_2010:1.*:?a:*:*:special:ipod_touch:80gb:*`)
	f.Add(`cpe:/a:hp:insight_diagnostics:7.4.0.1570:-:~~online~win2003~x64~`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := cpe.Parse(text)
		if err != nil {
			return
		}
		again, err := cpe.Parse(n.String())
		if err != nil || again != n {
			t.Fatalf("%q is %+v, written %s it is %+v, %v", text, n, n, again, err)
		}
		if r := cpe.Compare(n, n); r != cpe.Equal && r != cpe.Undefined {
			t.Fatalf("%s is %s to itself", n, r)
		}
	})
}
