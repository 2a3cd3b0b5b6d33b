package csaf

// ProductTree defines the products that the document speaks of.
//
// Source: CSAF 2.0, section 3.2.2; CSAF 2.1 (draft), section 3.2.3.
type ProductTree struct {
	Branches         []Branch          `json:"branches,omitzero"`
	FullProductNames []FullProductName `json:"full_product_names,omitzero"`
	ProductGroups    []ProductGroup    `json:"product_groups,omitzero"`
	Relationships    []Relationship    `json:"relationships,omitzero"` // 2.0
	ProductPaths     []ProductPath     `json:"product_paths,omitzero"` // 2.1
}

// Branch is a level of the tree: it has further branches or a product.
type Branch struct {
	Branches []Branch         `json:"branches,omitzero"`
	Category string           `json:"category"`
	Name     string           `json:"name"`
	Product  *FullProductName `json:"product,omitzero"`
}

// FullProductName defines a product and its id within the document.
type FullProductName struct {
	Name      string  `json:"name"`
	ProductID string  `json:"product_id"`
	Helper    *Helper `json:"product_identification_helper,omitzero"`
}

// Helper identifies a product outside of the document.
type Helper struct {
	CPE           string       `json:"cpe,omitzero"`
	Hashes        []FileHashes `json:"hashes,omitzero"`
	ModelNumbers  []string     `json:"model_numbers,omitzero"`
	PURL          string       `json:"purl,omitzero"`  // 2.0
	PURLs         []string     `json:"purls,omitzero"` // 2.1
	SBOMURLs      []string     `json:"sbom_urls,omitzero"`
	SerialNumbers []string     `json:"serial_numbers,omitzero"`
	SKUs          []string     `json:"skus,omitzero"`
	GenericURIs   []GenericURI `json:"x_generic_uris,omitzero"`
}

// PackageURLs returns the package URLs of either version, as written; none for
// a nil Helper.
func (h *Helper) PackageURLs() []string {
	switch {
	case h == nil:
		return nil
	case h.PURL != "":
		return append([]string{h.PURL}, h.PURLs...)
	}
	return h.PURLs
}

// FileHashes are the digests of one file.
type FileHashes struct {
	FileHashes []FileHash `json:"file_hashes"`
	Filename   string     `json:"filename"`
}

// FileHash is a digest in hexadecimal digits.
type FileHash struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

// GenericURI is an identifier of a kind that the standard does not know.
type GenericURI struct {
	Namespace string `json:"namespace"`
	URI       string `json:"uri"`
}

// ProductGroup names several products at once.
type ProductGroup struct {
	GroupID    string   `json:"group_id"`
	ProductIDs []string `json:"product_ids"`
	Summary    string   `json:"summary,omitzero"`
}

// Relationship defines a product as one that stands in a relation to another:
// ProductReference is, for instance, the default component of
// RelatesToProductReference.
type Relationship struct {
	Category                  string          `json:"category"`
	FullProductName           FullProductName `json:"full_product_name"`
	ProductReference          string          `json:"product_reference"`
	RelatesToProductReference string          `json:"relates_to_product_reference"`
}

// ProductPath is what CSAF 2.1 has for relationships: a product that is
// contained in a second one, which is contained in a third one, and so on.
type ProductPath struct {
	Beginning       string          `json:"beginning_product_reference"`
	FullProductName FullProductName `json:"full_product_name"`
	Subpaths        []Subpath       `json:"subpaths"`
}

// Subpath is a step of a [ProductPath].
type Subpath struct {
	Category string `json:"category"`
	Next     string `json:"next_product_reference"`
}
