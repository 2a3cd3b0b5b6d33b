package fetch

import (
	"errors"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "a/b.json": true, "a..b": true, "ä/日本.json": true, strings.Repeat("x", MaxName): true,
		"": false, "/a": false, "a/": false, "a//b": false, "./a": false, ".": false, "..": false, "../a": false, "a/../b": false,
		"a\\b": false, "a\x00b": false, "a\nb": false, "a\x1b[2Jb": false, "a\x85b": false, "a\xffb": false, strings.Repeat("x", MaxName+1): false,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}

// TestReadState: of a state that breaks off nothing is kept.
func TestReadState(t *testing.T) {
	type state struct {
		ETag   string `json:"etag"`
		Digest string `json:"digest"`
	}
	text, err := WriteState(state{"e", "d"})
	if err != nil {
		t.Fatal(err)
	}
	if got := ReadState[state](text); got != (state{"e", "d"}) {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{"", "x", `{"etag":"e"`, `{"etag":"e","digest":1}`, `{"etag":"e","etag":"f"}`, `{"etag":"` + strings.Repeat("e", MaxState) + `"}`} {
		if got := ReadState[state]([]byte(text)); got != (state{}) {
			t.Errorf("%.40q: %+.40v", text, got)
		}
	}
	if _, err := WriteState(strings.Repeat("x", MaxState)); !errors.Is(err, fault.Limit) {
		t.Errorf("a large state: %v", err)
	}
}
