package licenses

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license/detect"
)

const isc = `ISC License

Copyright (c) 2020 Jane Doe

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided
that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

func TestPaths(t *testing.T) {
	wanted := map[string]bool{ // → in both sets
		"LICENSE": true, "app/LICENSE": true, "a/LICENCE.txt": true, "a/COPYING": true, "a/COPYING.LESSER": true, "a/license": true, "a/License.md": true, "a/NOTICE": true,
		"a/UNLICENSE": true, "a/MIT-LICENSE.txt": true, "a/LICENSE-APACHE": true, "a/LICENSE-MIT": true, "a/LICENSE.rst": true, "a/LICENSE.TXT": true, "a/license-mit": true,
		"a/LICENSE.go": false, "a/mylicense": false, "a/copying.c": false, "a/licenses/x": false, "usr/share/doc/x/copyright": false, "a/copyright": false,
	}
	plain, full := analyzer.NewSet(Analyzer{}), analyzer.NewSet(Analyzer{Copyright: true})
	for p, want := range wanted {
		if got := len(plain.ByPath(nil, p)) == 1; got != want {
			t.Errorf("%s: wanted %v, want %v", p, got, want)
		}
		if got := len(full.ByPath(nil, p)) == 1; got != (want || p == "usr/share/doc/x/copyright") {
			t.Errorf("%s with copyright files: wanted %v", p, got)
		}
	}
}

func TestExtract(t *testing.T) {
	for name, tt := range map[string]struct{ path, data, want string }{
		"text":              {"a/LICENSE", isc, "ISC"},
		"nothing":           {"a/LICENSE", "All of it is mine.", ""},
		"empty":             {"a/LICENSE", "", ""},
		"name alone":        {"a/LICENSE", "Apache License, Version 2.0\n", "Apache-2.0"},
		"names and a text":  {"a/LICENSE", "Apache License, Version 2.0\n\n" + isc, "ISC"},
		"notice file":       {"a/NOTICE", "This product includes software under the MIT license.", ""},
		"notice with texts": {"a/NOTICE.txt", "It includes the parser, under the MIT license, and the lexer:\n\n" + isc, "ISC"},
		"machine readable":  {"usr/share/doc/x/copyright", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: ISC\n", ""},
		"free form":         {"usr/share/doc/x/copyright", "This is the Debian package of x.\n\n" + isc, "ISC"},
	} {
		facts, err := Analyzer{Copyright: true}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, []byte(tt.data)))
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, f := range facts {
			if f.Kind != analyzer.KindLicense {
				t.Errorf("%s: a fact of kind %s", name, f.Kind)
			}
			for _, l := range f.Package.Licenses {
				if l.Kind != sbom.LicenseDetected || l.Name != "" {
					t.Errorf("%s: %+v", name, l)
				}
				list = append(list, l.Expression)
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(list, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "too large", Path: "LICENSE", Data: strings.Repeat("a", detect.MaxBytes+1), Want: fault.Limit},
		analyzertest.Hostile{Name: "as large as may be", Path: "LICENSE", Data: strings.Repeat(isc, detect.MaxBytes/len(isc))},
		analyzertest.Hostile{Name: "binary", Path: "LICENSE", Data: "\x7fELF\x00\xff\xfe" + strings.Repeat("\x00\x80", 1000)},
	)
	_, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("a/LICENSE", make([]byte, detect.MaxBytes+1)))
	if !errors.Is(err, fault.Limit) || !strings.Contains(err.Error(), "a/LICENSE") {
		t.Errorf("%v does not say where", err)
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(isc))
	f.Add([]byte("under the MIT license\nSPDX-License-Identifier: ISC"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []string{"a/LICENSE", "NOTICE", "usr/share/doc/x/copyright"} {
			analyzertest.Check(t, Analyzer{Copyright: true}, p, data)
		}
	})
}

// BenchmarkExtract reads what a package of npm has.
func BenchmarkExtract(b *testing.B) {
	data := []byte(isc)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := (Analyzer{}).Extract(context.Background(), analyzer.NewMemoryFile("a/LICENSE", data)); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	file := analyzer.NewMemoryFile("node_modules/a/LICENSE", []byte(isc))
	facts, err := Analyzer{}.Extract(context.Background(), file)
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range facts {
		fmt.Println(f.Kind, f.Package.Licenses[0].Expression)
	}
	// Output: license ISC
}
