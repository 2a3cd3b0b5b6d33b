package rubygems

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/sbom"
)

// installed is the name space of installed gems; their keys are the paths of the
// specifications without the suffix.
const installed = "installed"

// partBuilt is the scope of parts that say where the libraries of a gem were built: their key
// is that of the gem.
const partBuilt = "built"

// gemspec is what a specification says, as RubyGems writes it
// (https://github.com/rubygems/rubygems/blob/master/lib/rubygems/specification.rb, to_ruby).
type gemspec struct {
	scanner
	variable                string // of the block
	name, version, platform string
	summary, description    string
	homepage                string
	authors, mails          []string
	licences                []string
	needs                   []need
	programs                []string // that RubyGems puts in a bin folder
}

// need is a gem that another one depends on.
type need struct {
	how          string // the method that says so
	name         string
	requirements []string
}

// readGemspec reads the specification of an installed gem. Name and version are, in this
// order, those of the stub, of the code, and of the file's name.
func readGemspec(at place, data []byte) ([]analyzer.Fact, error) {
	g := gemspec{scanner: scanner{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}}
	name, version, platform, stubbed := stub(g.data)
	if at.checkout != "" && !stubbed {
		return nil, nil // a part of the repository that Bundler did not install
	}
	g.read()
	if !stubbed {
		name, version, platform = g.name, g.version, g.platform
	}
	if name == "" || version == "" {
		n, v, p := fromFile(path.Base(at.key))
		name, version, platform = cmp.Or(name, n), cmp.Or(version, v), cmp.Or(platform, p)
	}
	if name == "" {
		return nil, cmp.Or(g.err, fmt.Errorf("a specification without a name: %w", fault.Invalid))
	}
	p := &sbom.Package{
		Name: name, Version: version, PURL: packageURL(name, version, platform),
		Description: oneLine(cmp.Or(g.summary, g.description)), Homepage: oneLine(g.homepage), Originator: people(g.authors, g.mails),
	}
	for _, l := range g.licences {
		if l = oneLine(l); l != "" {
			p.Licenses = append(p.Licenses, sbom.License{Name: l})
		}
	}
	if at.isDefault {
		p.Properties = []sbom.Property{{Name: defaultProperty, Value: "true"}}
	}
	if at.checkout != "" {
		p.Properties = []sbom.Property{{Name: sourceProperty, Value: at.checkout}}
	}
	holds, err := at.holds(g.programs)
	return []analyzer.Fact{{
		Kind: analyzer.KindPackage, Scope: installed, Key: at.key, Package: p, DependsOn: g.runtime(), Holds: holds,
	}}, cmp.Or(g.err, err)
}

// holds are the folder of a gem, and the programs that RubyGems makes for it: in bin of the
// gem home, or for the home of the system beside the interpreter.
func (at place) holds(programs []string) ([]string, error) {
	var set held.Set
	switch {
	case at.checkout != "":
		set.Add(at.home + "/bundler/gems/" + at.checkout + "/")
	default:
		set.Add(at.home + "/gems/" + path.Base(at.key) + "/")
	}
	system, _, ok := strings.Cut(at.home, "/lib/ruby/")
	for _, name := range programs {
		if name == "" || strings.Contains(name, "/") {
			continue
		}
		set.Add(at.home + "/bin/" + name)
		if ok {
			set.Add(system + "/bin/" + name)
		}
	}
	return set.List(nil)
}

// stub reads the comment "# stub: name version platform paths", which stands among the first
// ones and tells RubyGems what is installed.
func stub(data []byte) (name, version, platform string, ok bool) {
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte("#")) {
			break
		}
		if text, is := bytes.CutPrefix(line, []byte("# stub: ")); is {
			fields := strings.Fields(clean(text))
			if len(fields) >= 3 && isVersion(fields[1]) {
				return fields[0], fields[1], fields[2], true
			}
		}
	}
	return "", "", "", false
}

// read follows the code and takes what is assigned to the block's variable.
func (g *gemspec) read() {
	var before token
	for t := g.next(); t.kind != 0; before, t = t, g.next() {
		switch {
		case t.kind == '|' && g.variable == "" && g.look().kind == 'a':
			g.variable = g.next().text
		case t.kind == '.' && before.kind == 'a' && before.text == g.variable && g.look().kind == 'a':
			t = g.next()
			g.member(t.text)
		}
	}
}

// member takes an attribute that is set or a dependency that is added.
func (g *gemspec) member(name string) {
	if strings.HasPrefix(name, "add_") && strings.HasSuffix(name, "_dependency") || name == "add_dependency" {
		g.need(name)
		return
	}
	if !g.skip('=') {
		return
	}
	one := func(p *string) {
		if list := g.value(); len(list) > 0 {
			*p = list[0]
		}
	}
	switch name {
	case "name":
		one(&g.name)
	case "version":
		one(&g.version)
	case "platform":
		g.platform = strings.Join(g.value(), "-") // Gem::Platform.new(["x86", "linux", nil])
	case "summary":
		one(&g.summary)
	case "description":
		one(&g.description)
	case "homepage":
		one(&g.homepage)
	case "executable", "executables":
		g.programs = g.value()
	case "author", "authors":
		g.authors = g.value()
	case "email":
		g.mails = g.value()
	case "license", "licenses":
		g.licences = g.value()
	}
}

// value reads a text, a list of texts, or one of the two in Gem::Version.new(…) and the
// like. Of others it returns nothing, and leaves them.
func (g *gemspec) value() []string {
	for g.look().kind == 'a' && g.peek.text == "Gem" {
		for k := g.look().kind; k == 'a' || k == ':' || k == '.'; k = g.look().kind {
			g.next()
		}
		if !g.skip('(') {
			return nil
		}
	}
	switch t := g.look(); t.kind {
	case '"':
		g.next()
		g.frozen()
		if k := g.look().kind; t.odd || k == '+' || k == '%' || k == '.' {
			return nil // what is made of the text is not known
		}
		return []string{t.text}
	case 'w':
		g.next()
		return strings.Fields(t.text)
	case '[':
		g.next()
		var out []string
		for t = g.next(); t.kind != ']' && t.kind != 0; t = g.next() {
			if t.kind == '"' && !t.odd {
				out = append(out, t.text)
			}
		}
		return out
	}
	return nil
}

// frozen moves over ".freeze".
func (g *gemspec) frozen() {
	if g.skip('.') && g.look().kind == 'a' {
		g.next()
	}
}

// need reads the arguments of a method that adds a dependency.
func (g *gemspec) need(how string) {
	g.skip('(')
	if t := g.look(); t.kind != '"' || t.odd {
		return
	}
	n := need{how: how, name: g.next().text}
	for g.frozen(); g.skip(','); g.frozen() {
		n.requirements = append(n.requirements, g.value()...)
	}
	g.needs = append(g.needs, n)
}

// runtime returns what the gem needs to run, as "name" or "name requirements". RubyGems used
// to repeat all dependencies as such for versions of its own that did not tell them apart.
func (g *gemspec) runtime() []string {
	const development = "add_development_dependency"
	apart := map[string]bool{}
	for _, n := range g.needs {
		if n.how == development {
			apart[n.name] = true
		}
	}
	var out []string
	for _, n := range g.needs {
		if n.how == development || n.how == "add_dependency" && apart[n.name] || n.name == "" || strings.ContainsAny(n.name, " \t\n") {
			continue
		}
		text := n.name
		if r := strings.Join(n.requirements, ", "); r != "" && r != ">= 0" {
			text += " " + r
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fromFile takes apart "name-1.0" and "name-1.0-java", as RubyGems names files and folders.
func fromFile(base string) (name, version, platform string) {
	for at := 0; ; {
		i := strings.IndexByte(base[at:], '-')
		if i < 0 {
			return "", "", ""
		}
		at += i + 1
		version, platform, _ = strings.Cut(base[at:], "-")
		if isVersion(version) && strings.Contains(version, ".") {
			return base[:at-1], version, platform
		}
	}
}

// people joins the names of authors; the mail of a single one is told.
func people(names, mails []string) string {
	for i, n := range names {
		names[i] = oneLine(n)
	}
	all := strings.Join(slices.DeleteFunc(names, func(s string) bool { return s == "" }), ", ")
	switch {
	case all == "" && len(mails) == 1:
		return oneLine(mails[0])
	case len(names) == 1 && len(mails) == 1 && mails[0] != "":
		return all + " (" + oneLine(mails[0]) + ")"
	}
	return all
}

// oneLine writes each run of white space as one blank.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
