// Command gen makes templates.bin of package detect from a checkout of the SPDX
// licence list (https://github.com/spdx/license-list-XML), whose data are under
// CC0-1.0.
//
//	STELLA_LICENSE_LIST=DIR go generate ./scan/sbom/license/detect
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/license"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
)

func main() {
	list := flag.String("list", "", "checkout of the licence list")
	out := flag.String("o", "templates.bin", "file to write")
	flag.Parse()
	if err := run(*list, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(list, out string) error {
	var names []string
	for _, pattern := range []string{"src/*.xml", "src/exceptions/*.xml"} {
		found, err := filepath.Glob(filepath.Join(list, pattern))
		if err != nil {
			return err
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no src/*.xml", list)
	}
	slices.Sort(names)
	var all []template.Template
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		templates, err := read(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, t := range templates {
			if err := license.Parse(t.ID); err != nil && t.Kind != template.Exception {
				return fmt.Errorf("%s: %w (the tables of package license are of list %s)", name, err, license.ListVersion)
			}
		}
		all = append(all, templates...)
	}
	all = fold(all)
	data, err := template.Encode(all)
	if err != nil {
		return err
	}
	fmt.Printf("%d templates, %d bytes\n", len(all), len(data))
	return os.WriteFile(out, data, 0o644)
}

// fold makes templates of equal text one. The licences of GNU are listed twice,
// as "only" and "or later", with one text.
func fold(all []template.Template) []template.Template {
	key := func(t *template.Template) string {
		base := t.ID
		if t.Kind == template.License {
			base = strings.TrimSuffix(base, "-or-later")
		}
		if base != t.ID {
			return fmt.Sprint(t.Kind, " ", base, "-only")
		}
		return fmt.Sprint(t.Kind, " ", t.ID)
	}
	byText, byKey := map[string]int{}, map[string]int{}
	var out []template.Template
	for _, t := range all {
		text := fmt.Sprint(t.Kind, t.Words, t.Gaps, t.Skip)
		at, known := byKey[key(&t)]
		if !known {
			at, known = byText[text]
		}
		if known && out[at].ID != t.ID {
			o := &out[at]
			if len(t.ID) < len(o.ID) { // GFDL-1.3-only before GFDL-1.3-invariants-only
				t.ID, o.ID = o.ID, t.ID
			}
			o.Also = append(o.Also, t.ID)
			slices.Sort(o.Also)
			o.Also = slices.Compact(o.Also)
			continue
		}
		byText[text], byKey[key(&t)] = len(out), len(out)
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b template.Template) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
	return out
}
