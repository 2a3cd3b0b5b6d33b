package jsontext

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
)

// readAny builds what encoding/json would, for comparison. Numbers stay text.
func readAny(r *Reader) any {
	switch r.Peek() {
	case '{':
		m := map[string]any{}
		r.Object(func(key []byte) { m[Clean(key)] = readAny(r) })
		return m
	case '[':
		a := []any{}
		r.Array(func() { a = append(a, readAny(r)) })
		return a
	case '"':
		s, _ := r.Text()
		return s
	case 't', 'f':
		return r.Truth()
	case 'n':
		r.Skip()
		return nil
	}
	start := r.start()
	r.Skip()
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
		r := New([]byte(tt.in))
		err := r.Document(r.Skip)
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
		r := New([]byte(strings.Repeat(nest, 1_000_000)))
		if err := r.Document(r.Skip); !errors.Is(err, fault.Limit) {
			t.Errorf("a million times %q: error %v, want a limit", nest, err)
		}
		r = New([]byte(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)))
		if err := r.Document(r.Skip); err != nil {
			t.Errorf("%d levels: %v", MaxDepth, err)
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
		r := New(data)
		var got any
		err := r.Document(func() { got = readAny(r) })
		if errors.Is(err, fault.Limit) {
			return
		}
		body := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
		if valid := json.Valid([]byte(body)); valid != (err == nil) {
			t.Fatalf("encoding/json says valid=%v, the reader says %v", valid, err)
		}
		s := New(data)
		if skipped := s.Document(s.Skip); (skipped == nil) != (err == nil) {
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

// TestPlain holds the search by words of eight bytes against one by bytes.
func TestPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("a\"\\\x1f\x20\x80\xff"))), 0, 40).Draw(t, "bytes")
		want := slices.IndexFunc(b, func(c byte) bool { return c == '"' || c == '\\' || c < 0x20 })
		if want < 0 {
			want = len(b)
		}
		if got := Plain(b); got != want {
			t.Fatalf("%q: %d, want %d", b, got, want)
		}
	})
}
