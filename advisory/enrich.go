package advisory

import (
	"slices"

	"github.com/stella-ops/stella/advisory/finding"
)

// known is what is known of a vulnerability apart from the packages that have
// it.
type known struct {
	signals []Signal
	scores  []finding.Score // of the CVE records themselves
	rating  string
	from    string // the record of rating
}

// enrich adds to a finding what is known of its vulnerability: whether it is
// exploited, and, where no record that affects the package says how bad it is,
// what the CVE records say. The scores keep who says so.
func (r *run) enrich(f *finding.Finding) error {
	if !isCVE(f.Vulnerability) {
		return nil
	}
	k, err := r.knownOf(f.Vulnerability, f.Severity == finding.Unknown)
	if err != nil {
		return err
	}
	for _, s := range k.signals {
		if f.Exploited == "" && s.Exploited != "" {
			f.Exploited, f.ExploitedFrom = s.Exploited, s.Source
		}
		if f.EPSS == "" && s.EPSS != "" {
			f.EPSS, f.EPSSFrom = s.EPSS, s.Source
			if s.Day != "" {
				f.EPSSFrom += " " + s.Day
			}
		}
	}
	if f.Severity != finding.Unknown {
		return nil
	}
	for _, s := range k.scores {
		if !slices.Contains(f.Scores, s) {
			f.Scores = append(f.Scores, s)
		}
	}
	if v, s := highest(k.scores); v.Version() != "" {
		f.Severity, f.SeverityFrom = v.Severity(), s.Type+" "+v.Base().String()+" ("+s.Source+")"
	} else if sev, ok := finding.ParseSeverity(k.rating); ok {
		f.Severity, f.SeverityFrom = sev, "rating "+k.rating+" ("+k.from+")"
	}
	return nil
}

// knownOf looks a vulnerability up, once in a run.
func (r *run) knownOf(cve string, withScores bool) (known, error) {
	key := cve
	if withScores {
		key += "\x00"
	}
	if k, ok := r.known[key]; ok {
		return k, nil
	}
	var k known
	var err error
	if k.signals, err = r.view.Signals(r.ctx, cve); err != nil {
		return k, err
	}
	if withScores {
		if err := r.cveScores(&k, cve); err != nil {
			return k, err
		}
	}
	if r.known == nil {
		r.known = map[string]known{}
	}
	r.known[key] = k
	return k, nil
}

// cveScores collects what the records say whose own id is the CVE id.
func (r *run) cveScores(k *known, cve string) error {
	refs, err := r.view.Named(r.ctx, cve)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		record, err := r.view.Record(r.ctx, ref)
		if err != nil {
			return err
		}
		if record.ID != cve || record.Withdrawn != "" {
			continue
		}
		for _, s := range record.Scores {
			if s.Source == "" {
				s.Source = record.ID
			}
			if !slices.Contains(k.scores, s) {
				k.scores = append(k.scores, s)
			}
		}
		if k.rating == "" && record.Rating != "" {
			k.rating, k.from = record.Rating, record.ID
		}
	}
	return nil
}
