package finding

// Key is what matching asks a view about a package: an ecosystem and a name in
// it.
type Key struct {
	// Ecosystem is without its release: "Debian", "npm"; "CPE" for names of CPEs.
	Ecosystem string `json:"ecosystem"`
	// Name is in the form by which the ecosystem tells packages apart.
	Name string `json:"name"`
}

// PackageKey is one package as an index keeps it: what it is asked about, and
// what matching reads of it, so that it can be matched again without its SBOM.
type PackageKey struct {
	Package string `json:"package"` // the package's ID in its document
	// Keys are sorted and without repetition. Nil means that nothing is ever
	// asked about the package.
	Keys []Key `json:"keys,omitempty"`
	// Fact is canonical JSON that package advisory reads. Equal facts have equal
	// findings in every view. It is empty where Keys is.
	Fact string `json:"fact,omitempty"`
}
