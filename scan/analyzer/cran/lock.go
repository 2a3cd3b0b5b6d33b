package cran

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/stanza"
	"github.com/stella-ops/stella/scan/sbom"
)

// readRenv reads a renv.lock (https://rstudio.github.io/renv/reference/lockfiles.html). Its
// hashes are of the fields of a DESCRIPTION, not of a file.
func readRenv(data []byte) ([]analyzer.Fact, error) {
	r := jsontext.New(data)
	named := repositories{}
	var all []record
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			switch string(key) {
			case "R":
				r.Object(func(key []byte) {
					if string(key) == "Repositories" {
						repository(r, named)
					}
				})
			case "Packages":
				r.Object(func(key []byte) {
					if one := object(r, jsontext.Clean(key)); r.Err() == nil && len(all) <= locked.MaxEntries {
						all = append(all, one)
					}
				})
			}
		}) {
			r.Fail("a lockfile is an object")
		}
	})
	var f locked.File
	for _, one := range all {
		f.Put(one.entry(named))
	}
	return f.Facts(err)
}

// repository reads the repositories of a project: a list of names and addresses, or a list
// with only one, which the first versions wrote as an object.
func repository(r *jsontext.Reader, named repositories) {
	one := func() {
		var name, address string
		r.Object(func(key []byte) {
			switch string(key) {
			case "Name":
				name, _ = r.Text()
			case "URL":
				address, _ = r.Text()
			}
		})
		if name != "" {
			named[name] = address
		}
	}
	if r.Peek() == '{' {
		one()
	} else {
		r.Array(one)
	}
}

// object reads the members of a package that are kept: texts, or lists of them.
func object(r *jsontext.Reader, name string) record {
	out := record{}
	r.Object(func(key []byte) {
		if string(key) == "Requirements" {
			key = []byte("Requires")
		}
		if r.Peek() == '"' {
			text, _ := r.Text()
			out.field(key, []byte(text))
			return
		}
		var list []string
		r.Array(func() {
			if text, ok := r.Text(); ok && len(list) < maxNeeds {
				list = append(list, text)
			}
		})
		out.field(key, []byte(strings.Join(list, ", ")))
	})
	out["Package"] = cmp.Or(out["Package"], name)
	return out
}

// readPackrat reads a packrat.lock: a stanza about the file, and one for each package.
func readPackrat(data []byte) ([]analyzer.Fact, error) {
	named := repositories{}
	var f locked.File
	r := record{}
	err := stanza.Read(data, r.field, func(int) {
		for one := range strings.SplitSeq(r["Repos"], ",") {
			if name, address, ok := strings.Cut(strings.TrimSpace(one), "="); ok {
				named[name] = address
			}
		}
		if r["PackratFormat"] == "" {
			f.Put(r.entry(named))
		}
		clear(r)
	})
	return f.Facts(err)
}

// entry makes an entry of a package.
func (r record) entry(named repositories) locked.Entry {
	e := locked.Entry{Package: sbom.Package{
		Name: r["Package"], Version: r["Version"], Description: r["Title"], Licenses: licences(r["License"]), Homepage: homepage(r["URL"]),
	}}
	e.Key = e.Package.Name
	r.locate(&e.Package, named)
	if list := r["Requires"]; list != "" {
		e.Wants = names(list)
	} else {
		for _, key := range []string{"Depends", "Imports", "LinkingTo"} {
			e.Wants = append(e.Wants, names(r[key])...)
		}
	}
	return e
}
