package csaf_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	parser "github.com/stella-ops/stella/internal/csaf"
)

// FuzzParse: whatever a document is, its records are valid, an error as a whole
// is the last, and Notes agrees on whether there is one.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"redhat-vex", "redhat-csaf", "suse-vex", "cisa", "provider"} {
		for at, text := range fixture(f, "testdata/"+name+".txtar") {
			if base := path.Base(at); path.Ext(base) == ".json" && (strings.ContainsAny(base, "0123456789")) {
				f.Add([]byte(text))
			}
		}
	}
	sources := []*csaf.Source{csaf.RedHatVEX(), csaf.SUSE(), csaf.CISA(), csaf.Provider(example)}
	f.Fuzz(func(t *testing.T, text []byte) {
		name := "x.json"
		if d, err := parser.Decode(text, nil); err == nil {
			name = parser.Filename(d.Head.Tracking.ID)
		}
		for _, s := range sources {
			doc := &advisory.Document{Name: name, Content: text}
			var fatal error
			for st, err := range s.Parse(doc) {
				if fatal != nil {
					t.Fatal("something follows the last error")
				}
				var broken *advisory.RecordError
				if err != nil && !errors.As(err, &broken) {
					fatal = err
				}
				if r, ok := st.(*advisory.Record); ok {
					if err := r.Validate(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := s.Notes(doc); (err == nil) != (fatal == nil) {
				t.Fatalf("Parse says %v, Notes %v", fatal, err)
			}
		}
	})
}
