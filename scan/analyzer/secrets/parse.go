package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// Parse reads and compiles a bundle that is not signed: one document of YAML, of which JSON
// is a part. name is how errors call it. Unknown members, members that are there twice,
// anchors, aliases and tags are refused. The examples are not run: see [Rules.Check]. An error
// says which rule is wrong and where; it wraps ErrInvalid, ErrUnsupported or ErrLimit.
func Parse(name string, text []byte) (*Rules, error) {
	if len(text) > MaxBundle {
		return nil, &fault.LimitError{What: "bytes of a bundle of rules", Where: name, Max: MaxBundle, Seen: int64(len(text))}
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("rules %s: the text is not UTF-8: %w", name, fault.Invalid)
	}
	doc, err := fromYAML(text)
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", name, err)
	}
	return parseJSON(name, doc)
}

// parseJSON reads a bundle as it is signed.
func parseJSON(name string, text []byte) (*Rules, error) {
	var b Bundle
	if err := json.Unmarshal(text, &b, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("rules %s: %w: %w", name, place(&b, err), fault.Invalid)
	}
	r, err := Compile(&b)
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", name, err)
	}
	return r, nil
}

// place says which rule an error of decoding is in.
func place(b *Bundle, err error) error {
	var at *json.SemanticError
	if !errors.As(err, &at) {
		return err
	}
	rest, ok := strings.CutPrefix(string(at.JSONPointer), "/rules/")
	if !ok {
		return err
	}
	number, _, _ := strings.Cut(rest, "/")
	if i, convErr := strconv.Atoi(number); convErr == nil && i < len(b.Rules) && b.Rules[i].ID != "" {
		return fmt.Errorf("rule %.80q: %w", b.Rules[i].ID, err)
	}
	return err
}

// fromYAML rewrites a document as JSON.
func fromYAML(text []byte) ([]byte, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, fmt.Errorf("the text is empty: %w", fault.Invalid)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: a second document: a file holds one bundle: %w", second.Line, fault.Invalid)
	}
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	if err := writeNode(e, doc.Content[0], 0); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// maxNesting bounds how deep a document is nested; a bundle needs 5.
const maxNesting = 16

func writeNode(e *jsontext.Encoder, n *yaml.Node, depth int) error {
	bad := func(what string) error { return fmt.Errorf("line %d: %s: %w", n.Line, what, fault.Invalid) }
	switch {
	case depth > maxNesting:
		return &fault.LimitError{What: "nested values", Where: fmt.Sprintf("line %d", n.Line), Max: maxNesting, Seen: int64(depth)}
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return bad("anchors and aliases are not read: write it out")
	case n.Style&yaml.TaggedStyle != 0:
		return bad("tags are not read")
	}
	token := func(t jsontext.Token) error {
		if err := e.WriteToken(t); err != nil {
			return bad(err.Error())
		}
		return nil
	}
	begin, end := jsontext.BeginObject, jsontext.EndObject
	switch n.Kind {
	case yaml.ScalarNode:
		return writeScalar(token, n)
	case yaml.SequenceNode:
		begin, end = jsontext.BeginArray, jsontext.EndArray
	}
	if err := token(begin); err != nil {
		return err
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if c.Kind != yaml.ScalarNode || c.Anchor != "" || c.Style&yaml.TaggedStyle != 0 {
				return bad("a name is a plain text")
			}
			if err := token(jsontext.String(c.Value)); err != nil {
				return err
			}
			continue
		}
		if err := writeNode(e, c, depth+1); err != nil {
			return err
		}
	}
	return token(end)
}

func writeScalar(token func(jsontext.Token) error, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!str":
		return token(jsontext.String(n.Value))
	case "!!int":
		v, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || v < math.MinInt32 || v > MaxFile {
			return fmt.Errorf("line %d: %.40q is no number that can be meant: %w", n.Line, n.Value, fault.Invalid)
		}
		return token(jsontext.Int(v))
	case "!!null":
		return fmt.Errorf("line %d: nothing is written: want a value: %w", n.Line, fault.Invalid)
	}
	return fmt.Errorf("line %d: %.40q is read as a %s: texts of that kind are written in quotes: %w", n.Line, n.Value, strings.TrimPrefix(n.ShortTag(), "!!"), fault.Invalid)
}
