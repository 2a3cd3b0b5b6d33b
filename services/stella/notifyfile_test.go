package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/notify"
)

// settingsSeeds are the settings of the scripts.
func settingsSeeds(t testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(text).Files {
			if bytes.Contains(f.Data, []byte("endpoint")) {
				out = append(out, f.Data)
			}
		}
	}
	return out
}

// roundTrip demands that settings which are right stand in a store, are written as YAML and
// as JSON, and read again as what they were.
func roundTrip(t *testing.T, text []byte) {
	f := parseSettings("in.yaml", text, checkOptions{})
	if f.wrong() {
		return
	}
	ctx := context.Background()
	m, err := inMemory(ctx, f, time.Now, nil)
	if err != nil {
		t.Fatalf("right settings cannot be kept: %v\n%s", err, text)
	}
	stand, err := standing(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(stand) != len(f.elements) {
		t.Fatalf("%d settings stand, and there are %d", len(stand), len(f.elements))
	}
	for _, asJSON := range []bool{false, true} {
		written, err := settingsText(stand, asJSON)
		if err != nil {
			t.Fatal(err)
		}
		again := parseSettings("again.yaml", written, checkOptions{})
		if err := again.err(); err != nil {
			t.Fatalf("what was written is wrong: %v\n%s", err, written)
		}
		changes, equal, err := again.changes(stand, true, "")
		if err != nil || len(changes) > 0 || equal != len(stand) {
			t.Fatalf("it reads as something else: %d of %d are equal, %v: %v\n%s", equal, len(stand), err, changes, written)
		}
	}
}

func TestSettingsRoundTrip(t *testing.T) {
	right := 0
	for _, text := range settingsSeeds(t) {
		if !parseSettings("in.yaml", text, checkOptions{}).wrong() {
			right++
		}
		roundTrip(t, text)
	}
	if right < 3 {
		t.Errorf("%d of the scripts' settings are right", right)
	}
}

func FuzzSettings(f *testing.F) {
	for _, text := range settingsSeeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		roundTrip(t, text)
		for _, d := range parseSettings("in.yaml", text, checkOptions{}).sorted() {
			if strings.ContainsFunc(strings.ReplaceAll(d.String(), "\n", ""), unsafeRune) {
				t.Errorf("%q could command a terminal", d.String())
			}
		}
	})
}

func TestHostileSettings(t *testing.T) {
	var many strings.Builder
	many.WriteString("rules:\n")
	for i := range 400 {
		fmt.Fprintf(&many, "  - {id: r%d, wrong: 1}\n", i)
	}
	for name, tc := range map[string]struct{ text, says string }{
		"not text":      {"rules: \xff", "it is not UTF-8"},
		"deep yaml":     {"rules: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper"},
		"deep json":     {`{"rules": ` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}", "nested deeper"},
		"many":          {many.String(), "there is more"},
		"too many":      {"endpoints: [" + strings.Repeat("{id: a},", notify.MaxEndpoints+1) + "]", "over the limit of 500"},
		"two":           {"rules: []\n---\nrules: []\n", "a second document"},
		"two of json":   {`{"rules": []} {"rules": []}`, "one document"},
		"tag":           {"rules: !!binary aGk=", "tags such as"},
		"list":          {"- a\n", "want a mapping with endpoints"},
		"rules no list": {"rules: {}\n", "want a list of rules"},
		"key":           {"? [a]\n: b\n", "a key is a plain text"},
		"end":           {`{"rules": [`, "it ends too early"},
		"secret":        {"endpoints:\n  - {id: a, typ: slack, secrets: {token: xoxb-hush}}\n", "********"},
		"number":        {"rules:\n  - {id: 7, to: []}\n", "want a text, in quotes"},
		"time":          {"maintenance:\n  - {id: a, from: soon, until: 2026-01-01}\n", "want a date such as"},
	} {
		f := parseSettings("in.yaml", []byte(tc.text), checkOptions{})
		err := f.err()
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v does not say %q", name, err, tc.says)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the secret is shown: %v", name, err)
		}
	}
	p := &program{stdin: strings.NewReader(strings.Repeat(" ", maxSettings+1))}
	if _, err := p.readSettings("-", checkOptions{}); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file without end: %v", err)
	}
}
