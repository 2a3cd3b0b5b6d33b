package bundle_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/internal/sum"
)

func items() []bundle.Item {
	b := sample()
	return []bundle.Item{{Envelope: b.Envelope}, {Bundle: b}, {Envelope: b.Envelope}}
}

func TestLines(t *testing.T) {
	text, err := bundle.Encode(items())
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 3 || text[len(text)-1] != '\n' {
		t.Fatalf("%d lines, last byte %q", n, text[len(text)-1])
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(text), "byte by byte": iotest.OneByteReader(bytes.NewReader(text)),
		"no last line feed": bytes.NewReader(text[:len(text)-1]),
	} {
		got, err := bundle.ReadAll(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(items(), got, cmpopts.IgnoreFields(bundle.Item{}, "Line", "Offset")); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		first := int64(bytes.IndexByte(text, '\n') + 1)
		if got[1].Line != 2 || got[1].Offset != first {
			t.Errorf("%s: the second item is at line %d, byte %d, want 2, %d", name, got[1].Line, got[1].Offset, first)
		}
	}
	r := bundle.NewReader(bytes.NewReader(text), nil)
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if r.Digest() != sum.Of(text) {
		t.Errorf("Digest: %s, want %s", r.Digest(), sum.Of(text))
	}
	if got, err := bundle.ReadAll(strings.NewReader(""), nil); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

// TestLinesTruncated: a text cut anywhere, also between lines, is not taken for
// that of the digest.
func TestLinesTruncated(t *testing.T) {
	text, err := bundle.Encode(items())
	if err != nil {
		t.Fatal(err)
	}
	opt := &bundle.ReaderOptions{Digest: sum.Of(text)}
	if got, err := bundle.ReadAll(bytes.NewReader(text), opt); len(got) != 3 || err != nil {
		t.Fatalf("the whole text: %d items, %v", len(got), err)
	}
	for n := range len(text) {
		got, err := bundle.ReadAll(bytes.NewReader(text[:n]), opt)
		if got != nil || !errors.Is(err, bundle.ErrMismatch) && !errors.Is(err, bundle.ErrInvalid) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	border := bytes.IndexByte(text, '\n') + 1
	if _, err := bundle.ReadAll(bytes.NewReader(text[:border]), opt); !errors.Is(err, bundle.ErrMismatch) {
		t.Errorf("cut between lines: %v, want ErrMismatch", err)
	}
	if _, err := bundle.ReadAll(bytes.NewReader(text), &bundle.ReaderOptions{Digest: "sha256:AB"}); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("no digest: %v", err)
	}
}

func TestLinesOther(t *testing.T) {
	const other = ` {"recipe":"unrecognized"} `
	got, err := bundle.ReadAll(strings.NewReader(other+"\r\n"+`{"mediaType":"text/plain"}`+"\n"), nil)
	if err != nil || len(got) != 2 || string(got[0].Other) != strings.TrimSpace(other) {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := bundle.Encode(got); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("Encode of what is neither: %v", err)
	}
}

func TestLinesRefused(t *testing.T) {
	one, err := bundle.Encode(items()[:1])
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(string(one), "\n")
	at := "line 2 at byte " + itoa(len(one))
	for _, tt := range []struct {
		name, text string
		kind       error
		want       string
	}{
		{"blank line", line + "\n\n" + line + "\n", bundle.ErrInvalid, at + ": the line is empty"},
		{"line of spaces", line + "\n \t\r\n" + line + "\n", bundle.ErrInvalid, at + ": the line is empty"},
		{"blank last line", line + "\n\n", bundle.ErrInvalid, at + ": the line is empty"},
		{"partial last line", line + "\n" + line[:len(line)/2], bundle.ErrInvalid, at},
		{"partial last line is an early end", line + "\n" + line[:len(line)/2], io.ErrUnexpectedEOF, at},
		{"trailing garbage", line + "\n" + line + "x\n", bundle.ErrInvalid, at},
		{"two objects in a line", line + "\n" + line + line + "\n", bundle.ErrInvalid, at},
		{"an array", line + "\n[" + line + "]\n", bundle.ErrInvalid, at + ": the line is not a JSON object"},
		{"a pretty object", line + "\n{\n\"payloadType\":\"x\"}\n", bundle.ErrInvalid, at},
		{"byte order mark", line + "\n\ufeff" + line + "\n", bundle.ErrInvalid, at},
		{"both kinds", line + "\n" + `{"mediaType":"x","payloadType":"y"}` + "\n", bundle.ErrInvalid, at + ": both mediaType and payloadType"},
		{"a member twice", line + "\n" + `{"a":1,"a":2}` + "\n", bundle.ErrInvalid, at},
		{"a broken envelope", line + "\n" + `{"payloadType":"y"}` + "\n", bundle.ErrInvalid, at + ": envelope: payload is missing"},
		{"a later bundle", line + "\n" + `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.9+json"}` + "\n", bundle.ErrUnsupported, at + ": bundle: mediaType"},
		{"NUL", line + "\n\x00\n", bundle.ErrInvalid, at},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bundle.NewReader(strings.NewReader(tt.text), nil)
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			_, err := r.Next()
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, tt.kind, tt.want)
			}
			if _, again := r.Next(); again != err {
				t.Errorf("then: %v", again)
			}
			if got, err := bundle.ReadAll(strings.NewReader(tt.text), nil); got != nil || err == nil {
				t.Errorf("ReadAll: %v, %v", got, err)
			}
		})
	}
}

// endless is a line that does not end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestLinesLimits(t *testing.T) {
	e := new(endless)
	_, err := bundle.NewReader(e, nil).Next()
	if !errors.Is(err, bundle.ErrLimit) || e.read > bundle.MaxBundle+1<<20 {
		t.Errorf("a line without end: %v after %d bytes", err, e.read)
	}
	three := strings.NewReader("{}\n{}\n{}\n")
	if _, err := bundle.ReadAll(three, &bundle.ReaderOptions{MaxItems: 2}); !errors.Is(err, bundle.ErrLimit) || !strings.Contains(err.Error(), "line 3 at byte 6") {
		t.Errorf("three lines of two: %v", err)
	}
	if _, err := bundle.Encode(make([]bundle.Item, bundle.MaxItems+1)); !errors.Is(err, bundle.ErrLimit) {
		t.Errorf("Encode of too many: %v", err)
	}
	broken := errors.New("the disk is gone")
	r := bundle.NewReader(io.MultiReader(strings.NewReader("{}\n{"), iotest.ErrReader(broken)), nil)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("a read error: %v", err)
	}
}

func TestLinesNotWritten(t *testing.T) {
	b := sample()
	for name, item := range map[string]bundle.Item{
		"nothing": {}, "both": {Envelope: b.Envelope, Bundle: b}, "a broken bundle": {Bundle: new(bundle.Bundle)},
	} {
		_, err := bundle.Encode([]bundle.Item{{Bundle: b}, item})
		if !errors.Is(err, bundle.ErrInvalid) || !strings.Contains(err.Error(), "item 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
