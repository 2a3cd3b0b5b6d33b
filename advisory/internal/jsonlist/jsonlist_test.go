package jsonlist_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/jsonlist"
	"github.com/stella-ops/stella/internal/fault"
)

// elements reads the member "list" of an object and returns its elements.
func elements(text string, most int) (out []string, err error) {
	dec := jsontext.NewDecoder(strings.NewReader(text))
	err = jsonlist.Object(dec, func(name string) error {
		if name != "list" {
			return jsonlist.Bad(dec.SkipValue())
		}
		return jsonlist.Elements(dec, most, func(value jsontext.Value, pointer string) error {
			if string(value) == `"stop"` {
				return jsonlist.ErrStop
			}
			out = append(out, pointer+" "+string(value))
			return nil
		})
	})
	if err == nil {
		err = jsonlist.End(dec)
	}
	return out, err
}

func TestElements(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		err        error
	}{
		{`{"a":{"b":[]},"list":[1, {"x": 2}],"c":null}`, `/list/0 1,/list/1 {"x": 2}`, nil},
		{`{"list":null}`, "", nil},
		{`{}`, "", nil},
		{`{"list":[1,2,3,4]}`, "/list/0 1,/list/1 2,/list/2 3", fault.Limit},
		{`{"list":["stop",1]}`, "", jsonlist.ErrStop},
		{`{"list":{}}`, "", fault.Invalid},
		{`[]`, "", fault.Invalid},
		{``, "", fault.Invalid},
		{`{"list":[1`, "/list/0 1", fault.Invalid},
		{`{"list":[1,}`, "/list/0 1", fault.Invalid},
		{`{"list":[]}x`, "", fault.Invalid},
		{`{"list":[]}{}`, "", fault.Invalid},
		{`{"list":[],"list":[]}`, "", fault.Invalid},
		{"{\"\xff\":1}", "", fault.Invalid},
	} {
		got, err := elements(tt.text, 3)
		if strings.Join(got, ",") != tt.want || !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
			t.Errorf("%s: %q, %v", tt.text, got, err)
		}
	}
}

func TestDecode(t *testing.T) {
	var v struct {
		A struct {
			B []int `json:"b"`
		} `json:"a"`
	}
	for text, at := range map[string]string{`{"a":{"b":[1,"x"]}}`: "/base/a/b/1", `{"a":1}`: "/base/a", `{"a":{"b":[1,]}}`: "/base/a/b", `{"a":{},"a":{}}`: "/base/a"} {
		var broken *advisory.RecordError
		err := jsonlist.Decode([]byte(text), &v, "/base")
		if !errors.As(err, &broken) || broken.Pointer != at || !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
