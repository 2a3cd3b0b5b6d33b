package csaf

// testTables performs 6.1.11 to 6.1.13: weaknesses, languages and package URLs
// are what their own standards know.
func (v *validator) testTables() {
	for i, u := range v.doc.Vulnerabilities {
		if u.CWE == nil {
			continue
		}
		if why := weaknessFault(*u.CWE); why != "" {
			v.fail("6.1.11", at("vulnerabilities", i, "cwe"), "%s", why)
		}
	}
	for _, l := range v.languages() {
		if why := languageFault(l.tag); why != "" {
			v.fail("6.1.12", l.pointer, "%s", why)
		}
	}
	v.tree.each(func(d definition) bool {
		if h := d.name.Helper; h != nil && h.PURL != "" {
			if why := purlFault(h.PURL); why != "" {
				v.fail("6.1.13", d.pointer()+"/product_identification_helper/purl", "%.200q: %s", h.PURL, why)
			}
		}
		return true
	})
}

type languageAt struct{ pointer, tag string }

// languages are the language tags that are there.
func (v *validator) languages() (out []languageAt) {
	if l := v.doc.Head.Lang; l != "" {
		out = append(out, languageAt{"/document/lang", l})
	}
	if l := v.doc.Head.SourceLang; l != "" {
		out = append(out, languageAt{"/document/source_lang", l})
	}
	return out
}
