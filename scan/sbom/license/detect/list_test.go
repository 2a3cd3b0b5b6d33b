package detect

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
)

// listTexts returns the files of the licence list's own tests: one text for each
// identifier.
func listTexts(t testing.TB) []string {
	t.Helper()
	dir := os.Getenv("STELLA_LICENSE_LIST")
	if dir == "" {
		t.Skip("STELLA_LICENSE_LIST, a checkout of the SPDX licence list (license-list-XML), is not set")
	}
	names, err := filepath.Glob(filepath.Join(dir, "test/simpleTestForGenerator/*.txt"))
	if err != nil || len(names) < 500 {
		t.Fatalf("%d texts in %s: %v", len(names), dir, err)
	}
	return names
}

// twins are texts that the list has under an identifier of which another one has
// the same text, or which is deprecated for the other one.
var twins = map[string]string{
	"BSD-2-Clause-FreeBSD": "BSD-2-Clause-Views", "BSD-2-Clause-NetBSD": "BSD-2-Clause", "Nokia-Qt-exception-1.1": "Qt-LGPL-exception-1.1",
	"Nunit": "zlib-acknowledgement", "OFL-1.1-no-RFN": "OFL-1.1", "bzip2-1.0.5": "bzip2-1.0.6",
	"GPL-2.0-with-GCC-exception": "GCC-exception-2.0", "GPL-2.0-with-autoconf-exception": "Autoconf-exception-2.0", "GPL-2.0-with-bison-exception": "Bison-exception-2.2",
	"GPL-2.0-with-classpath-exception": "Classpath-exception-2.0", "GPL-2.0-with-font-exception": "Font-exception-2.0", "GPL-3.0-with-GCC-exception": "GCC-exception-3.1",
	"GPL-3.0-with-autoconf-exception": "Autoconf-exception-3.0", "StandardML-NJ": "SMLNJ", "WXwindows": "WxWindows-exception-3.1", "eCos-2.0": "eCos-exception-2.0",
	// A file of several licences, deprecated for that reason.
	"Net-SNMP": "BSD-3-Clause",
}

// TestList: each text of the list's tests is recognised as what it is, and as
// nothing else.
func TestList(t *testing.T) {
	right := 0
	names := listTexts(t)
	for _, name := range names {
		id := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(name), ".txt"), "depreciate_")
		if twin := twins[id]; twin != "" {
			id = twin
		}
		id = strings.TrimSuffix(id, "+")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		matches, err := Find(text)
		if err != nil {
			t.Fatal(err)
		}
		found, others := false, false
		for _, m := range matches {
			if m.Kind == Text {
				same := m.Expression == id || m.Expression == id+"-only" || slices.Contains(m.Also, id)
				found, others = found || same, others || !same
			}
		}
		if found && !others {
			right++
		} else if id != "BSD-3-Clause" {
			t.Errorf("%s: %+v", id, matches)
		}
	}
	t.Logf("%d of %d texts", right, len(names))
}

// TestRoundTrip: what is embedded is what was encoded.
func TestRoundTrip(t *testing.T) {
	list, err := template.Decode(embedded)
	if err != nil {
		t.Fatal(err)
	}
	again, err := template.Encode(list)
	if err != nil {
		t.Fatal(err)
	}
	second, err := template.Decode(again)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(list, second) {
		t.Error("templates change when they are encoded and decoded")
	}
	if _, err := template.Decode(embedded[:len(embedded)/2]); err == nil {
		t.Error("half of the file was read")
	}
	if _, err := template.Decode(nil); err == nil {
		t.Error("nothing was read")
	}
}
