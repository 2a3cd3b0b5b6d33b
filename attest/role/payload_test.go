package role

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fuzzPayload reads payloads of one role: what is accepted is written again as
// the same bytes, so there is one text for each meaning.
func fuzzPayload(f *testing.F, fresh func() payload, members string) {
	const head = `{"expires":"2027-01-01T00:00:00Z","feed":"advisories.example","format":1,%s,"version":4}`
	text := fmt.Sprintf(head, members)
	if err := decode([]byte(text), fresh()); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	f.Add([]byte(text))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := fresh()
		if err := decode(text, p); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Reason == "" {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		again, err := encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(text) {
			t.Fatalf("%s, written as %s", text, again)
		}
	})
}

var digestOfNothing = digestOf(nil)

func FuzzRoot(f *testing.F) {
	const holders = `{"keys":["MCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo="],"threshold":1}`
	fuzzPayload(f, func() payload { return new(rootPayload) }, `"roles":{"root":`+holders+`,"snapshot":`+holders+`,"targets":`+holders+`,"timestamp":`+holders+`}`)
}

func FuzzTimestamp(f *testing.F) {
	fuzzPayload(f, func() payload { return new(timestamp) }, `"snapshot":{"digest":"`+digestOfNothing+`","length":1,"version":1}`)
}

func FuzzSnapshot(f *testing.F) {
	fuzzPayload(f, func() payload { return new(snapshot) }, `"targets":{"digest":"`+digestOfNothing+`","length":1,"version":1}`)
}

func FuzzTargets(f *testing.F) {
	fuzzPayload(f, func() payload { return new(targets) },
		`"targets":{"a/b":{"custom":{"a":[null,0.5,"x"]},"digest":"`+digestOfNothing+`","length":0},"c":{"digest":"`+digestOfNothing+`","length":9}}`)
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "head.json": true, "a/b/c": true, "...": true, "a..b": true, "-": true, "snapshot/go+x_1": true, strings.Repeat("a", MaxName): true,
		"": false, ".": false, "a/..": false, "a b": false, "a%2fb": false, "a~": false, "\xff": false,
	} {
		if goodName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
