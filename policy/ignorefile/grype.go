package ignorefile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// grype reads the ignore rules of a configuration.
func (c *collector) grype(text []byte) error {
	root, err := yamlRoot(text)
	if err != nil || root == nil {
		return err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, n := root.Content[i], root.Content[i+1]
		switch key.Value {
		case "ignore":
			for _, rule := range n.Content {
				c.grypeRule(rule)
			}
		case "only-fixed", "only-notfixed", "ignore-wontfix", "exclude", "fail-on-severity", "vex-documents", "vex-add", "match-upstream-kernel-headers":
			c.note(fmt.Sprintf("line %d", key.Line), key.Value, "it is a setting, not an entry: see docs/policy.md")
		}
	}
	return nil
}

// grypeRule makes an exception of a rule whose criteria an exception can say.
func (c *collector) grypeRule(n *yaml.Node) {
	e := entry{where: fmt.Sprintf("line %d", n.Line), what: "a rule"}
	f, unknown := members(n, "vulnerability", "include-aliases", "reason", "namespace", "fix-state", "package", "vex-status", "vex-justification", "match-type")
	e.what = value(f["vulnerability"], e.what)
	if why := plainOnly(f, unknown, "package"); why != "" {
		c.note(e.where, e.what, "%s", why)
		return
	}
	for _, x := range [][2]string{
		{"vex-status", "whom to believe is said by vex of a policy and by trust"},
		{"vex-justification", "whom to believe is said by vex of a policy and by trust"},
		{"fix-state", "an exception cannot ask for it; a rule of a policy can: match: {fix: …}, action: ignore"},
		{"namespace", "an exception cannot ask for the source of a record; a rule of a policy can: match: {ecosystem: …}"},
		{"match-type", "there is nothing like it"},
	} {
		if v := value(f[x[0]], ""); v != "" {
			c.note(e.where, e.what+" with "+x[0]+" "+v, "%s", x[1])
			return
		}
	}
	if id := value(f["vulnerability"], ""); id != "" {
		if why := whyNoID(id); why != "" {
			c.note(e.where, e.what, "%s", why)
			return
		}
		e.scope.Vulnerabilities = []string{id}
	}
	e.reason = value(f["reason"], "")
	if !c.grypePackage(&e, f["package"]) {
		return
	}
	if len(e.scope.Vulnerabilities)+len(e.scope.Packages)+len(e.scope.Paths) == 0 {
		c.note(e.where, e.what, "it has no criteria and ignores nothing")
		return
	}
	c.add(e)
}

// grypePackage fills in the scope by the criteria about the package. false means that
// an exception cannot say them.
func (c *collector) grypePackage(e *entry, n *yaml.Node) bool {
	if n == nil || n.Tag == "!!null" {
		return true
	}
	f, unknown := members(n, "name", "version", "language", "type", "location", "upstream-name")
	if why := plainOnly(f, unknown, ""); why != "" {
		c.note(e.where, e.what, "its package: %s", why)
		return false
	}
	if v := value(f["upstream-name"], ""); v != "" {
		c.note(e.where, e.what+" of source package "+v, "an exception cannot ask for the source package")
		return false
	}
	name, version, typ := value(f["name"], ""), value(f["version"], ""), value(f["type"], "")
	if strings.ContainsAny(name, `*?[](){}|^$\`) {
		c.note(e.where, e.what+" in "+name, "an exception cannot say a regular expression")
		return false
	}
	if language := value(f["language"], ""); language != "" {
		if typ != "" && typ != typeOf(language) || typeOf(language) == "" {
			c.note(e.where, e.what+" in "+language, "an exception cannot ask for this language")
			return false
		}
		typ = typeOf(language)
	}
	var ok bool
	if e.scope.Paths, ok = c.pathsOf(e, f["location"]); !ok {
		return false
	}
	if name == "" && version == "" && typ == "" {
		return true
	}
	types := []string{typ}
	if typ == "" {
		types = everywhere()
	}
	return c.packages(e, types, name, version)
}

// typeOf is the type of packages of a language, "" for one that has several or none
// that is known.
func typeOf(language string) string {
	switch language {
	case "python":
		return "python"
	case "javascript":
		return "npm"
	case "go":
		return "go-module"
	case "ruby":
		return "gem"
	case "rust":
		return "rust-crate"
	case "dotnet":
		return "dotnet"
	case "php":
		return "php-composer"
	case "java":
		return "java-archive"
	}
	return ""
}

// packages fills in patterns for packages of types.
func (c *collector) packages(e *entry, types []string, name, version string) bool {
	last := ""
	for _, t := range types {
		p, ok := places(t)
		if !ok {
			c.note(e.where, e.what+" of type "+t, "there are no package URLs of this type here")
			return false
		}
		list, why := p.patterns(name, version)
		if why != "" {
			last = why
			continue
		}
		e.scope.Packages = append(e.scope.Packages, list...)
	}
	if last != "" { // of all types, or of some
		c.note(e.where, e.what+" in "+name, "%s", last)
	}
	return len(e.scope.Packages) > 0
}
