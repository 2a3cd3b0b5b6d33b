package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// maxBeside bounds the secrets and the files without a package in the table; other
// outputs have all of them.
const maxBeside = 12

// writeBeside sums up what is no finding: how many packages are reached from what the
// image starts, secrets, and files that no package accounts for.
func writeBeside(b *strings.Builder, d *sbom.Document) {
	usage := map[sbom.UsageState]int{}
	var files []string
	for i := range d.Packages {
		switch p := &d.Packages[i]; {
		case p.Type == sbom.TypeFile:
			files = append(files, p.Name)
		case p.Usage == nil:
			usage[""]++
		default:
			usage[p.Usage.State]++
		}
	}
	if reached, unreached := usage[sbom.Reached], usage[sbom.Unreached]; reached+unreached > 0 {
		fmt.Fprintf(b, "%d packages are reached from what the image starts, %d are not, of %d nobody can tell\n", reached, unreached, usage[""])
	}
	var secrets []string
	for _, s := range d.Secrets {
		text := s.Path
		if s.Line > 0 {
			text += fmt.Sprintf(":%d", s.Line)
		}
		text += "  " + cmp.Or(s.Title, s.Rule)
		if s.Removed {
			text += ", which a layer above removes: it is in the image all the same"
		}
		secrets = append(secrets, text)
	}
	writeSome(b, "secrets", secrets)
	writeSome(b, "files that no package accounts for", files)
}

// writeSome counts a list, and writes its beginning.
func writeSome(b *strings.Builder, what string, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "%d %s\n", len(list), what)
	for _, text := range list[:min(len(list), maxBeside)] {
		fmt.Fprintf(b, "  %s\n", clean(text))
	}
	if n := len(list) - maxBeside; n > 0 {
		fmt.Fprintf(b, "  and %d more\n", n)
	}
}
