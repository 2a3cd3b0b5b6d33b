package timestamp

import (
	"bytes"
	"testing"
)

func TestCheckDER(t *testing.T) {
	nested := func(n int) []byte {
		var out []byte
		for range n {
			out = append([]byte{0x30, byte(len(out))}, out...)
		}
		return out
	}
	for name, c := range map[string]struct {
		text   []byte
		reason Reason
	}{
		"a sequence":               {[]byte{0x30, 0}, ""},
		"a primitive":              {[]byte{0x04, 1, 9}, ""},
		"two in one":               {[]byte{0x30, 4, 5, 0, 5, 0}, ""},
		"128 bytes":                {append([]byte{0x04, 0x81, 0x80}, make([]byte, 128)...), ""},
		"256 bytes":                {append([]byte{0x04, 0x82, 1, 0}, make([]byte, 256)...), ""},
		"as deep as may be":        {nested(MaxDepth), ""},
		"too deep":                 {nested(MaxDepth + 1), ReasonTooLarge},
		"nothing":                  {nil, ReasonMalformed},
		"a tag":                    {[]byte{0x30}, ReasonMalformed},
		"a byte after":             {[]byte{0x30, 0, 0}, ReasonMalformed},
		"two":                      {[]byte{5, 0, 5, 0}, ReasonMalformed},
		"indefinite":               {[]byte{0x30, 0x80, 0, 0}, ReasonMalformed},
		"a long tag":               {[]byte{0x1f, 0x81, 0, 0}, ReasonMalformed},
		"cut":                      {[]byte{0x30, 2, 5}, ReasonMalformed},
		"longer than all":          {[]byte{0x04, 0x83, 0xff, 0xff, 0xff}, ReasonMalformed},
		"longer than what holds":   {[]byte{0x30, 2, 4, 1, 0}, ReasonMalformed},
		"ends after what holds":    {[]byte{0x30, 4, 0x30, 2, 4, 1, 0}, ReasonMalformed},
		"inner passes outer":       {[]byte{0x30, 5, 0x30, 2, 4, 1, 0}, ReasonMalformed},
		"a length in two for one":  {[]byte{0x04, 0x81, 1, 9}, ReasonMalformed},
		"a length with a zero":     {append([]byte{0x04, 0x82, 0, 0x80}, make([]byte, 128)...), ReasonMalformed},
		"a length of four bytes":   {[]byte{0x04, 0x84, 0, 0, 0, 1, 9}, ReasonMalformed},
		"a length of 127 bytes":    {append([]byte{0x04, 0xff}, make([]byte, 200)...), ReasonMalformed},
		"a length cut":             {[]byte{0x04, 0x82, 1}, ReasonMalformed},
		"too long":                 {append([]byte{0x04, 0x83, 1, 0, 0}, make([]byte, 1<<16)...), ReasonTooLarge},
		"too many":                 {append([]byte{0x30, 0x82, 0x7f, 0xf0}, bytes.Repeat([]byte{5, 0}, 0x3ff8)...), ReasonTooLarge},
		"an empty one between two": {[]byte{0x30, 6, 0x30, 0, 0x30, 2, 5, 0}, ""},
	} {
		if err := checkDER(c.text); ReasonOf(err) != c.reason || (err == nil) != (c.reason == "") {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
}
