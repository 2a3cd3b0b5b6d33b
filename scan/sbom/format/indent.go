package format

import "github.com/go-json-experiment/json/jsontext"

// indented adds the white space that people read by.
func indented(b []byte) ([]byte, error) {
	v := jsontext.Value(b)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, err
	}
	return v, nil
}
