package ingest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory"
)

// Limits say from which change on a run is held. The zero value has the defaults.
type Limits struct {
	// ShrinkPercent is how many percent of the released records may vanish, be
	// withdrawn, or lose all their packages. Default: 10.
	ShrinkPercent int
	// ShrinkMin is how many may in any case. Default: 20.
	ShrinkMin int
	// SetBack is how many documents may be set back: to a revision whose changed
	// records were all modified earlier. Default: 0.
	SetBack int
}

// hold says why a run must not become current, or "".
func (l Limits) hold(c *advisory.Comparison) string {
	if c.Released == 0 {
		return ""
	}
	most := max(cmp.Or(l.ShrinkMin, 20), c.Before*cmp.Or(l.ShrinkPercent, 10)/100)
	var why []string
	for _, f := range []struct {
		what string
		n    int
	}{{"fewer records", c.Before - c.Now}, {"records withdrawn", c.Withdrawn}, {"records without any package where there was one", c.Emptied}} {
		if f.n > most {
			why = append(why, fmt.Sprintf("%d %s, of %d; at most %d are expected", f.n, f.what, c.Before, most))
		}
	}
	if c.Back > l.SetBack {
		why = append(why, fmt.Sprintf("%d documents were set back to earlier revisions, such as %.200s; at most %d are expected", c.Back, c.Example, l.SetBack))
	}
	return strings.Join(why, "; ")
}
