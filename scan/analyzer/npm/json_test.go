package npm

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// readAny builds what encoding/json would, for comparison. Numbers stay text.
func readAny(r *reader) any {
	switch r.peek() {
	case '{':
		m := map[string]any{}
		r.object(func(key []byte) { m[clean(key)] = readAny(r) })
		return m
	case '[':
		a := []any{}
		r.array(func() { a = append(a, readAny(r)) })
		return a
	case '"':
		s, _ := r.text()
		return s
	case 't', 'f':
		return r.truth()
	case 'n':
		r.skip()
		return nil
	}
	start := r.start()
	r.skip()
	return json.Number(r.data[start:r.pos])
}

func TestReaderErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "line 1 (byte 0): unexpected end of the document: invalid input"},
		{"{\n \"a\": tru}", "line 2 (byte 8): expected true: invalid input"},
		{`{"a" 1}`, "line 1 (byte 5): expected ':' after a member name: invalid input"},
		{`{"a":1,}`, "line 1 (byte 7): expected a member name in quotes: invalid input"},
		{`{"a":1 "b":2}`, "line 1 (byte 7): expected ',' or '}': invalid input"},
		{`[1,]`, "line 1 (byte 3): unexpected ']': invalid input"},
		{`["a]`, "line 1 (byte 4): string without end: invalid input"},
		{"[\"a\nb\"]", "line 1 (byte 3): control character in a string: invalid input"},
		{`["\x"]`, "line 1 (byte 2): unknown escape in a string: invalid input"},
		{`["\u12g4"]`, "line 1 (byte 2): unknown escape in a string: invalid input"},
		{`[01]`, "line 1 (byte 2): expected ',' or ']': invalid input"},
		{`[1.]`, "line 1 (byte 3): malformed number: invalid input"},
		{`{} x`, "line 1 (byte 3): text after the end of the value: invalid input"},
		{"{}\x00", "line 1 (byte 2): text after the end of the value: invalid input"},
	}
	for _, tt := range tests {
		r := newReader([]byte(tt.in))
		err := r.document(r.skip)
		if err == nil || !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: error %v, want invalid input", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestReaderDepth(t *testing.T) {
	for _, nest := range []string{"[", `{"a":`} {
		r := newReader([]byte(strings.Repeat(nest, 1_000_000)))
		if err := r.document(r.skip); !errors.Is(err, fault.Limit) {
			t.Errorf("a million times %q: error %v, want a limit", nest, err)
		}
		r = newReader([]byte(strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)))
		if err := r.document(r.skip); err != nil {
			t.Errorf("%d levels: %v", maxDepth, err)
		}
	}
}

// FuzzReader holds the reader against encoding/json: same documents accepted,
// same values read, and nothing left unread by a visitor that reads nothing.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, `-0.5e+7`, "\xef\xbb\xbf{\"a\":[1,true,false,null]}", `{"a":{"b":"\u00e9\ud83d\ude00\ud800x"},"a":2}`,
		`"\"\\\/\b\f\n\r\t"`, "\"\xff\"", `[[[[]]]]`, `{"name":"a","version":"1.0.0","dependencies":{"b":"^1"}}`, "[1 , 2\r\n\t]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(data)
		var got any
		err := r.document(func() { got = readAny(r) })
		if errors.Is(err, fault.Limit) {
			return
		}
		body := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
		if valid := json.Valid([]byte(body)); valid != (err == nil) {
			t.Fatalf("encoding/json says valid=%v, the reader says %v", valid, err)
		}
		s := newReader(data)
		if skipped := s.document(s.skip); (skipped == nil) != (err == nil) {
			t.Fatalf("reading: %v, skipping: %v", err, skipped)
		}
		if err != nil || !utf8.ValidString(body) {
			return
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-encoding/json +reader):\n%s", diff)
		}
	})
}
