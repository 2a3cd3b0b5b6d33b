package sbom

// Names of Tools by which a document says what was looked for: where there is none
// of that name and nothing was found, nobody looked. A tool's version names the
// rules.
const (
	ToolSecrets  = "stella-secrets"  // Document.Secrets
	ToolPrograms = "stella-programs" // packages of TypeFile, and Package.Usage
)

// Looked is what a document says was looked for.
type Looked struct {
	Secrets  bool
	Programs bool // files that no package accounts for
}

// Looked tells what was looked for by what there is, and by the tools.
func (d *Document) Looked() Looked {
	out := Looked{Secrets: len(d.Secrets) > 0}
	for i := range d.Packages {
		out.Programs = out.Programs || d.Packages[i].Type == TypeFile || d.Packages[i].Usage != nil
	}
	for _, t := range d.Tools {
		out.Secrets = out.Secrets || t.Name == ToolSecrets
		out.Programs = out.Programs || t.Name == ToolPrograms
	}
	return out
}
