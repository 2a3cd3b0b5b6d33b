package locked

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestFacts: one package of two entries, edges by name, by key and by a further name.
func TestFacts(t *testing.T) {
	var f File
	f.Put(Entry{Package: sbom.Package{Name: "a", Version: "1", Scope: sbom.ScopeDev, Hashes: Hex("md5", strings.Repeat("0a", 16))}, Wants: []string{"b", "c@1", "see", "a", "nobody"}})
	f.Put(Entry{Package: sbom.Package{Name: "b", Version: "1"}})
	f.Put(Entry{Package: sbom.Package{Name: "b", Version: "2"}})
	f.Put(Entry{Package: sbom.Package{Name: "c", Version: "1"}, Also: []string{"see"}})
	f.Put(Entry{Package: sbom.Package{Name: "a", Version: "1", Download: "x", Hashes: Hex("md5", strings.Repeat("01", 16))}, Wants: []string{"b@2"}})
	f.Put(Entry{Package: sbom.Package{Version: "3"}})
	facts, err := f.Facts(nil)
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("an entry without a name: %v", err)
	}
	var got []string
	for _, x := range facts {
		got = append(got, fmt.Sprintf("%s %s%s %d %v", x.Key, x.Package.Scope, x.Package.State, len(x.Package.Hashes), x.DependsOn))
	}
	want := []string{"a@1 declared 2 [b@1 b@2 c@1]", "b@1 declared 0 []", "b@2 declared 0 []", "c@1 declared 0 []"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if first := errors.New("first"); true {
		if _, err := f.Facts(first); err != first {
			t.Errorf("the error of reading is lost: %v", err)
		}
	}
}

// TestLimits: too many packages, and names that multiply dependencies.
func TestLimits(t *testing.T) {
	var many File
	for i := range MaxEntries + 2 {
		many.Put(Entry{Package: sbom.Package{Name: "a", Version: fmt.Sprint(i)}})
	}
	if facts, err := many.Facts(nil); len(facts) != MaxEntries || !errors.Is(err, fault.Limit) {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	var dense File
	for i := range 3000 {
		dense.Put(Entry{Package: sbom.Package{Name: "a", Version: fmt.Sprint(i)}, Wants: []string{"a"}})
	}
	if _, err := dense.Facts(nil); !errors.Is(err, fault.Limit) {
		t.Errorf("%v", err)
	}
}

func TestWords(t *testing.T) {
	if Wider(sbom.ScopeDev, sbom.ScopeOptional) != sbom.ScopeOptional || Wider(sbom.ScopeDev, sbom.ScopeRuntime) != sbom.ScopeRuntime || Wider(sbom.ScopeDev, sbom.ScopeDev) != sbom.ScopeDev {
		t.Error("the wider of two scopes")
	}
	if len(Hex("sha256", "00")) != 0 || len(Hex("crc", "00")) != 0 || len(Hex("sha1", "")) != 0 || len(Base64("sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")) != 1 || len(Base64("sha1", "!")) != 0 {
		t.Error("digests")
	}
	for _, name := range []string{"", "a/../b"} {
		if u := URL("cargo", "", name, "1"); u.Name != "" && u.Name != name {
			t.Errorf("%q: %s", name, u)
		}
	}
}
