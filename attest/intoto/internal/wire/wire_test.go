package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

type inner struct {
	ID string `json:"id"`
}

type outer struct {
	Name string                    `json:"name"`
	List []inner                   `json:"list"`
	Raw  jsontext.Value            `json:"raw"`
	Map  map[string]jsontext.Value `json:"map"`
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]error{
		`{"name":"a","later":1,"list":[{"id":"x","Other":1}]}`: nil,
		`{"raw":{"a":1,"A":2},"map":{"k":1,"K":2}}`:            nil, // free content, and no field
		`{"name":"a","Name":"b"}`:                              fault.Invalid,
		`{"Name":"b"}`:                                         fault.Invalid,
		`{"list":[{"id":"x"},{"ID":"y"}]}`:                     fault.Invalid,
		`{"li\u017ft":[]}`:                                     fault.Invalid, // a letter that folds to s
		`{"name":"a","name":"a"}`:                              fault.Invalid,
		`{"raw":{"a":1,"a":1}}`:                                fault.Invalid,
		`{"name":1}`:                                           fault.Invalid,
		`{}{}`:                                                 fault.Invalid,
		`{} x`:                                                 fault.Invalid,
		`[]`:                                                   fault.Invalid,
		`null`:                                                 fault.Invalid,
		``:                                                     fault.Invalid,
		"{\"name\":\"\xff\"}":                                  fault.Invalid,
		"{}" + strings.Repeat(" ", wire.Max):                   fault.Limit,
	} {
		var v outer
		if err := wire.Decode("thing", []byte(text), &v); !errors.Is(err, want) {
			t.Errorf("%.100s: %v", text, err)
		}
	}
}

func TestEncode(t *testing.T) {
	got, err := wire.Encode("thing", &outer{Name: "<é", Raw: jsontext.Value(`{"z": 9007199254740993, "a": 1.0}`), Map: map[string]jsontext.Value{"b": jsontext.Value("1"), "a": jsontext.Value("2")}})
	if want := `{"list":[],"map":{"a":2,"b":1},"name":"<é","raw":{"a":1.0,"z":9007199254740993}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := wire.Encode("thing", &outer{Raw: jsontext.Value(`{`)}); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := wire.Encode("thing", &outer{Name: strings.Repeat("a", wire.Max)}); !errors.Is(err, fault.Limit) {
		t.Error(err)
	}
}

func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[1,2]}`, ` {"b" : [1, 2], "\u0061":1}`, true},
		{`"a"`, `"\u0061"`, true},
		{`1`, `1.0`, false},
		{`9007199254740993`, `9007199254740992`, false}, // one double
		{`[1,2]`, `[2,1]`, false},
		{`null`, ``, false},
		{``, ``, false},
		{`{"a":1,"a":1}`, `{"a":1,"a":1}`, false},
		{`true`, `"true"`, false},
	} {
		if got := wire.Same([]byte(tc.a), []byte(tc.b)); got != tc.want {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
}

func TestTime(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "2021-08-06T17:45:50.52Z": true, "2021-08-06T17:45:50Z": true,
		"2021-08-06T17:45:50+00:00": false, "2021-08-06T17:45:50": false, "2021-08-06": false, "2021-08-06T17:45:50z": false, "2021-8-06T17:45:50Z": false, "2021-08-06T17:45:50,5Z": false, "2021-02-30T00:00:00Z": false, "Z": false,
	} {
		got, err := wire.ParseTime("at", text)
		if (err == nil) != good || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if err != nil {
			continue
		}
		if again, err := wire.FormatTime("at", got.In(time.FixedZone("", 3600))); err != nil || again != text {
			t.Errorf("%q is written as %q, %v", text, again, err)
		}
	}
	if _, err := wire.FormatTime("at", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
