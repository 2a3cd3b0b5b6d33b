package yamltree

import (
	"bytes"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// indicators cannot begin a plain scalar.
const indicators = ",[]{}#&*!|>'\"%@`"

// plainKey splits "key: rest" or "key:".
func plainKey(text []byte) (key, rest []byte, err error) {
	if len(text) == 0 {
		return nil, nil, errNotPlain
	}
	if text[0] == '"' || text[0] == '\'' {
		key, rest, err = quotedScalar(text)
		if err != nil || len(rest) == 0 || rest[0] != ':' {
			return nil, nil, errNotPlain
		}
		rest = rest[1:]
	} else {
		if strings.IndexByte(indicators, text[0]) >= 0 {
			return nil, nil, errNotPlain
		}
		n := colon(text)
		if n <= 0 || bytes.Contains(text[:n], []byte(" #")) {
			return nil, nil, errNotPlain
		}
		key, rest = bytes.TrimRight(text[:n], " "), text[n+1:]
	}
	if len(rest) > 0 && rest[0] != ' ' || string(key) == "<<" || len(key) == 0 {
		return nil, nil, errNotPlain
	}
	return key, bytes.TrimLeft(rest, " "), nil
}

// colon returns the place of the first colon that ends a key, or -1.
func colon(text []byte) int {
	for from := 0; ; {
		n := bytes.IndexByte(text[from:], ':')
		if n < 0 {
			return -1
		}
		if n += from; n+1 == len(text) || text[n+1] == ' ' {
			return n
		}
		from = n + 1
	}
}

// plainScalar reads a scalar that is alone on the line, up to a comment.
func plainScalar(text []byte) (value, rest []byte, err error) {
	if len(text) == 0 {
		return nil, nil, errNotPlain
	}
	if text[0] == '"' || text[0] == '\'' {
		return quotedScalar(text)
	}
	if n := bytes.Index(text, []byte(" #")); n >= 0 {
		text = bytes.TrimRight(text[:n], " ")
	}
	if strings.IndexByte(indicators, text[0]) >= 0 || colon(text) >= 0 ||
		strings.IndexByte("-?:", text[0]) >= 0 && (len(text) == 1 || text[1] == ' ') {
		return nil, nil, errNotPlain
	}
	return text, nil, nil
}

// quotedScalar reads a scalar in single or double quotes that ends on the line.
func quotedScalar(text []byte) (value, rest []byte, err error) {
	if text[0] == '\'' {
		for from := 1; ; {
			n := bytes.IndexByte(text[from:], '\'')
			if n < 0 {
				return nil, nil, errNotPlain
			}
			if n += from; n+1 < len(text) && text[n+1] == '\'' {
				from = n + 2
				continue
			}
			value = text[1:n]
			if bytes.IndexByte(value, '\'') >= 0 {
				value = bytes.ReplaceAll(value, []byte("''"), []byte("'"))
			}
			return value, text[n+1:], nil
		}
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			value = text[1:i]
			if bytes.IndexByte(value, '\\') >= 0 {
				value = jsontext.Unescape(value)
			}
			return value, text[i+1:], nil
		case '\\':
			n := jsontext.Escape(text[i:]) // those of JSON, which YAML has too
			if n == 0 || n == 6 && !bytes.HasPrefix(text[i:], []byte(`\u00`)) {
				return nil, nil, errNotPlain
			}
			i += n - 1
		}
	}
	return nil, nil, errNotPlain
}

// flow reads a collection in brackets into node and returns what follows it.
func (p *plain) flow(node int, text []byte, depth int) ([]byte, error) {
	end := byte('}')
	if p.Nodes[node].Kind = Map; text[0] == '[' {
		end, p.Nodes[node].Kind = ']', List
	}
	if depth > 10 {
		return nil, errNotPlain
	}
	rest := bytes.TrimLeft(text[1:], " ")
	for first := true; ; first = false {
		if len(rest) > 0 && rest[0] == end && first {
			break
		}
		var key []byte
		var err error
		if end == '}' {
			if key, rest, err = flowKey(rest); err != nil {
				return nil, err
			}
		}
		if rest, err = p.flowValue(p.add(key), rest, depth); err != nil {
			return nil, err
		}
		if rest = bytes.TrimLeft(rest, " "); len(rest) == 0 || rest[0] != end && rest[0] != ',' {
			return nil, errNotPlain
		}
		if rest[0] == end {
			break
		}
		rest = bytes.TrimLeft(rest[1:], " ")
	}
	p.Nodes[node].end = int32(len(p.Nodes))
	return rest[1:], nil
}

func flowKey(text []byte) (key, rest []byte, err error) {
	key, rest, err = plainKey(text)
	if err != nil || text[0] != '"' && text[0] != '\'' && bytes.ContainsAny(key, "{}[],") {
		return nil, nil, errNotPlain
	}
	return key, rest, nil
}

func (p *plain) flowValue(node int, text []byte, depth int) ([]byte, error) {
	if len(text) == 0 {
		return nil, errNotPlain
	}
	switch text[0] {
	case '{', '[':
		return p.flow(node, text, depth+1)
	case '"', '\'':
		value, rest, err := quotedScalar(text)
		p.Nodes[node].Text = value
		return rest, err
	}
	n := bytes.IndexAny(text, ",[]{}")
	if n < 0 {
		return nil, errNotPlain
	}
	value, _, err := plainScalar(bytes.TrimRight(text[:n], " "))
	if err != nil || bytes.Contains(text[:n], []byte(" #")) {
		return nil, errNotPlain
	}
	p.Nodes[node].Text = value
	return text[n:], nil
}
