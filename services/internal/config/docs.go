package config

import (
	"fmt"
	"reflect"
	"strings"
)

const docsHead = `# Configuration

One model for all processes. A value is the default, then what the file says (--config FILE, or STELLA_CONFIG), then the environment, then a flag:
each over the one before. All mistakes are reported at once, with key, place and what is wanted, and the process does not start.
` + "`stella config print`" + ` writes what is in force, and where each value is from; it shows no secret.

- **File.** YAML; dots of a key are nesting. Unknown keys, keys that are there twice, aliases and second documents are refused.
- **Environment.** ` + "`gateway.rate.burst`" + ` is ` + "`STELLA_GATEWAY_RATE_BURST`" + `. Lists are separated by commas; maps are ` + "`NAME=VALUE,NAME=VALUE`" + `, a name that comes again adds to a
  list. Mappings are given in the file alone. An empty variable is none; unknown ones that begin with ` + "`STELLA_`" + ` are refused, but for those that a cluster makes of names of services.
- **Flags.** ` + "`--gateway.rate.burst 400`" + `. Those of lists may be repeated. A secret has no flag, since everybody on the machine can read flags, and neither has an URL with a password.
- **Secrets.** Secrets and URLs can be given by file: ` + "`store_file`, `STELLA_STORE_FILE`, `--store_file`" + `. A line break at the end is not part of it. The file must not be readable by others
  than its owner and group (in Kubernetes ` + "`defaultMode: 0440`" + ` with an ` + "`fsGroup`" + `).
- **Durations** have a unit: ` + "`500ms`, `10s`, `5m`, `24h`, `90d`" + `. **Sizes** are bytes, or have one: ` + "`512KiB`, `64MiB`, `2GiB`" + `.
- **Profiles.** ` + "`embedded`" + ` needs nothing else. ` + "`distributed`" + ` refuses what several processes cannot share: SQLite, memory, folders of their own. ` + "`airgap`" + ` is either, and refuses whatever
  lies outside of ` + "`network.allow`" + `.

This page is made from the model: ` + "`go test ./internal/config -update`" + ` in ` + "`services`" + `.
`

// Docs returns docs/configuration.md.
func Docs() string {
	var b strings.Builder
	b.WriteString(docsHead)
	section := "-"
	for _, f := range fields() {
		name, _, nested := strings.Cut(f.key, ".")
		if !nested {
			name = ""
		}
		if name != section {
			section = name
			title := name
			if title == "" {
				title = "All"
			}
			fmt.Fprintf(&b, "\n## %s%s\n\n| Key | Kind | Default | Meaning | Read by |\n|---|---|---|---|---|\n", strings.ToUpper(title[:1]), title[1:])
		}
		row(&b, f.key, f)
		if records(f.typ) {
			for _, x := range below(f.typ.Elem(), f.key+"[].", nil, f.reads) {
				row(&b, x.key, x)
			}
		}
	}
	return b.String()
}

func row(b *strings.Builder, key string, f field) {
	kind, def := f.kind(), f.tag.Get("default")
	if def != "" {
		def = "`" + def + "`"
	}
	if f.tag.Get("required") != "" {
		def = "required"
	}
	doc := f.tag.Get("doc")
	if s := strings.Fields(f.tag.Get("oneof")); len(s) > 0 {
		doc += " One of `" + strings.Join(s, "`, `") + "`."
	}
	if low := f.tag.Get("min"); low != "" {
		doc += fmt.Sprintf(" %s to %s.", low, f.tag.Get("max"))
	}
	if f.typ.Kind() == reflect.Map && f.tag.Get("keys") == "system" {
		doc += " Names: " + strings.Join(Systems, ", ") + "."
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", key, kind, def, strings.ReplaceAll(doc, "|", "\\|"), strings.ReplaceAll(f.reads, " ", ", "))
}
