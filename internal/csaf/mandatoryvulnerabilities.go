package csaf

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// testVulnerabilities performs 6.1.23 to 6.1.25, 6.1.29 and 6.1.31 to 6.1.33.
func (v *validator) testVulnerabilities() {
	cves := map[string]int{}
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		if first, twice := cves[u.CVE]; twice && u.CVE != "" {
			v.fail("6.1.23", at("vulnerabilities", i, "cve"), "%.32s is already at %s", u.CVE, at("vulnerabilities", first))
		} else {
			cves[u.CVE] = i
		}
		v.involvements(i, u)
		for j, r := range u.Remediations {
			if len(r.ProductIDs)+len(r.GroupIDs) == 0 {
				v.fail("6.1.29", at("vulnerabilities", i, "remediations", j), "it names neither products nor product groups")
			}
		}
		for j, f := range u.Flags {
			if len(f.ProductIDs)+len(f.GroupIDs) == 0 {
				v.fail("6.1.32", at("vulnerabilities", i, "flags", j), "it names neither products nor product groups")
			}
		}
		v.flagsTwice(i, u)
	}
	v.eachHashes(func(pointer string, h FileHashes) {
		seen := map[string]bool{}
		for i, f := range h.FileHashes {
			algorithm := strings.ToLower(f.Algorithm)
			if seen[algorithm] {
				v.fail("6.1.25", pointer+at("file_hashes", i, "algorithm"), "there is another %.32s of this file", algorithm)
			}
			seen[algorithm] = true
		}
	})
	v.tree.eachBranch(func(path []branchAt) bool {
		b := path[len(path)-1]
		if word := rangeWord(b.Name); b.Category == "product_version" && word != "" {
			v.fail("6.1.31", branchPointer(path)+"/name", "%.100q is a range of versions: it has %q", b.Name, word)
		}
		return true
	})
}

// involvements performs 6.1.24: a party is there once for each date.
func (v *validator) involvements(i int, u *Vulnerability) {
	type key struct {
		party string
		date  time.Time
		dated bool
	}
	seen := map[key]int{}
	for j, x := range u.Involvements {
		date, ok := Time(x.Date)
		if !ok && x.Date != "" {
			continue // the schema's
		}
		k := key{x.Party, date.UTC(), ok}
		if first, twice := seen[k]; twice {
			v.fail("6.1.24", at("vulnerabilities", i, "involvements", j), "party %.32q is already there at this date: %s", x.Party, at("vulnerabilities", i, "involvements", first))
			continue
		}
		seen[k] = j
	}
}

// flagsTwice performs 6.1.33: no product has two flags that say why it is not
// affected. It stops when it has said so often enough: flags may all name one
// large group.
func (v *validator) flagsTwice(i int, u *Vulnerability) {
	seen := map[string]int{}
	for j, f := range u.Flags {
		products := newCover()
		if isJustification(f.Label) {
			v.add(products, f.ProductIDs, f.GroupIDs)
		}
		for _, id := range slices.Sorted(maps.Keys(products.ids)) {
			if v.count["6.1.33"] >= maxProblems {
				return
			}
			if first, twice := seen[id]; twice {
				v.fail("6.1.33", at("vulnerabilities", i, "flags", j), "product %.200q is already in %s", id, at("vulnerabilities", i, "flags", first))
				continue
			}
			seen[id] = j
		}
	}
}

// eachHashes calls fn for the hashes of each file that helps to identify a
// product.
func (v *validator) eachHashes(fn func(pointer string, h FileHashes)) {
	v.tree.each(func(d definition) bool {
		if d.name.Helper != nil {
			for i, h := range d.name.Helper.Hashes {
				fn(d.pointer()+at("product_identification_helper", "hashes", i), h)
			}
		}
		return true
	})
}

// rangeWords say that a name stands for several versions, if they stand alone.
var rangeWords = map[string]bool{"after": true, "all": true, "before": true, "earlier": true, "later": true, "prior": true, "versions": true}

// rangeWord returns what makes a version's name a range (6.1.31), or "". Words
// are told apart by what is in no version: space, brackets and the like.
func rangeWord(name string) string {
	if i := strings.IndexAny(name, "<>"); i >= 0 {
		return name[i : i+1]
	}
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.+~", c)
	}) {
		if word = strings.Trim(word, "-_.+~"); rangeWords[word] {
			return word
		}
	}
	return ""
}
