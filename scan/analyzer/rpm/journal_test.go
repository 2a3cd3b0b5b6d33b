package rpm

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// wal writes a log with one frame for each number, which is the size of the
// database after a commit; a negative one is a frame from before.
func wal(page uint32, commits ...int32) []byte {
	var b []byte
	u32 := func(list ...uint32) {
		for _, n := range list {
			b = binary.BigEndian.AppendUint32(b, n)
		}
	}
	u32(walMagic|1, 3007000, page, 0, 11, 22, 0, 0)
	for _, c := range commits {
		salt := uint32(22)
		if c < 0 {
			salt, c = 21, -c
		}
		u32(1, uint32(c), 11, salt, 0, 0)
		b = append(b, make([]byte, page)...)
	}
	return b
}

func TestPendingChanges(t *testing.T) {
	const log, journal = "var/lib/rpm/rpmdb.sqlite-wal", "var/lib/rpm/rpmdb.sqlite-journal"
	for _, c := range []struct {
		name, path string
		data       []byte
		pending    bool
		kind       fault.Kind
	}{
		{"empty log", log, nil, false, ""},
		{"log without frames", log, wal(4096), false, ""},
		{"log with a commit", log, wal(4096, 0, 0, 9), true, ""},
		{"log without a commit", log, wal(4096, 0, 0, 0), false, ""},
		{"log of before", log, wal(4096, -9, -9), false, ""},
		{"log cut in a frame", log, wal(4096, 0, 9)[:32+24+4096+24+100], false, ""},
		{"log with another mark", log, make([]byte, 9000), false, ""},
		{"log with odd pages", log, wal(100, 0, 9), false, fault.Invalid},
		{"empty journal", journal, nil, false, ""},
		{"journal", journal, []byte(rollbackMagic + strings.Repeat("x", 600)), true, ""},
		{"journal that was ended", journal, make([]byte, 600), false, ""},
	} {
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(c.path, c.data))
		if (len(facts) == 1) != c.pending || fault.KindOf(err) != c.kind {
			t.Errorf("%s: %+v, %v", c.name, facts, err)
		}
	}
}

func TestPendingChangesAreAGap(t *testing.T) {
	const log = fedoraDB + "-wal"
	facts := extract(t, log, wal(512, 3))
	in := []analyzer.Located{located(fedoraDB, rpmdb.Package{Name: "a", Version: "1", Release: "2"}), {Fact: facts[0], Path: log}}
	purls, gaps := join(&sbom.OS{ID: "fedora"}, in...)
	want := []sbom.Gap{{Code: sbom.GapUnreadable, Blocking: true, Where: log, What: "holds changes that the rpm database beside it does not have yet"}}
	if diff := cmp.Diff(want, gaps); diff != "" || len(purls) != 1 {
		t.Errorf("%v (-want +got):\n%s", purls, diff)
	}
	if purls, gaps := join(nil, in[1]); len(purls) != 0 || len(gaps) != 1 {
		t.Errorf("log alone: %v %v", purls, gaps)
	}
}

func FuzzWAL(f *testing.F) {
	f.Add(wal(512, 0, 9))
	f.Add(wal(512, -1))
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(fedoraDB+"-wal", b))
		if err != nil && (!errors.Is(err, fault.Invalid) || facts != nil) {
			t.Errorf("%v, %v", facts, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add("a\t1-2\t1\t2\tv\t(none)\t3\tx86_64\t0\tb-1-2.src.rpm\n\nbad", true)
	f.Add("a-b-1.0-2.cm2.x86_64\ngpg-pubkey-1-2\n", false)
	f.Fuzz(func(t *testing.T, s string, long bool) {
		path := nameManifest
		if long {
			path = longManifest
		}
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(s)))
		if err != nil && fault.KindOf(err) == "" {
			t.Errorf("error without a kind: %v", err)
		}
		if n := strings.Count(s, "\n") + 1; len(facts) > n {
			t.Errorf("%d packages from %d lines", len(facts), n)
		}
		for _, fact := range facts {
			if fact.Package.Name == "" || fact.Package.Version == "" {
				t.Errorf("%+v", fact.Package)
			}
		}
	})
}
