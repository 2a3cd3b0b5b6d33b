package cvss

// version is a version of the specification, in order.
type version uint8

const (
	none version = iota
	v2
	v30
	v31
	v40
)

// String returns the version's number; empty for none.
func (v version) String() string {
	return [...]string{none: "", v2: "2.0", v30: "3.0", v31: "3.1", v40: "4.0"}[v]
}

// ordered reports whether metrics must be in the order of the specification.
func (v version) ordered() bool { return v == v2 || v == v40 }

// metrics returns the version's metrics in order.
func (v version) metrics() []metric {
	switch v {
	case v2:
		return metrics2
	case v30, v31:
		return metrics3
	case v40:
		return metrics4
	}
	return nil
}

// group is a group of metrics.
type group uint8

const (
	base group = iota // every vector has all of these
	threat
	environmental
	supplemental
	groups
)

// metric is one metric and its values. The first value of one outside the base
// group stands for "not defined".
type metric struct {
	name   string
	group  group
	values []string
}

// index returns the index of a value, or -1.
func (m *metric) index(value string) int {
	for i, v := range m.values {
		if v == value {
			return i
		}
	}
	return -1
}

// find returns the index of the metric of that name, or -1.
func find(metrics []metric, name string) int {
	for i := range metrics {
		if metrics[i].name == name {
			return i
		}
	}
	return -1
}

// maxMetrics is the number of metrics of version 4.0, which has the most.
const maxMetrics = 32
