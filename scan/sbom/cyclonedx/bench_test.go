package cyclonedx

import "github.com/go-json-experiment/json/jsontext"

func indent(b []byte) ([]byte, error) {
	return jsontext.AppendFormat(nil, b, jsontext.Multiline(true), jsontext.WithIndent("  "), jsontext.SpaceAfterColon(true))
}
