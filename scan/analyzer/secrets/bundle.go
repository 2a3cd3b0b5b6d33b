package secrets

// Format is the version of the bundle format that this package reads.
const Format = 1

// Bundle is a set of rules as it is written. Texts are UTF-8. Numbers that are 0 mean their
// defaults, lists may be empty.
type Bundle struct {
	Format  int    `json:"format"`  // Format
	Name    string `json:"name"`    // for people: lower case, digits, dashes and dots
	Version string `json:"version"` // for people, such as "2026.11"

	// MaxFile is the size in bytes from which on texts are not read, which is a gap.
	// Default 64 MiB.
	MaxFile int64 `json:"max_file,omitzero"`
	// Skip are globs of paths that are not read.
	Skip []string `json:"skip,omitempty"`
	// Stopwords and Allow say which secrets are none, whatever rule found them: those that
	// have one of the words among their first 200 bytes, without regard to ASCII case, or a
	// match of one of the expressions.
	Stopwords []string `json:"stopwords,omitempty"`
	Allow     []string `json:"allow,omitempty"`
	// Rules are in the order of precedence: where two find the same text, the first counts.
	Rules []Rule `json:"rules"`
}

// Rule says how one kind of secret looks.
type Rule struct {
	ID       string   `json:"id"`       // lower case, digits, dashes
	Title    string   `json:"title"`    // what it is, for people
	Severity Severity `json:"severity"` // how bad it is to have it lie around
	// Keywords decide where the rule looks: at lines that have one of them, without regard
	// to ASCII case. Each has 3 to 64 bytes.
	Keywords []string `json:"keywords"`
	// Regexp is in the syntax of package regexp. What its group of the name "secret"
	// matches is the secret, or else the whole match.
	Regexp string `json:"regexp"`
	// Lines is how many lines after the one with the keyword the expression sees too.
	Lines int `json:"lines,omitzero"`
	// Entropy is the least that a secret must have, in thousandths of a bit per byte
	// (Shannon), 0 to 8000. See Entropy.
	Entropy int `json:"entropy,omitzero"`
	// Max is how many findings of this rule are reported of one file; further ones are a
	// gap. Default 100.
	Max int `json:"max,omitzero"`
	// Paths are globs of the paths that the rule is for, all where there are none;
	// NotPaths are exceptions.
	Paths    []string `json:"paths,omitempty"`
	NotPaths []string `json:"not_paths,omitempty"`
	// Stopwords and Allow are as those of the bundle, for this rule.
	Stopwords []string `json:"stopwords,omitempty"`
	Allow     []string `json:"allow,omitempty"`
	Examples  Examples `json:"examples"`
}

// Examples are texts that show what a rule does. In them "<>" stands for nothing, and
// "<KIND N>" for N characters that look random and are always the same, so that a file of
// rules contains nothing that looks like a secret. The kinds are digit, hex, HEX, lower, upper,
// alnum, base32, base64 and base64url.
type Examples struct {
	Path  string   `json:"path,omitempty"` // of the file that has them; default "example"
	Match []string `json:"match"`          // the rule finds something in each
	Miss  []string `json:"miss"`           // the rule finds nothing in any
}

// Severity says how bad it is when a secret lies around.
type Severity string

// The severities, as those of vulnerabilities are called.
const (
	Critical Severity = "critical" // opens an account or a system to whoever has it
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low" // is of little use alone, or need not be one
)

const (
	defaultMaxFile = 64 << 20
	defaultMax     = 100
)
