package verify

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// valid is a row that can be parsed.
const valid = `{"body":{"a":"}\\\"{","b":[{}]},"digest":"sha256:` + zeros + `","hash":"sha256:` + zeros + `","id":"a\"\\\u001f\n","indexed":"2026-02-28T23:59:59.999999Z","seq":12,"time":"1969-12-31T00:00:00.000000Z","topic":"t","type":"ü"}`

func TestParseRow(t *testing.T) {
	var r row
	if err := parseRow([]byte(valid), &r); err != nil {
		t.Fatal(err)
	}
	if string(r.id) != "a\"\\\x1f\n" || string(r.body) != `{"a":"}\\\"{","b":[{}]}` || string(r.kind) != "ü" || string(r.topic) != "t" || r.seq != 12 || r.time != -86400_000000 {
		t.Errorf("%+v", r)
	}
	if want := time.Date(2026, 2, 28, 23, 59, 59, 999999000, time.UTC).UnixMicro(); r.indexed != want {
		t.Errorf("indexed: %d, want %d", r.indexed, want)
	}
	for _, c := range [][2]string{
		{`{"body"`, `{ "body"`}, {`},"digest"`, `}, "digest"`}, {`"seq":12`, `"seq":012`}, {`"seq":12`, `"seq":-1`}, {`"seq":12`, `"seq":1.0`}, {`"seq":12`, `"seq":1234567890123456789`}, {`"seq":12`, `"seq":`},
		{`"sha256:0`, `"sha256:A`}, {`"sha256:0`, `"sha512:0`}, {`"sha256:0`, `"sha256:g`}, {`\u001f`, `\u001F`}, {`\u001f`, `\u000a`}, {`\u001f`, `\u0041`}, {`\n`, `\/`}, {`\n`, "\n"}, {`\n`, "\x00"},
		{`02-28`, `02-29`}, {`02-28`, `13-01`}, {`02-28`, `00-10`}, {`02-28`, `01-00`}, {`23:59:59`, `24:00:00`}, {`23:59:59`, `23:60:00`}, {`23:59:59`, `23:59:60`}, {`.999999Z`, `.99999Z`}, {`.999999Z`, `.999999+`},
		{`"ü"`, "\"\xff\""}, {`"a\"`, "\"\xff\\\""}, {`"topic":"t"`, `"topic":1`}, {`"topic":"t",`, ``}, {`"type"`, `"kind"`}, {`ü"}`, `ü"} `}, {`ü"}`, `ü"`}, {`ü"}`, `ü`}, {`"b":[{}]}`, `"b":[{}]`}, {`{"a"`, `["a"`}, {`{"a"`, `{"a`},
	} {
		text := strings.Replace(valid, c[0], c[1], 1)
		if text == valid {
			t.Fatalf("%q is not in it", c[0])
		}
		if err := parseRow([]byte(text), &r); err == nil {
			t.Errorf("%q for %q was read", c[1], c[0])
		}
	}
	for i := range valid {
		if err := parseRow([]byte(valid[:i]), &r); err == nil {
			t.Errorf("%q was read", valid[:i])
		}
	}
}

// TestDays compares with the standard library over 400 years and their borders.
func TestDays(t *testing.T) {
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 1) {
		if day.Year() == 801 {
			day = day.AddDate(1000, 0, 0)
		}
		if got, want := daysSince1970(int64(day.Year()), int64(day.Month()), int64(day.Day())), day.Unix()/86400; got != want {
			t.Fatalf("%v: %d, want %d", day, got, want)
		}
		if next := day.AddDate(0, 0, 1); next.Day() == 1 && daysOf(int64(day.Year()), int64(day.Month())) != int64(day.Day()) {
			t.Fatalf("%v is not the last day of its month", day)
		}
	}
}

// FuzzParseRow: what is read is JSON, says what JSON says, and is written in one way.
func FuzzParseRow(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(strings.Replace(valid, `"body":{"a":"}\\\"{","b":[{}]},`, ``, 1)))
	f.Add([]byte(`{"body":{"\\":"\\\\\""},"digest"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var r row
		if parseRow(line, &r) != nil {
			return
		}
		if len(r.body) > 0 && !jsontext.Value(r.body).IsValid() {
			return // its digest says whether it is what was indexed
		}
		var got struct {
			Body                    jsontext.Value
			Digest, Hash, ID, Topic string
			Type                    string
			Indexed, Time           time.Time
			Seq                     int64
		}
		if err := json.Unmarshal(line, &got, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatalf("%q is read, and no JSON: %v", line, err)
		}
		if got.ID != string(r.id) || got.Topic != string(r.topic) || got.Type != string(r.kind) || got.Seq != r.seq || got.Time.UnixMicro() != r.time || got.Indexed.UnixMicro() != r.indexed ||
			got.Digest != r.digest.String() || got.Hash != r.hash.String() || !bytes.Equal(got.Body, r.body) {
			t.Errorf("%q is read as %+v", line, r)
		}
		rest := jsontext.Value(append([]byte("{"), bytes.TrimPrefix(bytes.TrimPrefix(line[1:], append([]byte(`"body":`), r.body...)), []byte(","))...))
		canonical := rest.Clone()
		if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, rest) {
			t.Errorf("%q is not canonical, but %q: %v", rest, canonical, err)
		}
	})
}

const first = `{"first":1,"format":"stella.timeline.v1","tenant":"acme"}` + "\n"

// empty is the export of a timeline without rows.
const empty = first + `{"end":0,"hash":"sha256:07da4485a514bc2f23e3351ada3b3e716974425f077c831d726fa49934c4d751"}` + "\n"

func TestVerifyEdges(t *testing.T) {
	if r, err := Verify(strings.NewReader(empty), &Options{Tenant: "acme"}); err != nil || r.Last != 0 || r.Uncovered() != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	type found struct {
		Reason Reason
		Seq    int64
		Line   int64
	}
	long := `{"body":"` + strings.Repeat("x", MaxLine)
	for name, c := range map[string]struct {
		text string
		opts Options
		want found
	}{
		"nothing":           {"", Options{}, found{Truncated, 1, 1}},
		"no first line":     {"x\n", Options{}, found{Malformed, 1, 1}},
		"half a line":       {first[:20], Options{}, found{Truncated, 1, 1}},
		"no end":            {first, Options{}, found{Truncated, 1, 2}},
		"half an end":       {empty[:len(empty)-1], Options{}, found{Truncated, 1, 2}},
		"another tenant":    {empty, Options{Tenant: "other"}, found{Malformed, 1, 1}},
		"another end":       {strings.Replace(empty, "07da", "17da", 1), Options{}, found{Malformed, 1, 2}},
		"no such end":       {strings.Replace(empty, `"end":0`, `"end":x`, 1), Options{}, found{Malformed, 1, 2}},
		"more at its end":   {strings.Replace(empty, `:0`, `:7`, 1), Options{}, found{Truncated, 1, 2}},
		"after the end":     {empty + empty, Options{}, found{Malformed, 1, 3}},
		"a long line":       {first + long, Options{}, found{Malformed, 1, 2}},
		"a long first line": {long, Options{}, found{Malformed, 1, 1}},
		"no checkpoint":     {empty, Options{Checkpoints: strings.NewReader("x\n")}, found{Checkpoint, 1, 0}},
		"one was seen":      {empty, Options{Seen: &Seen{Number: 1, Digest: "x"}}, found{Checkpoint, 1, 0}},
		"a huge checkpoint": {empty, Options{Checkpoints: strings.NewReader(strings.Repeat("x", MaxCheckpoint+1))}, found{Checkpoint, 1, 0}},
	} {
		r, err := Verify(strings.NewReader(c.text), &c.opts)
		var got *Error
		if !errors.As(err, &got) || r == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, found{got.Reason, got.Seq, got.Line}); diff != "" || !errors.Is(err, ErrMismatch) || got.Detail == "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	broken := errors.New("the disk is broken")
	for name, o := range map[string]*Options{"export": nil, "checkpoints": {Checkpoints: iotest.ErrReader(broken)}} {
		in := io.Reader(strings.NewReader(empty))
		if o == nil {
			in = io.MultiReader(strings.NewReader(first), iotest.ErrReader(broken))
		}
		if _, err := Verify(in, o); !errors.Is(err, broken) || errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(strings.NewReader(empty), &Options{Tenant: "acme", After: new(Report)}); !errors.Is(err, ErrInvalid) {
		t.Errorf("after a report about nobody: %v", err)
	}
}

// FuzzVerify: whatever is read, there is an answer, and what is right says how far.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(empty), []byte(nil))
	f.Add([]byte(first+valid+"\n"), []byte(`{"payload":"e30=","payloadType":"`+PayloadType+`","signatures":[{"keyid":"","sig":"AA=="}]}`+"\n"))
	f.Fuzz(func(t *testing.T, export, checkpoints []byte) {
		r, err := Verify(bytes.NewReader(export), &Options{Checkpoints: bytes.NewReader(checkpoints)})
		var wrong *Error
		if err != nil && (!errors.As(err, &wrong) || wrong.Seq < 1 || wrong.Error() == "") {
			t.Errorf("%v", err)
		}
		if r == nil || err == nil && (len(checkpoints) > 0 || r.Signed > 0 || int64(bytes.Count(export, []byte("\n"))) != r.Last+2) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
