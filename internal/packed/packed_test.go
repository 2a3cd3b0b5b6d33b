package packed_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/packed"
)

type inner struct {
	Name  string
	Count int64
	Yes   bool
}

type outer struct {
	List  []inner
	Next  *inner
	Names map[string]string
	Texts []string
}

func TestRoundTrip(t *testing.T) {
	in := rapid.Custom(func(t *rapid.T) inner {
		return inner{rapid.String().Draw(t, "name"), rapid.Int64().Draw(t, "count"), rapid.Bool().Draw(t, "yes")}
	})
	rapid.Check(t, func(t *rapid.T) {
		want := outer{List: rapid.SliceOf(in).Draw(t, "list"), Names: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "names")}
		if rapid.Bool().Draw(t, "next") {
			x := in.Draw(t, "inner")
			want.Next = &x
		}
		b := packed.Marshal(&want)
		var got outer
		if err := packed.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !bytes.Equal(b, packed.Marshal(got)) {
			t.Error("equal values give other bytes")
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(packed.Marshal(outer{List: []inner{{"a", 1, true}}, Names: map[string]string{"k": "v"}, Texts: []string{"x", "x"}}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var got outer
		_ = packed.Unmarshal(data, &got)
	})
}
