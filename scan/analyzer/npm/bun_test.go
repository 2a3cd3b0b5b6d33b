package npm

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

func FuzzBunLock(f *testing.F) { fuzzFile(f, "app/bun.lock") }

func TestBunHostile(t *testing.T) {
	deep := `"` + strings.Repeat("x/", 2000) + `a":["a@1.0.0","",{"dependencies":{` + strings.Repeat(`"d":"*",`, 2000) + `"z":"*"}},""],`
	for _, tt := range []struct {
		name, data string
		want       error
	}{
		{"nested objects", strings.Repeat(`{"packages":`, 100_000), fault.Limit},
		{"deep places with many wants", `{"lockfileVersion":1,"packages":{` + deep + `}}`, fault.Limit},
		{"a long place", `{"lockfileVersion":1,"packages":{"` + strings.Repeat("x/", 3000) + `a":["a@1.0.0"]}}`, fault.Limit},
		{"a comment without end", `{"lockfileVersion":1} /*`, fault.Invalid},
		{"two commas", `{"lockfileVersion":1,,}`, fault.Invalid},
		{"a comma in a string", `{"lockfileVersion":1,"x":",]"}`, nil},
		{"no version", `{}`, fault.Unsupported},
		{"no object", `[]`, fault.Invalid},
	} {
		_, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("bun.lock", []byte(tt.data)))
		if (err == nil) != (tt.want == nil) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
		checkFile(t, "bun.lock", []byte(tt.data))
	}
}

func TestPlainJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": [1, 2,], }`:   `{"a": [1, 2 ]  }`,
		"[1, // x,]\n]":      "[1        \n]",
		`[1, /* , */ 2]`:     `[1,         2]`,
		`["a,]", "\",}", ]`:  `["a,]", "\",}"  ]`,
		`["// no", "/* no"]`: `["// no", "/* no"]`,
		`[1,/* x`:            `[1,/* x`,
		`["\`:                `["\`,
	} {
		if diff := cmp.Diff(want, string(plainJSON([]byte(in)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}
