// Package reference makes the reference of the API, docs/api, of the OpenAPI documents and
// the gateway's table of rights: one page for each document, and one that lists all
// operations. Its test holds the pages to what it makes.
package reference

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/system"
)

// Pages returns the pages by their file names: same documents and routes, same bytes.
func Pages(files fs.FS, routes []system.Route) (map[string]string, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := map[string]string{}
	var index strings.Builder
	index.WriteString(indexHead)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		d, err := parse(text, routes)
		if err != nil {
			return nil, fmt.Errorf("reference: %s: %w", name, err)
		}
		own := strings.TrimSuffix(path.Base(name), ".yaml")
		out[own+".md"] = d.page(own)
		d.list(&index, own)
	}
	out["README.md"] = index.String()
	return out, nil
}

const indexHead = `# The API

All operations that the gateway serves, by system, with the right that each needs; where several are named, one is enough. *None* means that the gateway asks for no token: the operation is public, or the system that answers checks credentials by itself, as ` + "`POST /token`" + ` does.
Each system has a page with parameters, bodies and answers. The same is in [OpenAPI 3.1](../openapi), one file for each system, and the gateway serves all of them as one document at ` + "`/openapi.json`" + `.

What holds everywhere: requests carry an access token that is bound to a key (` + "`Authorization: DPoP …`" + ` with a proof, RFC 9449), the tenant is that of the token, and errors are problem documents (RFC 9457) whose ` + "`type`" + ` begins with ` + "`urn:stella:problem:`" + `.
[modules/authority.md](../modules/authority.md) says how to get a token, [modules/gateway.md](../modules/gateway.md) what is limited.

These pages are made of ` + "`docs/openapi/*.yaml`" + ` and the table of rights by ` + "`go test ./services/internal/reference -update`" + `; change those, not these.
`

// document is one OpenAPI document.
type document struct {
	root       *yaml.Node
	below      string // where its paths begin
	operations []operation
}

// operation is one of a document.
type operation struct {
	method, path string // as the gateway has them
	node         *yaml.Node
	shared       *yaml.Node // parameters of all operations of the path, or nil
	needs        string
}

func parse(text []byte, routes []system.Route) (*document, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if len(file.Content) != 1 {
		return nil, fmt.Errorf("the document is empty: %w", fault.Invalid)
	}
	d := &document{root: file.Content[0]}
	if servers := at(d.root, "servers"); servers != nil && len(servers.Content) == 1 {
		d.below = strings.TrimSuffix(value(servers.Content[0], "url"), "/")
	}
	for p, item := range members(at(d.root, "paths")) {
		for method, node := range members(item) {
			if !slices.Contains([]string{"get", "put", "post", "delete", "patch"}, method) {
				continue
			}
			o := operation{method: strings.ToUpper(method), path: d.below + p, node: node, shared: at(item, "parameters")}
			o.needs = needs(routes, o.method, o.path)
			d.operations = append(d.operations, o)
		}
	}
	return d, nil
}

// needs says what an operation asks of who calls it.
func needs(routes []system.Route, method, p string) string {
	i := slices.IndexFunc(routes, func(r system.Route) bool { return r.Method == method && r.Path == p })
	switch {
	case i < 0:
		return "not behind the gateway"
	case routes[i].Public():
		return "none"
	}
	rights := "`" + strings.Join(routes[i].Scopes, "` or `") + "`"
	if routes[i].Keys {
		rights += ", by an API key"
	}
	return rights
}

// list adds the operations of a document to the page of all.
func (d *document) list(b *strings.Builder, own string) {
	fmt.Fprintf(b, "\n## [%s](%s.md)\n\n| Operation | | Right |\n|---|---|---|\n", value(at(d.root, "info"), "title"), own)
	for _, o := range d.operations {
		fmt.Fprintf(b, "| [`%s %s`](%s.md#%s) | %s | %s |\n", o.method, o.path, own, anchor(o.method+" "+o.path), cell(value(o.node, "summary")), o.needs)
	}
}

// page is the page of a document.
func (d *document) page(own string) string {
	info := at(d.root, "info")
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\nMade of [%s.yaml](../openapi/%s.yaml); [all systems](README.md).\n", value(info, "title"), paragraph(value(info, "description")), own, own)
	for _, o := range d.operations {
		d.operation(&b, &o)
	}
	d.errors(&b)
	d.schemas(&b)
	return b.String()
}

func (d *document) operation(b *strings.Builder, o *operation) {
	fmt.Fprintf(b, "\n## `%s %s`\n\n%s.", o.method, o.path, strings.TrimSuffix(value(o.node, "summary"), "."))
	if text := value(o.node, "description"); text != "" {
		fmt.Fprintf(b, " %s", paragraph(text))
	}
	switch o.needs {
	case "none":
		b.WriteString("\n\n**Right:** none.\n")
	case "not behind the gateway":
		b.WriteString("\n\n**Right:** it is not behind the gateway, but for processes of the installation.\n")
	default:
		fmt.Fprintf(b, "\n\n**Right:** %s.\n", o.needs)
	}
	d.parameters(b, o)
	if body := d.follow(at(o.node, "requestBody")); body != nil {
		b.WriteString("\n**Body:** ")
		if text := value(body, "description"); text != "" {
			fmt.Fprintf(b, "%s ", paragraph(text))
		}
		fmt.Fprintf(b, "%s\n", d.contents(body))
	}
	d.answers(b, o)
}

func (d *document) parameters(b *strings.Builder, o *operation) {
	var list []*yaml.Node
	for _, from := range []*yaml.Node{o.shared, at(o.node, "parameters")} {
		if from != nil {
			list = append(list, from.Content...)
		}
	}
	if len(list) == 0 {
		return
	}
	b.WriteString("\n| Parameter | In | Value | |\n|---|---|---|---|\n")
	for _, p := range list {
		p = d.follow(p)
		must := ""
		if value(p, "required") == "true" && value(p, "in") != "path" {
			must = "Required. "
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", value(p, "name"), value(p, "in"), cell(d.kind(at(p, "schema"))), cell(must+paragraph(value(p, "description"))))
	}
}

// answers lists what is answered: what is described here in a table, what all operations
// share by its status.
func (d *document) answers(b *strings.Builder, o *operation) {
	var shared []string
	b.WriteString("\n| Answer | | Body |\n|---|---|---|\n")
	for status, node := range members(at(o.node, "responses")) {
		if ref := value(node, "$ref"); ref != "" && status >= "400" {
			shared = append(shared, status)
			continue
		}
		answer := d.follow(node)
		text := paragraph(value(answer, "description"))
		var headers []string
		for name, h := range members(at(answer, "headers")) {
			says := strings.TrimSuffix(paragraph(value(d.follow(h), "description")), ".")
			if says != "" {
				says = " – " + says
			}
			headers = append(headers, "`"+name+"`"+says)
		}
		if len(headers) > 0 {
			text += " Headers: " + strings.Join(headers, "; ") + "."
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", status, cell(text), cell(d.contents(answer)))
	}
	if len(shared) > 0 {
		slices.Sort(shared)
		fmt.Fprintf(b, "\n[Errors](#errors): %s.\n", strings.Join(shared, ", "))
	}
}

// contents says which media types a body may have, and what is in them.
func (d *document) contents(body *yaml.Node) string {
	var out []string
	for media, node := range members(at(body, "content")) {
		text := "`" + media + "`"
		if schema := at(node, "schema"); schema != nil {
			text += ": " + d.kind(schema)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// errors lists the answers that operations share.
func (d *document) errors(b *strings.Builder) {
	responses := at(at(d.root, "components"), "responses")
	if responses == nil || len(responses.Content) == 0 {
		return
	}
	statuses := map[string][]string{}
	for _, o := range d.operations {
		for status, node := range members(at(o.node, "responses")) {
			name := path.Base(value(node, "$ref"))
			if !slices.Contains(statuses[name], status) {
				statuses[name] = append(statuses[name], status)
			}
		}
	}
	type row struct{ status, text string }
	var rows []row
	for name, node := range members(responses) {
		if len(statuses[name]) == 0 {
			continue
		}
		slices.Sort(statuses[name])
		text := paragraph(value(node, "description"))
		for h, header := range members(at(node, "headers")) {
			text += fmt.Sprintf(" Header `%s`: %s", h, paragraph(value(d.follow(header), "description")))
		}
		rows = append(rows, row{strings.Join(statuses[name], ", "), cell(strings.TrimSpace(text))})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.status, b.status) })
	b.WriteString("\n## Errors\n\n| Status | |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s |\n", r.status, r.text)
	}
}
