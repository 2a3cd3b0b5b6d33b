package version

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/testdata"
)

// osvRecord is what the test reads of an OSV record, in JSON or YAML.
type osvRecord struct {
	ID       string
	Affected []osvAffected
}

type osvAffected struct {
	Package  struct{ Ecosystem, Name string }
	Ranges   []osvRange
	Versions []string
}

type osvRange struct {
	Type   string
	Events []osvEvent
}

// osvEvent is an [Event] that YAML can be read into.
type osvEvent struct {
	Introduced, Fixed string
	LastAffected      string `json:"last_affected" yaml:"last_affected"`
	Limit             string
}

func decodeOSV(t *testing.T, name string, r io.Reader) (record osvRecord) {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".json") {
		err = json.Unmarshal(data, &record)
	} else {
		err = yaml.Unmarshal(data, &record)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return record
}

// versionRange unites the ranges of a package that are over versions; ok is
// false where there are none.
func (a osvAffected) versionRange(t *testing.T, id string) (r Range, ok bool) {
	t.Helper()
	s, err := For(a.Package.Ecosystem)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	var ranges []Range
	for _, o := range a.Ranges {
		if o.Type == "GIT" {
			continue
		}
		events := make([]Event, len(o.Events))
		for i, e := range o.Events {
			events[i] = Event(e)
		}
		r, err := NewRange(s, events)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		ranges = append(ranges, r)
	}
	r, err = Union(ranges...)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return r, len(ranges) > 0
}

// osvDeviations are all versions that a record lists and its ranges leave out,
// by record, and why the ranges are right to.
var osvDeviations = map[string]struct {
	versions []string
	why      string
}{
	"PYSEC-2023-61": {
		[]string{"3.2a1", "3.2b1", "3.2rc1", "4.2a1", "4.2b1", "4.2rc1"},
		"PEP 440: they precede 3.2 and 4.2, from where the record's ranges start",
	},
	"GHSA-f4qf-m5gf-8jm8": {
		[]string{"9.0.0.M1", "9.0.0.M10", "9.0.0.M3", "9.0.0.M4", "9.0.0.M6", "9.0.0.M8", "9.0.0.M9"},
		"Maven 3.9: .M1 is -M1, which precedes -M11, from where the record's range starts",
	},
}

// TestOSVEnumerated holds the ranges of real records against the versions that
// the databases list for them.
func TestOSVEnumerated(t *testing.T) {
	for _, pack := range []string{"advisories/osv-pypi.tar.gz", "advisories/osv-ghsa-mixed.tar.gz"} {
		verdicts, listed := 0, 0
		testdata.Walk(t, pack, func(name string, r io.Reader) {
			record := decodeOSV(t, name, r)
			for _, a := range record.Affected {
				got, ok := a.versionRange(t, record.ID)
				if !ok {
					continue
				}
				for _, v := range a.Versions {
					verdicts++
					want := Yes
					if slices.Contains(osvDeviations[record.ID].versions, v) {
						want = No
						listed++
					}
					if answer := got.Contains(v); answer.State != want {
						t.Errorf("%s: %s %s %q: got %v, want %s; range %v",
							record.ID, a.Package.Ecosystem, a.Package.Name, v, answer, want, got)
					}
				}
			}
		})
		t.Logf("%s: %d verdicts, %d of them listed as deviations", pack, verdicts, listed)
	}
}
