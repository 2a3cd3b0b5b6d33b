package trust

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/vex"
)

// Parse reads a trust document of the given name, YAML or JSON. Members that are not
// known are refused, as are anchors and aliases. An error is a [*DocumentError] with
// everything that is wrong, or wraps ErrLimit.
func Parse(name string, text []byte) (*Document, error) {
	if len(text) > MaxDocument {
		return nil, &fault.LimitError{What: "bytes", Where: "trust document " + name, Max: MaxDocument, Seen: int64(len(text))}
	}
	p := &parser{doc: &Document{Name: name}, ids: map[string]*yaml.Node{}, identities: map[string]string{}}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		p.syntax(text, err)
		return nil, p.err()
	}
	if root.Kind == 0 || len(root.Content) == 0 {
		p.report(nil, "", "it is empty; want issuers")
		return nil, p.err()
	}
	p.document(root.Content[0])
	if len(p.found) > 0 {
		return nil, p.err()
	}
	if len(p.doc.Issuers) > vex.MaxIssuers || len(p.doc.Keys) > MaxKeys {
		return nil, &fault.LimitError{What: "issuers or keys", Where: "trust document " + name, Max: vex.MaxIssuers, Seen: int64(max(len(p.doc.Issuers), len(p.doc.Keys)))}
	}
	if _, err := p.doc.Trust().Judge(); err != nil { // what is whole by its parts is so
		p.report(nil, "", "%s", message(err))
		return nil, p.err()
	}
	return p.doc, nil
}

// parser reads one document.
type parser struct {
	doc        *Document
	found      []Diagnostic
	ids        map[string]*yaml.Node // where issuers are
	identities map[string]string     // and whose identities are
}

func (p *parser) err() error {
	e := &DocumentError{Name: p.doc.Name, Diagnostics: p.found}
	e.sort()
	return e
}

func (p *parser) report(n *yaml.Node, path, format string, args ...any) {
	if len(p.found) >= MaxDiagnostics {
		return
	}
	d := Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		d.Line, d.Column = n.Line, n.Column
	}
	p.found = append(p.found, d)
}

var yamlLine = lazyre.New(`line (\d+): (.*)`)

// syntax reports what the YAML library says, or of JSON, of which that does not know
// the place, what the JSON library does.
func (p *parser) syntax(text []byte, err error) {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.Get().FindStringSubmatch(said); m != nil {
		line, _ := strconv.Atoi(m[1])
		p.found = append(p.found, Diagnostic{Line: line, Column: 1, Message: m[2]})
		return
	}
	d := Diagnostic{Message: said}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		var wrong *jsontext.SyntacticError
		if err := jsontext.NewDecoder(bytes.NewReader(text)).SkipValue(); errors.As(err, &wrong) {
			before := text[:min(int(wrong.ByteOffset), len(text))]
			d = Diagnostic{Line: 1 + bytes.Count(before, []byte("\n")), Column: len(before) - bytes.LastIndexByte(before, '\n'), Message: wrong.Err.Error()}
		}
	}
	p.found = append(p.found, d)
}

// message is an error's text without its kind, which the reader knows.
func message(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+string(fault.Invalid))
}

func (p *parser) document(n *yaml.Node) {
	fields := p.fields(n, "", []string{"issuers", "keys"})
	issuers := p.list(fields["issuers"], "issuers")
	if fields != nil && len(issuers) == 0 {
		p.report(n, "", "it has no issuers: nobody would be believed")
	}
	keys := p.list(fields["keys"], "keys")
	var nodes []*yaml.Node
	for i, node := range issuers {
		if issuer, ok := p.issuer(node, fmt.Sprintf("issuers[%d]", i)); ok {
			p.doc.Issuers = append(p.doc.Issuers, issuer)
			nodes = append(nodes, node)
		}
	}
	names := map[string]bool{}
	for i, node := range keys {
		p.key(node, fmt.Sprintf("keys[%d]", i), names)
	}
	for i := range p.doc.Issuers {
		p.origin(nodes[i], &p.doc.Issuers[i])
	}
}

var issuerFields = []string{"id", "tier", "identities", "sources", "authors", "products", "unsigned", "max_age"}

var sourceName = lazyre.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// issuer reads an issuer. ok says that it can be named by keys.
func (p *parser) issuer(n *yaml.Node, path string) (out vex.Issuer, ok bool) {
	fields := p.fields(n, path, issuerFields)
	if fields == nil {
		return out, false
	}
	at := func(name string) string { return path + "." + name }
	out.ID = p.required(n, fields["id"], path, "id")
	if first := p.ids[out.ID]; first != nil && out.ID != "" {
		p.report(fields["id"], at("id"), "issuer %q is there already, in line %d", out.ID, first.Line)
	} else if out.ID != "" {
		p.ids[out.ID] = fields["id"]
		p.probe(fields["id"], at("id"), func(i *vex.Issuer) { i.ID = out.ID })
	}
	out.Tier = p.number(fields["tier"], at("tier"))
	if fields["tier"] == nil {
		p.report(n, path, "tier is missing: want %d, which decides first, to %d", vex.MinTier, vex.MaxTier)
	} else if out.Tier >= 0 {
		p.probe(fields["tier"], at("tier"), func(i *vex.Issuer) { i.Tier = out.Tier })
	}
	if out.MaxAge = p.number(fields["max_age"], at("max_age")); out.MaxAge > 0 {
		p.probe(fields["max_age"], at("max_age"), func(i *vex.Issuer) { i.MaxAge = out.MaxAge })
	}
	out.Identities = p.texts(fields["identities"], at("identities"), func(n *yaml.Node, path, s string) {
		p.identity(n, path, out.ID, s)
		p.probe(n, path, func(i *vex.Issuer) { i.Identities = []string{s} })
	})
	out.Sources = p.texts(fields["sources"], at("sources"), func(n *yaml.Node, path, s string) {
		if !sourceName.Get().MatchString(s) {
			p.report(n, path, "source %.80q: want lower case letters, digits and hyphens", s)
		}
	})
	out.Authors = p.texts(fields["authors"], at("authors"), nil)
	if len(out.Authors) > 0 && len(out.Sources) == 0 {
		p.report(fields["authors"], at("authors"), "authors are what documents claim: want sources beside them")
	}
	out.Products = p.texts(fields["products"], at("products"), func(n *yaml.Node, path, s string) {
		if _, err := vex.ParsePattern(s); err != nil {
			p.report(n, path, "%s", message(err))
		}
	})
	if len(out.Products) == 0 {
		p.report(n, path, "it may speak about no product: want products, such as \"pkg:npm/foo\" or \"*\"")
	}
	p.texts(fields["unsigned"], at("unsigned"), func(n *yaml.Node, path, s string) {
		if !slices.Contains(vex.Statuses, vex.Status(s)) {
			p.report(n, path, "status %.40q is none of %v%s", s, vex.Statuses, suggest.Phrase(strings.ToLower(s), texts(vex.Statuses)))
			return
		}
		out.Unsigned = append(out.Unsigned, vex.Status(s))
	})
	return out, out.ID != ""
}

// probe reports what the core has against one property, of an issuer that is good
// otherwise.
func (p *parser) probe(n *yaml.Node, path string, set func(*vex.Issuer)) {
	i := vex.Issuer{ID: "x", Tier: 1, Sources: []string{"x"}, Products: []string{"*"}}
	set(&i)
	if _, err := (&vex.Trust{Issuers: []vex.Issuer{i}}).Judge(); err != nil {
		p.report(n, path, "%s", strings.TrimPrefix(message(err), fmt.Sprintf("issuer %.64q: ", i.ID)))
	}
}

// identity notes whose an identity is, and refuses that it is two issuers'.
func (p *parser) identity(n *yaml.Node, path, issuer, id string) {
	if other, taken := p.identities[id]; taken {
		p.report(n, path, "%q is an identity of issuer %q already", id, other)
		return
	}
	p.identities[id] = issuer
}

// origin reports an issuer of whom nothing can come: one whose keys are all revoked
// is none, as it was one.
func (p *parser) origin(n *yaml.Node, i *vex.Issuer) {
	has := len(i.Identities) > 0 || len(i.Sources) > 0
	for k := range p.doc.Keys {
		has = has || p.doc.Keys[k].Issuer == i.ID
	}
	if !has && len(p.found) == 0 {
		p.report(n, "issuer "+i.ID, "nothing says what is from it: want keys, identities or sources")
	}
}

func texts(list []vex.Status) (out []string) {
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}
