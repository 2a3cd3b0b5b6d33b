package license

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
)

var update = flag.Bool("update", false, "rewrite ids.go from the shared licence list")

func TestParse(t *testing.T) {
	valid := []string{
		"MIT", "mit", "Apache-2.0", "GPL-2.0+", "GPL-2.0-only", "LicenseRef-x.1-y", "DocumentRef-a:LicenseRef-b",
		"MIT AND ISC", "(MIT)", "((MIT OR ISC) AND Zlib)", "GPL-2.0-or-later WITH Classpath-exception-2.0",
		"GPL-2.0-only WITH bison-exception-2.2 AND MIT", "MIT  OR\tISC", "(MIT)AND(ISC)", "LGPL-2.1-only OR MIT OR BSD-3-Clause",
		strings.Repeat("(", 5000) + "MIT" + strings.Repeat(")", 5000),
	}
	for _, s := range valid {
		if err := Parse(s); err != nil {
			t.Errorf("Parse(%.40q) = %v, want nil", s, err)
		}
	}
	invalid := map[string]string{
		"":                                "a licence is missing at byte 0",
		"   ":                             "a licence is missing at byte 3",
		"NONE":                            `unknown licence identifier "NONE" at byte 0`,
		"NOASSERTION":                     `unknown licence identifier "NOASSERTION"`,
		"MIT and ISC":                     `an operator is missing before "and" at byte 4`,
		"MIT ISC":                         `an operator is missing before "ISC" at byte 4`,
		"MIT AND":                         "a licence is missing at byte 7",
		"AND MIT":                         `unknown licence identifier "AND"`,
		"(MIT":                            "a parenthesis is not closed at byte 4",
		"MIT)":                            "a parenthesis is closed that was not opened at byte 3",
		"()":                              "a licence is missing at byte 1",
		"MIT WITH":                        "a licence is missing",
		"MIT WITH MIT":                    `"MIT" is not a licence exception at byte 9`,
		"MIT WITH (MIT)":                  `"(" is not a licence exception`,
		"(MIT) WITH LLVM-exception":       `an operator is missing before "WITH"`,
		"MIT WITH LLVM-exception WITH x":  `an operator is missing before "WITH"`,
		"LicenseRef-":                     "unknown licence identifier",
		"LicenseRef-a_b":                  "unknown licence identifier",
		"DocumentRef-:LicenseRef-a":       "unknown licence identifier",
		"MIT++":                           "unknown licence identifier",
		"LLVM-exception":                  "unknown licence identifier",
		"Apache 2.0":                      "unknown licence identifier",
		strings.Repeat("MIT OR ", 1<<15):  "longer than 16384 bytes",
		strings.Repeat("(", MaxLength):    "a licence is missing",
		"MIT\x00":                         "unknown licence identifier",
		"MIT\xff OR ISC":                  "unknown licence identifier",
		"https://spdx.org/licenses/MIT":   "unknown licence identifier",
		"GPL-2.0-only + MIT":              `an operator is missing before "+"`,
		"MIT AND (ISC OR (Zlib AND BSD))": `unknown licence identifier "BSD" at byte 26`,
	}
	for s, want := range invalid {
		err := Parse(s)
		if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q) = %v, want an invalid-input error with %q", s, err, want)
		}
	}
}

func TestNormalize(t *testing.T) {
	tests := map[string]string{
		// Already expressions: only the spelling changes.
		"mit": "MIT", "apache-2.0 AND  isc": "Apache-2.0 AND ISC", "gpl-2.0-ONLY WITH classpath-exception-2.0": "GPL-2.0-only WITH Classpath-exception-2.0",
		// Debian copyright files.
		"Expat": "MIT", "GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later", "LGPL-2.1+": "LGPL-2.1+", "BSD-3-clause": "BSD-3-Clause",
		"GFDL-1.3+": "GFDL-1.3+", "GFDL-1.3 or later": "GFDL-1.3-or-later", "GFDL-NIV-1.3+": "GFDL-1.3-no-invariants-or-later", "GPL-2+ and Expat": "GPL-2.0-or-later AND MIT",
		"GPL-2+ with Autoconf exception": "GPL-2.0-or-later WITH Autoconf-exception-2.0", "GPL-3+ with Autoconf exception": "GPL-3.0-or-later WITH Autoconf-exception-3.0",
		"GPL-1+ or Artistic-2, and Expat": "(GPL-1.0-or-later OR Artistic-2.0) AND (MIT)",
		"GPL-2+ with Bison exception":     "GPL-2.0-or-later WITH Bison-exception-2.2", "GPL-3": "GPL-3.0-only", "LGPL-3+": "LGPL-3.0-or-later",
		"MPL-2.0 or GPL-2+": "MPL-2.0 OR GPL-2.0-or-later", "Apache-2": "Apache-2.0", "AGPL-3": "AGPL-3.0-only",
		// RPM before SPDX.
		"GPLv2": "GPL-2.0-only", "GPLv2+": "GPL-2.0-or-later", "LGPLv2+ and MIT": "LGPL-2.0-or-later AND MIT", "ASL 2.0": "Apache-2.0", "MPLv2.0": "MPL-2.0",
		"(GPLv3+ or LGPLv3+) and Boost": "(GPL-3.0-or-later OR LGPL-3.0-or-later) AND BSL-1.0", "GPL-2.0+ AND BSD-3-Clause": "GPL-2.0+ AND BSD-3-Clause",
		// Maven.
		"The Apache Software License, Version 2.0": "Apache-2.0", "Apache License, Version 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
		"Apache 2.0": "Apache-2.0", "Apache 2": "Apache-2.0", "The MIT License": "MIT", "MIT License": "MIT", "Eclipse Public License - v 1.0": "EPL-1.0",
		"Eclipse Public License v2.0": "EPL-2.0", "GNU Lesser General Public License, version 2.1": "LGPL-2.1-only", "BSD 3-Clause": "BSD-3-Clause",
		"GNU General Public License, version 2 or later": "GPL-2.0-or-later", "Mozilla Public License, Version 2.0": "MPL-2.0", "New BSD License": "BSD-3-Clause",
		"http://www.apache.org/licenses/LICENSE-2.0.txt": "Apache-2.0", "EDL 1.0": "BSD-3-Clause", "GPL2 w/ CPE": "",
		// npm and Cargo.
		"(MIT OR Apache 2.0)": "(MIT OR Apache-2.0)", "MIT/Apache-2.0": "(MIT OR Apache-2.0)", "MIT & ISC": "MIT AND ISC", "BSD-2-Clause OR MIT": "BSD-2-Clause OR MIT",
		"MIT/X11": "MIT", "WTFPL": "WTFPL",
		// PyPI.
		"License :: OSI Approved :: MIT License": "MIT", "License :: OSI Approved :: Apache Software License": "",
		"License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
		"License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)":            "MPL-2.0",
		"License :: OSI Approved :: ISC License (ISCL)":                              "ISC", "Python Software Foundation License": "PSF-2.0",
		"GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only", "3-Clause BSD License": "BSD-3-Clause", "The MIT License (MIT)": "MIT",
		"GNU LGPL v2.1": "LGPL-2.1-only", "\"MIT\"": "MIT", "MIT.": "MIT",
		// Perl's, OpenLDAP's, and exceptions as Debian and Maven write them.
		"GPL-1+ or Artistic": "GPL-1.0-or-later OR Artistic-1.0-Perl", "GPL+ or Artistic": "GPL-1.0-or-later OR Artistic-1.0-Perl",
		"Artistic or GPL-1+": "GPL-1.0-or-later OR Artistic-1.0-Perl", "GPL-1+ or Artistic, and Expat": "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND (MIT)",
		"(GPL+ or Artistic) and MIT": "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND MIT", "Artistic or GPL-2+": "", "GPL-1+ or Artistic 2.0": "GPL-1.0-or-later OR Artistic-2.0",
		"OpenLDAP-2.8 and Expat": "OLDAP-2.8 AND MIT", "GPL-3+-WITH-BISON-EXCEPTION": "GPL-3.0-or-later WITH Bison-exception-2.2", "ALv2": "Apache-2.0",
		"GNU General Public License, version 2 with the GNU Classpath Exception":    "GPL-2.0-only WITH Classpath-exception-2.0",
		"GNU General Public License (GPL), version 2, with the Classpath exception": "GPL-2.0-only WITH Classpath-exception-2.0",
		"COMMON DEVELOPMENT AND DISTRIBUTION LICENSE (CDDL) Version 1.0":            "CDDL-1.0", "GPL+": "GPL-1.0-or-later",
		// Ambiguous or unknown: never guessed.
		"": "", "BSD": "", "GPL": "", "LGPL": "", "Artistic": "", "public-domain": "", "GPL-2+ with OpenSSL exception": "", "UNLICENSED": "",
		"SEE LICENSE IN LICENSE.txt": "", "GPLv2+ and BSD": "", "License :: OSI Approved :: BSD License": "", "GPL-2 and more": "", "GPL-9": "", "Apache": "",
		"MIT (GPL-2)": "", "other": "", "GPL/CDDL": "", "MIT,": "MIT", "and": "", "with": "", "()": "", "NOASSERTION": "", "NONE": "",
	}
	for in, want := range tests {
		got, ok := Normalize(in)
		if got != want && ok || ok != (want != "") {
			t.Errorf("Normalize(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
}

func TestReferences(t *testing.T) {
	got := References("(LicenseRef-b AND MIT) OR DocumentRef-d:LicenseRef-a OR LicenseRef-b OR LicenseRef- nonsense(")
	if diff := cmp.Diff([]string{"DocumentRef-d:LicenseRef-a", "LicenseRef-b"}, got); diff != "" {
		t.Error(diff)
	}
	if got := References(""); got != nil {
		t.Errorf("References of nothing = %v, want nil", got)
	}
}

// Every alias must be reachable (its key is a fixed point of fold) and must
// stand for a listed licence.
func TestAliases(t *testing.T) {
	for key, id := range aliases {
		if fold(key) != key {
			t.Errorf("alias %q can never match: it folds to %q", key, fold(key))
		}
		if listed(licenseIDs, id) != id {
			t.Errorf("alias %q stands for %q, which is not on the list", key, id)
		}
	}
	for key, ids := range exceptions {
		for _, id := range ids {
			if id != "" && listed(exceptionIDs, id) != id {
				t.Errorf("exception %q stands for %q, which is not on the list", key, id)
			}
		}
	}
}

// TestTables compares the tables with the published list; -update rewrites them.
func TestTables(t *testing.T) {
	var list struct {
		Comment string   `json:"$comment"`
		Enum    []string `json:"enum"`
	}
	files := testdata.Open(t, "conformance/cyclonedx-schema.tar.gz")
	if err := json.Unmarshal(files["schema/spdx.schema.json"], &list); err != nil {
		t.Fatal(err)
	}
	first := slices.Index(list.Enum, "389-exception") // the exceptions follow the licences
	licenses, exceptions := slices.Clone(list.Enum[:first]), slices.Clone(list.Enum[first:])
	_, version, _ := strings.Cut(list.Comment, "-")
	slices.SortFunc(licenses, compareFold)
	slices.SortFunc(exceptions, compareFold)
	if *update {
		writeTables(t, version, licenses, exceptions)
	}
	if version != ListVersion {
		t.Errorf("list version is %s, tables are of %s", version, ListVersion)
	}
	if diff := cmp.Diff(licenses, licenseIDs); diff != "" {
		t.Errorf("licenceIDs differ (run with -update): %s", diff)
	}
	if diff := cmp.Diff(exceptions, exceptionIDs); diff != "" {
		t.Errorf("exceptionIDs differ (run with -update): %s", diff)
	}
}

func writeTables(t *testing.T, version string, licenses, exceptions []string) {
	old, err := os.ReadFile("ids.go")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(old)) {
		switch {
		case strings.HasPrefix(line, "const ListVersion"):
			fmt.Fprintf(&b, "const ListVersion = %q\n", version)
		case strings.HasPrefix(line, "var licenseIDs"):
			writeTable(&b, line, licenses)
		case strings.HasPrefix(line, "var exceptionIDs"):
			writeTable(&b, line, exceptions)
		case !strings.HasPrefix(line, "\t") && line != "}\n":
			b.WriteString(line)
		}
	}
	if err := os.WriteFile("ids.go", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeTable(b *bytes.Buffer, head string, ids []string) {
	b.WriteString(head)
	line := "\t"
	for _, id := range ids {
		item := fmt.Sprintf("%q, ", id)
		if len(line)+len(item) > 140 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = "\t"
		}
		line += item
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n}\n")
}

// expressions generates valid expressions.
func expressions(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pick := rapid.IntRange(0, 5).Draw(t, "shape")
		if depth == 0 || pick < 2 {
			return rapid.SampledFrom(licenseIDs).Draw(t, "id")
		}
		sub := expressions(depth - 1)
		switch pick {
		case 2:
			return rapid.SampledFrom(licenseIDs).Draw(t, "id") + " WITH " + rapid.SampledFrom(exceptionIDs).Draw(t, "exception")
		case 3:
			return "(" + sub.Draw(t, "group") + ")"
		case 4:
			return sub.Draw(t, "left") + " AND " + sub.Draw(t, "right")
		}
		return sub.Draw(t, "left") + " OR " + sub.Draw(t, "right")
	})
}

func TestCanonicalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expr := expressions(4).Draw(t, "expr")
		got, ok := Normalize(expr)
		if len(expr) <= maxSpelling && (!ok || got != expr) {
			t.Fatalf("Normalize(%q) = %q, %v, want it unchanged", expr, got, ok)
		}
		if low, ok := Normalize(strings.ReplaceAll(expr, " ", "  ")); ok && low != expr {
			t.Fatalf("blanks change %q to %q", expr, low)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"MIT", "(MIT AND ISC) OR GPL-2.0+ WITH LLVM-exception", "LicenseRef-a", "GPL-2+ or Artistic, and Expat", "MIT/X11", "a :: b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if expr, err := canonical(s); err == nil {
			if again, err := canonical(expr); err != nil || again != expr {
				t.Fatalf("canonical form %q of %q is not canonical: %q, %v", expr, s, again, err)
			}
		}
		if expr, ok := Normalize(s); ok {
			if err := Parse(expr); err != nil {
				t.Fatalf("Normalize(%q) = %q: %v", s, expr, err)
			}
			if again, ok := Normalize(expr); len(expr) <= maxSpelling && (!ok || again != expr) {
				t.Fatalf("Normalize is not idempotent on %q: %q then %q", s, expr, again)
			}
			if !utf8.ValidString(expr) {
				t.Fatalf("Normalize(%q) is not UTF-8", s)
			}
		}
		if refs := References(s); !sort.StringsAreSorted(refs) {
			t.Fatalf("References(%q) = %v is not sorted", s, refs)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		_ = Parse("(MIT OR Apache-2.0) AND GPL-2.0-or-later WITH Classpath-exception-2.0")
	}
}

func BenchmarkNormalize(b *testing.B) {
	for b.Loop() {
		Normalize("The Apache Software License, Version 2.0")
	}
}
