package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
)

// Kind is what values a fact has, and how conditions compare it.
type Kind string

// The kinds. In expressions a text is a string, texts are a list of strings, a
// severity and a number are an int, a flag is a bool, and labels are a map.
const (
	KindText     Kind = "text"     // Is
	KindTexts    Kind = "texts"    // Is: one of them
	KindPURL     Kind = "purl"     // Matches; Is
	KindSeverity Kind = "severity" // Is, AtLeast, AtMost, Above, Below; none is 1, critical 5
	KindNumber   Kind = "number"   // Is, AtLeast, AtMost, Above, Below
	KindFlag     Kind = "flag"     // Is "true" or "false"
	KindLabels   Kind = "labels"   // Is "key" or "key=value"
)

// Field is a fact that rules can ask about.
type Field struct {
	Name string
	Kind Kind
	// Scale is how many decimal places a number is kept with: in expressions 7.5 of a
	// field with one decimal is 75.
	Scale int
	// Image says that it is the same for all findings of an image.
	Image bool
	// Of says what it is a fact of; nil for findings alone. What Image says is a fact of
	// everything.
	Of []About
	// Unknown is the word by which conditions ask whether it is unknown; "" where they
	// cannot. Other conditions are unknown then.
	Unknown string
	// Doc says what it is, in one line.
	Doc string

	place  int    // in the list of all
	member string // how traces begin it: "name":
	fold   bool   // compared in any case
	get    func(f *evaluated) value
}

// value is what a fact is. The zero value is unknown.
type value struct {
	known  bool
	text   string
	list   []string
	number int64
	flag   bool
	labels map[string]string
}

func textOf(s string) value           { return value{known: true, text: s} }
func orUnknown(s string) value        { return value{known: s != "", text: s} }
func listOf(l []string) value         { return value{known: true, list: l} }
func numberOf(n int64, ok bool) value { return value{known: ok, number: n} }
func flagOf(b, ok bool) value         { return value{known: ok, flag: b} }

// Fields returns the facts, sorted by name. The caller must not change the list.
func Fields() []Field { return fieldList }

// FieldByName returns a fact, nil where there is none of that name.
func FieldByName(name string) *Field {
	_, f := fieldIndex(name)
	return f
}

// fieldIndex returns a fact with its place in the list.
func fieldIndex(name string) (int, *Field) {
	low, high := 0, len(fieldList)
	for low < high {
		if mid := (low + high) / 2; fieldList[mid].Name < name {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(fieldList) || fieldList[low].Name != name {
		return 0, nil
	}
	return low, &fieldList[low]
}

// maxFields bounds the facts that there may be.
const maxFields = 64

// fact returns the fact at a place of the list, found out once for each finding.
func (f *evaluated) fact(i int) *value {
	if f.have&(1<<i) == 0 {
		f.have |= 1 << i
		// What is written is only what the kind has: the collector hears of each pointer.
		x, to := fieldList[i].get(f), &f.facts[i]
		to.known = x.known
		switch fieldList[i].Kind {
		case KindText, KindPURL:
			to.text = x.text
		case KindTexts:
			to.list = x.list
		case KindLabels:
			to.labels = x.labels
		case KindFlag:
			to.flag = x.flag
		default:
			to.number = x.number
		}
	}
	return &f.facts[i]
}

var fieldList = sortedFields(findingFields, packageFields, vexFields, itemFields, imageFields)

// IsOf reports whether it is a fact of what a rule is about.
func (f *Field) IsOf(a About) bool {
	return f.Image || slices.Contains(f.Of, a) || a == AboutFinding && len(f.Of) == 0
}

// everywhere are those of which there is a place in the image.
var everywhere = []About{AboutFinding, AboutSecret, AboutFile}

func sortedFields(lists ...[]Field) []Field {
	out := slices.Concat(lists...)
	slices.SortFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for i := range out {
		out[i].place, out[i].member = i, `"`+out[i].Name+`":`
	}
	return out
}

var findingFields = []Field{
	{Name: "vulnerability", Kind: KindTexts, fold: true, Doc: "the vulnerability's id and its aliases", get: func(f *evaluated) value { return listOf(f.ids) }},
	{Name: "advisory", Kind: KindText, fold: true, Doc: "id of the record that says so", get: func(f *evaluated) value { return textOf(f.Advisory) }},
	{Name: "ecosystem", Kind: KindText, Doc: "ecosystem of the record, such as Debian:12", get: func(f *evaluated) value { return orUnknown(f.Evidence.Ecosystem) }},
	{Name: "severity", Kind: KindSeverity, Doc: "the severity that counts", get: func(f *evaluated) value {
		return numberOf(int64(f.severity.Rank()), f.severity != finding.Unknown)
	}},
	{Name: "severity_from", Kind: KindText, Doc: "who rated it so", get: func(f *evaluated) value { return orUnknown(f.SeverityFrom) }},
	{Name: "severities", Kind: KindTexts, Doc: "every rating as source=severity, such as nvd=high", get: func(f *evaluated) value { return listOf(f.run.severities(f.Finding)) }},
	{Name: "cvss", Kind: KindNumber, Scale: 1, Doc: "the highest CVSS base score", get: func(f *evaluated) value {
		s := f.run.highestCVSS(f.Finding)
		return numberOf(int64(s.tenths), s.ok)
	}},
	{Name: "cvss_vector", Kind: KindText, Doc: "the vector of that score", get: func(f *evaluated) value {
		return orUnknown(f.run.highestCVSS(f.Finding).vector)
	}},
	{Name: "epss", Kind: KindNumber, Scale: 6, Doc: "the probability of exploitation within 30 days", get: func(f *evaluated) value {
		n, ok := Decimal(f.EPSS, 6)
		if f.EPSS == "" { // where there is data, what it does not list has none
			return numberOf(0, slices.Contains(f.in.Signals, "epss"))
		}
		return numberOf(n, ok)
	}},
	{Name: "kev", Kind: KindFlag, Doc: "whether it is listed as exploited", get: func(f *evaluated) value {
		return flagOf(f.Exploited != "", f.Exploited != "" || slices.Contains(f.in.Signals, "kev"))
	}},
	{Name: "fix", Kind: KindText, Doc: "available, none, or what the database decided: will_not_fix, fix_deferred, end_of_life, under_investigation, unimportant", get: func(f *evaluated) value {
		switch {
		case len(f.Fixed) > 0:
			return textOf("available")
		case f.FixStatus != "":
			return textOf(f.FixStatus)
		}
		return textOf("none")
	}},
	{Name: "age", Kind: KindNumber, Doc: "days since the vulnerability was published", get: func(f *evaluated) value { return days(f.Published, f.in.At) }},
}

var packageFields = []Field{
	{Name: "purl", Kind: KindPURL, Doc: "the package URL", get: func(f *evaluated) value { return orUnknown(f.PURL) }},
	{Name: "name", Kind: KindText, Doc: "the package's name", get: func(f *evaluated) value { return textOf(f.Name) }},
	{Name: "version", Kind: KindText, Doc: "the package's version", get: func(f *evaluated) value { return orUnknown(f.Version) }},
	{Name: "type", Kind: KindText, Doc: "the package URL's type, such as deb or npm", get: func(f *evaluated) value { return orUnknown(f.pkg.typ) }},
	{Name: "license", Kind: KindTexts, Doc: "licence expressions that the package declares", get: func(f *evaluated) value { return value{known: f.pkg.known, list: f.pkg.licenses} }},
	{Name: "scope", Kind: KindText, Doc: "runtime, dev or optional", get: func(f *evaluated) value { return value{known: f.pkg.known, text: f.pkg.scope} }},
	{Name: "usage", Kind: KindText, Unknown: "unknown", Doc: "whether what the image starts leads to the package: reached or unreached", get: func(f *evaluated) value { return orUnknown(f.pkg.usage) }},
	{Name: "path", Kind: KindTexts, Of: everywhere, Doc: "where it lies", get: func(f *evaluated) value { return value{known: f.pkg.known, list: f.pkg.paths} }},
	{Name: "layer", Kind: KindNumber, Of: everywhere, Doc: "the layer that brought it, the base's first is 0", get: func(f *evaluated) value {
		return numberOf(int64(f.pkg.layer), f.pkg.layer >= 0)
	}},
	{Name: "in_base", Kind: KindFlag, Of: everywhere, Doc: "whether a layer of the base image brought it", get: func(f *evaluated) value {
		base := f.in.Subject.BaseLayers
		return flagOf(f.pkg.layer < base, f.pkg.layer >= 0 && base > 0)
	}},
}

var vexFields = []Field{
	{Name: "vex", Kind: KindText, Doc: "what suppliers say: not_affected, affected, fixed, under_investigation or none", get: func(f *evaluated) value {
		if f.consensus.Status == "" {
			return textOf("none")
		}
		return textOf(string(f.consensus.Status))
	}},
	{Name: "vex_disputed", Kind: KindFlag, Doc: "whether they contradict each other", get: func(f *evaluated) value { return flagOf(f.consensus.Disputed, true) }},
	{Name: "vex_signed", Kind: KindFlag, Doc: "whether what decides is signed", get: func(f *evaluated) value { return flagOf(f.consensus.Signed, true) }},
	{Name: "vex_tier", Kind: KindNumber, Doc: "the tier that decides, 0 for none", get: func(f *evaluated) value { return numberOf(int64(f.consensus.Tier), true) }},
	{Name: "vex_issuer", Kind: KindTexts, Doc: "who decides", get: func(f *evaluated) value { return listOf(f.deciders()) }},
	{Name: "vex_justification", Kind: KindTexts, Doc: "why it is not affected", get: func(f *evaluated) value { return listOf(f.justifications()) }},
}

var itemFields = []Field{
	{Name: "secret", Kind: KindText, Of: []About{AboutSecret}, Doc: "id of the rule that found the secret", get: func(f *evaluated) value { return textOf(f.item.Secret) }},
	{Name: "removed", Kind: KindFlag, Of: []About{AboutSecret}, Doc: "whether a layer above deletes or replaces the file: whoever has the image has the secret all the same", get: func(f *evaluated) value {
		return flagOf(f.pkg.removed, true)
	}},
	{Name: "file_kind", Kind: KindText, Of: []About{AboutFile}, Doc: "executable, shared-object or script", get: func(f *evaluated) value { return orUnknown(f.pkg.kind) }},
	{Name: "file_mode", Kind: KindText, Of: []About{AboutFile}, Doc: "its permission bits in octal, such as 755 or 4755", get: func(f *evaluated) value { return orUnknown(f.pkg.mode) }},
	{Name: "file_digest", Kind: KindTexts, Of: []About{AboutFile}, Doc: "digests of its content, such as sha256:…", get: func(f *evaluated) value {
		return value{known: len(f.pkg.digests) > 0, list: f.pkg.digests}
	}},
}

var imageFields = []Field{
	{Name: "secrets", Kind: KindNumber, Image: true, Doc: "how many secrets there are, removed ones among them", get: func(f *evaluated) value {
		return numberOf(int64(len(f.in.Secrets)), f.in.Looked.Secrets)
	}},
	{Name: "files", Kind: KindNumber, Image: true, Doc: "how many files there are that no package accounts for", get: func(f *evaluated) value {
		return numberOf(int64(len(f.run.files)), f.in.Looked.Programs)
	}},
	{Name: "environment", Kind: KindText, Image: true, Doc: "the environment that is decided for", get: func(f *evaluated) value { return textOf(f.in.Environment) }},
	{Name: "image", Kind: KindTexts, Image: true, Doc: "names of the image", get: func(f *evaluated) value {
		return value{known: len(f.in.Subject.Image.Names) > 0, list: f.in.Subject.Image.Names}
	}},
	{Name: "image_digest", Kind: KindTexts, Image: true, Doc: "digests of the image", get: func(f *evaluated) value {
		return value{known: len(f.in.Subject.Image.Digests) > 0, list: f.in.Subject.Image.Digests}
	}},
	{Name: "image_age", Kind: KindNumber, Image: true, Doc: "days since the image was made", get: func(f *evaluated) value { return days(f.in.Subject.Created, f.in.At) }},
	{Name: "base_image", Kind: KindTexts, Image: true, Doc: "names of the base image", get: func(f *evaluated) value {
		return value{known: len(f.in.Subject.Base) > 0, list: f.in.Subject.Base}
	}},
	{Name: "label", Kind: KindLabels, Image: true, Doc: "labels of the image", get: func(f *evaluated) value {
		return value{known: f.in.Subject.Labels != nil, labels: f.in.Subject.Labels}
	}},
	{Name: "os", Kind: KindText, Image: true, Doc: "the distribution, such as debian-12", get: func(f *evaluated) value { return orUnknown(f.in.Subject.OS) }},
	{Name: "gap", Kind: KindTexts, Image: true, Doc: "codes of what was not assessed", get: func(f *evaluated) value { return listOf(f.run.gapCodes) }},
}

// days counts whole days from an RFC 3339 time.
func days(from string, at time.Time) value {
	t, err := time.Parse(time.RFC3339, from)
	if err != nil || t.Year() < 1970 { // a zero time is none
		return value{}
	}
	return numberOf(int64(at.Sub(t)/(24*time.Hour)), true)
}

// nextDay is when days counts one more.
func nextDay(from string, at time.Time) time.Time {
	t, err := time.Parse(time.RFC3339, from)
	if err != nil || t.Year() < 1970 {
		return time.Time{}
	}
	if at.Before(t) {
		return t
	}
	return t.Add((at.Sub(t)/(24*time.Hour) + 1) * 24 * time.Hour).UTC()
}

// severities lists the ratings of a finding as source=severity.
func (r *run) severities(f *finding.Finding) []string {
	out := make([]string, 0, 1+len(f.Scores))
	add := func(source string, s finding.Severity) {
		if s == finding.Unknown {
			return
		}
		pair := [2]string{source, string(s)}
		text, known := r.ratings[pair]
		if !known {
			text = strings.ToLower(source) + "=" + string(s)
			r.ratings[pair] = text
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	add(f.SeverityFrom, f.Severity)
	for _, s := range f.Scores {
		if v := r.score(s.Value); v.ok {
			add(s.Source, rating(v.tenths))
		} else if sev, ok := finding.ParseSeverity(s.Value); ok {
			add(s.Source, sev)
		}
	}
	slices.Sort(out)
	return out
}

// scored is a CVSS vector with its score.
type scored struct {
	vector string
	tenths int
	ok     bool
}

// score reads a vector. Few are in use, so they are remembered.
func (r *run) score(vector string) scored {
	s, known := r.scores[vector]
	if !known {
		v, err := cvss.Parse(vector)
		s = scored{vector, int(v.Score()), err == nil}
		r.scores[vector] = s
	}
	return s
}

// rating is the severity of a score in tenths (CVSS v3.1 §5).
func rating(tenths int) finding.Severity {
	switch {
	case tenths >= 90:
		return finding.Critical
	case tenths >= 70:
		return finding.High
	case tenths >= 40:
		return finding.Medium
	case tenths > 0:
		return finding.Low
	}
	return finding.None
}

// highestCVSS returns the highest score, by the first vector that has it.
func (r *run) highestCVSS(f *finding.Finding) (best scored) {
	for _, x := range f.Scores {
		if s := r.score(x.Value); s.ok && (!best.ok || s.tenths > best.tenths) {
			best = s
		}
	}
	return best
}

// Decimal reads a decimal text as an integer of the given number of decimal places;
// further ones are cut off. ok is false for what is none.
func Decimal(s string, places int) (n int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	negative := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	if whole == "" || len(whole) > 12 || len(fraction) > 40 {
		return 0, false
	}
	fraction = (fraction + strings.Repeat("0", places))[:places]
	for _, c := range whole + fraction {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
