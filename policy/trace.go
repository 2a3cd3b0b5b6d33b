package policy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// Trace is how a verdict came about: what was asked, what the facts were, what each
// rule answered, who said what, and which exceptions were considered. Package
// policy/verify recomputes the verdict from it.
type Trace struct {
	Schema  string  `json:"schema"`
	Outcome Outcome `json:"outcome"`
	Because string  `json:"because,omitempty"`
	// Decisions are about the findings, in their order.
	Decisions []Decided `json:"decisions"`
	// Items are what was decided beside findings: the image, secrets and files, each
	// sorted by path. Facts has how many there are; null says that nobody looked.
	Items []Item `json:"items,omitempty"`
	// Gaps are all that was not assessed, sorted; Assessed says that there was
	// advisory data.
	Gaps     []sbom.Gap `json:"gaps,omitempty"`
	Assessed bool       `json:"assessed"`
	// Facts are those that rules read and that are the same for all findings: null
	// for an unknown one.
	Facts map[string]jsontext.Value `json:"facts,omitempty"`
	// Exceptions are those whose scope covers a finding.
	Exceptions []Exception `json:"exceptions,omitempty"`
	Policy     *Policy     `json:"policy"`

	Environment string    `json:"environment,omitempty"`
	Controls    []string  `json:"controls,omitempty"`
	At          time.Time `json:"at"`
	NextChange  time.Time `json:"next_change_at,omitzero"`
	Subject     Subject   `json:"subject"`
	Inputs      Digests   `json:"inputs"`
	Engine      Built     `json:"engine"`
}

// Decided is what was decided about one finding.
type Decided struct {
	Package       string   `json:"package"` // the package's ID in the SBOM
	Name          string   `json:"name"`
	Version       string   `json:"version,omitempty"`
	PURL          string   `json:"purl,omitempty"`
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases,omitempty"`
	Advisory      string   `json:"advisory"`
	Record        string   `json:"record,omitempty"` // digest of the advisory record
	Outcome       Outcome  `json:"outcome"`
	Gate          Gate     `json:"gate"`
	Rule          string   `json:"rule,omitempty"`
	Because       string   `json:"because,omitempty"`
	// Warnings are the rules that warned.
	Warnings []string `json:"warnings,omitempty"`
	// Facts are those that rules read: null for an unknown one. A severity and a
	// number are integers in the field's scale.
	Facts map[string]jsontext.Value `json:"facts,omitempty"`
	// Rules are those that were asked, in their order.
	Rules []AskedRule `json:"rules,omitempty"`
	VEX   *Heard      `json:"vex,omitempty"`
	// Before is what was decided before the exception that won; Exception is its id.
	Before    *Softened `json:"before,omitempty"`
	Exception string    `json:"exception,omitempty"`
	// Exceptions are those whose scope covers the finding, the winner first among
	// those that count.
	Exceptions []ConsideredException `json:"exceptions,omitempty"`
}

// Softened is a decision that an exception softened.
type Softened struct {
	Outcome Outcome     `json:"outcome"`
	Gate    Gate        `json:"gate"`
	Rule    string      `json:"rule,omitempty"`
	Because string      `json:"because,omitempty"`
	Rules   []AskedRule `json:"rules,omitempty"`
}

// AskedRule is what a rule answered: "yes", "no", "unknown" or "error". By is the
// index of the condition that decided, -1 where all hold. Its JSON is an array of the
// three: ["kev","no",0].
type AskedRule struct {
	Rule string
	Is   string
	By   int
}

// MarshalJSON writes the three.
func (a AskedRule) MarshalJSON() ([]byte, error) {
	b := append(append([]byte("["), quoted(a.Rule)...), ',')
	b = append(append(b, quoted(a.Is)...), ',')
	return append(strconv.AppendInt(b, int64(a.By), 10), ']'), nil
}

// UnmarshalJSON reads the three, and nothing else.
func (a *AskedRule) UnmarshalJSON(text []byte) error {
	var list []jsontext.Value
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list) != 3 {
		return fmt.Errorf("%d elements, want rule, answer and condition: %w", len(list), fault.Invalid)
	}
	return errors.Join(json.Unmarshal(list[0], &a.Rule), json.Unmarshal(list[1], &a.Is), json.Unmarshal(list[2], &a.By))
}

// ConsideredException is an exception and why it did not count; "" for the one that
// did.
type ConsideredException struct {
	ID  string `json:"id"`
	Why string `json:"why,omitempty"`
}

// Heard is what suppliers say.
type Heard struct {
	Status   string `json:"status,omitempty"` // "" where nobody decides
	Value    string `json:"value"`
	Tier     int    `json:"tier,omitzero"`
	Disputed bool   `json:"disputed,omitzero"`
	Signed   bool   `json:"signed,omitzero"`
	// Excused says that the finding is excused; Refused why an assurance does not.
	Excused bool   `json:"excused,omitzero"`
	Refused string `json:"refused,omitempty"`
	// Deciding and Against are indexes into Claims.
	Deciding []int      `json:"deciding,omitempty"`
	Against  []int      `json:"against,omitempty"`
	Claims   []Said     `json:"claims,omitempty"`
	Others   []NotMeant `json:"others,omitempty"` // about the vulnerability, and not about this
	Next     time.Time  `json:"next_change_at,omitzero"`
}

// Said is one claim with what it is worth.
type Said struct {
	Statement string    `json:"statement"` // ID
	Document  string    `json:"document"`  // digest
	Issuer    string    `json:"issuer,omitempty"`
	Tier      int       `json:"tier,omitzero"`
	Status    string    `json:"status"`
	Standing  string    `json:"standing"`
	Signed    bool      `json:"signed,omitzero"`
	Reason    string    `json:"justification,omitempty"`
	Time      time.Time `json:"time,omitzero"`
}

// NotMeant is a statement that does not apply.
type NotMeant struct {
	Statement string `json:"statement"`
	Why       string `json:"why"`
}

// DecodeTrace reads a trace. Unknown members are refused. An error wraps ErrInvalid,
// or ErrUnsupported for another schema.
func DecodeTrace(text []byte) (*Trace, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("trace: %v: %w", err, fault.Invalid)
	}
	if head.Schema != TraceSchema {
		return nil, fmt.Errorf("trace: schema %.80q, want %s: %w", head.Schema, TraceSchema, fault.Unsupported)
	}
	t := new(Trace)
	if err := json.Unmarshal(text, t, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("trace: %v: %w", err, fault.Invalid)
	}
	if t.Policy == nil {
		return nil, fmt.Errorf("trace: it has no policy: %w", fault.Invalid)
	}
	return t, nil
}
