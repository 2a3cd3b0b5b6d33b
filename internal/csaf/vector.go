package csaf

import "strings"

// vector holds the metrics of a CVSS vector by name. Of a metric that is there
// twice the last value counts.
type vector map[string]string

// readVector reads a vector after its prefix. It reports whether all metrics
// and values are those of the version, as the schemas ask for; they may repeat,
// and any may be missing.
func readVector(s, prefix string, properties []property) (vector, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return nil, false
	}
	v := vector{}
	for part := range strings.SplitSeq(rest, "/") {
		name, value, _ := strings.Cut(part, ":")
		p := metricNamed(properties, name)
		if p == nil || p.long(value) == "" {
			return nil, false
		}
		v[name] = value
	}
	return v, true
}

func metricNamed(properties []property, name string) *property {
	for i := range properties {
		if properties[i].metric == name {
			return &properties[i]
		}
	}
	return nil
}

// write gives the vector of the metrics in their order.
func (v vector) write(prefix string, properties []property) string {
	var b strings.Builder
	b.WriteString(prefix)
	for _, p := range properties {
		if value, ok := v[p.metric]; ok {
			if b.Len() > len(prefix) {
				b.WriteByte('/')
			}
			b.WriteString(p.metric + ":" + value)
		}
	}
	return b.String()
}
