package ignorefile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/stella-ops/stella/internal/fault"
)

// osv reads the configuration of OSV-Scanner.
func (c *collector) osv(text []byte) error {
	var doc map[string]any
	if err := toml.Unmarshal(text, &doc); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			return fmt.Errorf("line %d, column %d: %s: %w", line, column, strings.TrimPrefix(at.Error(), "toml: "), fault.Invalid)
		}
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		list, ok := doc[name].([]any)
		if !ok && (name == "IgnoredVulns" || name == "PackageOverrides") {
			return fmt.Errorf("%s is no list of tables: %w", name, fault.Invalid)
		}
		switch name {
		case "IgnoredVulns":
			ids := map[string]bool{}
			for i, x := range list {
				c.osvIgnored(fmt.Sprintf("IgnoredVulns[%d]", i), x, ids)
			}
		case "PackageOverrides":
			for i, x := range list {
				c.osvOverride(fmt.Sprintf("PackageOverrides[%d]", i), x)
			}
		default:
			c.note(name, name, "it is a setting, not an entry")
		}
	}
	return nil
}

// known returns an entry as a table, nil where it has something that is not known or
// of the wrong type: what is overlooked would widen an exception.
func (c *collector) known(where string, x any, names ...string) map[string]any {
	table, ok := x.(map[string]any)
	if !ok {
		c.note(where, "an entry", "it is no table")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(names, name) {
			c.note(where, "an entry", "it has something that is not known: %.60q", name)
			return nil
		}
		want := ""
		switch table[name].(type) {
		case string:
			want = "id name version ecosystem group reason"
		case bool:
			want = "nameIsRegex ignore"
		case map[string]any:
			want = "vulnerability license"
		default:
			want = "ignoreUntil effectiveUntil"
		}
		if !slices.Contains(strings.Fields(want), name) {
			c.note(where, "an entry", "%s is of the wrong type", name)
			return nil
		}
	}
	return table
}

// osvIgnored reads an id. Of an id that is there several times the first counts.
func (c *collector) osvIgnored(where string, x any, ids map[string]bool) {
	t := c.known(where, x, "id", "ignoreUntil", "reason")
	if t == nil {
		return
	}
	e := entry{where: where, what: "an entry"}
	id, _ := t["id"].(string)
	if why := whyNoID(id); why != "" {
		c.note(where, id, "%s", why)
		return
	}
	e.what, e.scope.Vulnerabilities = id, []string{id}
	e.reason, _ = t["reason"].(string)
	if ids[id] {
		c.note(where, id, "the id is there before, and the first counts")
		return
	}
	ids[id] = true
	var ok bool
	if e.expires, ok = until(t["ignoreUntil"]); !ok {
		c.note(where, id, "ignoreUntil is no date")
		return
	}
	c.add(e)
}

// until reads a date of TOML; nil is without end.
func until(x any) (time.Time, bool) {
	switch x := x.(type) {
	case nil:
		return time.Time{}, true
	case time.Time:
		return x.UTC(), x.Year() > 1
	case toml.LocalDate:
		return x.AsTime(time.UTC), x.Year > 1
	case toml.LocalDateTime:
		return x.AsTime(time.UTC), x.Year > 1
	}
	return time.Time{}, false
}

// osvOverride reads an entry about packages.
func (c *collector) osvOverride(where string, x any) {
	t := c.known(where, x, "name", "nameIsRegex", "version", "ecosystem", "group", "ignore", "vulnerability", "license", "effectiveUntil", "reason")
	if t == nil {
		return
	}
	text := func(name string) string { s, _ := t[name].(string); return s }
	e := entry{where: where, what: cmp.Or(strings.TrimSpace(text("ecosystem")+" "+text("name")+" "+text("version")), "an entry"), reason: text("reason")}
	vulnerability, _ := t["vulnerability"].(map[string]any)
	regex, _ := t["nameIsRegex"].(bool)
	switch {
	case t["ignore"] != true && vulnerability["ignore"] != true:
		c.note(where, e.what, "it ignores no vulnerabilities")
		return
	case text("group") != "":
		c.note(where, e.what, "an exception cannot ask for a group of dependencies; a rule of a policy can: match: {scope: dev}")
		return
	case regex:
		c.note(where, e.what, "an exception cannot say a regular expression")
		return
	case text("name") == "" && text("ecosystem") == "":
		c.note(where, e.what, "it would ignore everything")
		return
	case strings.Contains(text("ecosystem"), ":"):
		c.note(where, e.what, "an exception cannot ask for one release of a distribution; a rule of a policy can: match: {ecosystem: …}")
		return
	}
	var ok bool
	if e.expires, ok = until(t["effectiveUntil"]); !ok {
		c.note(where, e.what, "effectiveUntil is no date")
		return
	}
	types := []string{text("ecosystem")}
	if types[0] == "" {
		types = everywhere()
	}
	if c.packages(&e, types, text("name"), text("version")) {
		c.add(e)
	}
}
