package cvss

// The metrics of version 4.0. The values of a modified metric are "not
// defined" and then those of the metric that it modifies; MSI and MSA have
// safety as well.
//
// Source: CVSS v4.0 specification, §7 (vector string) and §8 (scoring).
var metrics4 = []metric{
	{"AV", base, []string{"N", "A", "L", "P"}},
	{"AC", base, []string{"L", "H"}},
	{"AT", base, []string{"N", "P"}},
	{"PR", base, []string{"N", "L", "H"}},
	{"UI", base, []string{"N", "P", "A"}},
	{"VC", base, []string{"H", "L", "N"}},
	{"VI", base, []string{"H", "L", "N"}},
	{"VA", base, []string{"H", "L", "N"}},
	{"SC", base, []string{"H", "L", "N"}},
	{"SI", base, []string{"H", "L", "N"}},
	{"SA", base, []string{"H", "L", "N"}},
	{"E", threat, []string{"X", "A", "P", "U"}},
	{"CR", environmental, []string{"X", "H", "M", "L"}},
	{"IR", environmental, []string{"X", "H", "M", "L"}},
	{"AR", environmental, []string{"X", "H", "M", "L"}},
	{"MAV", environmental, []string{"X", "N", "A", "L", "P"}},
	{"MAC", environmental, []string{"X", "L", "H"}},
	{"MAT", environmental, []string{"X", "N", "P"}},
	{"MPR", environmental, []string{"X", "N", "L", "H"}},
	{"MUI", environmental, []string{"X", "N", "P", "A"}},
	{"MVC", environmental, []string{"X", "H", "L", "N"}},
	{"MVI", environmental, []string{"X", "H", "L", "N"}},
	{"MVA", environmental, []string{"X", "H", "L", "N"}},
	{"MSC", environmental, []string{"X", "H", "L", "N"}},
	{"MSI", environmental, []string{"X", "H", "L", "N", "S"}},
	{"MSA", environmental, []string{"X", "H", "L", "N", "S"}},
	{"S", supplemental, []string{"X", "N", "P"}},
	{"AU", supplemental, []string{"X", "N", "Y"}},
	{"R", supplemental, []string{"X", "A", "U", "I"}},
	{"V", supplemental, []string{"X", "D", "C"}},
	{"RE", supplemental, []string{"X", "L", "M", "H"}},
	{"U", supplemental, []string{"X", "Clear", "Green", "Amber", "Red"}},
}

// levels are the severity levels of the metrics that count, 0 the worst, a step
// of 0.1 apart (v4.0 §8.2).
type levels struct {
	av, pr, ui             int
	ac, at                 int
	vc, vi, va, cr, ir, ar int
	sc, si, sa             int // high is 1, safety 0
	e                      int
}

func (v Vector) levels() levels {
	x := &v.values
	modified := func(metric, by int) int {
		if x[by] != 0 {
			return int(x[by]) - 1
		}
		return int(x[metric])
	}
	subsequent := func(metric, by int) int {
		if n := modified(metric, by); n < 3 {
			return n + 1
		}
		return 0 // safety
	}
	worst := func(metric int) int { return max(int(x[metric])-1, 0) } // not defined counts as the worst
	return levels{
		av: modified(0, 15), ac: modified(1, 16), at: modified(2, 17), pr: modified(3, 18), ui: modified(4, 19),
		vc: modified(5, 20), vi: modified(6, 21), va: modified(7, 22),
		sc: subsequent(8, 23), si: subsequent(9, 24), sa: subsequent(10, 25),
		e: worst(11), cr: worst(12), ir: worst(13), ar: worst(14),
	}
}

// macro is a MacroVector: the level of each set of equivalent vectors, of
// which EQ3 and EQ6 depend on each other (v4.0 §8.1, tables 24 to 30).
type macro struct{ eq1, eq2, eq3, eq4, eq5, eq6 int }

func (l levels) macro() macro {
	m := macro{eq1: 2, eq2: 1, eq3: 2, eq4: 2, eq5: l.e, eq6: 1}
	switch {
	case l.av == 0 && l.pr == 0 && l.ui == 0:
		m.eq1 = 0
	case (l.av == 0 || l.pr == 0 || l.ui == 0) && l.av != 3:
		m.eq1 = 1
	}
	if l.ac == 0 && l.at == 0 {
		m.eq2 = 0
	}
	switch {
	case l.vc == 0 && l.vi == 0:
		m.eq3 = 0
	case l.vc == 0 || l.vi == 0 || l.va == 0:
		m.eq3 = 1
	}
	switch {
	case l.si == 0 || l.sa == 0:
		m.eq4 = 0
	case l.sc == 1 || l.si == 1 || l.sa == 1:
		m.eq4 = 1
	}
	if l.cr+l.vc == 0 || l.ir+l.vi == 0 || l.ar+l.va == 0 {
		m.eq6 = 0
	}
	return m
}

// score4 is the MacroVector's score less the mean, over the sets that have a
// next lower level, of the part of the way there that the vector has gone. A
// score that is exactly half way between two tenths is rounded up, which
// calculators that use floating point sometimes miss.
func (v Vector) score4() Score {
	l := v.levels()
	if l.vc == 2 && l.vi == 2 && l.va == 2 && l.sc == 3 && l.si == 3 && l.sa == 3 {
		return 0
	}
	m := l.macro()
	score, _ := m.score()
	const unit = 840 // a multiple of every depth
	var lower, taken int
	for _, step := range m.steps(l) {
		next, ok := step.next.score()
		if !ok {
			continue
		}
		lower++
		taken += (score - next) * step.distance * (unit / step.depth)
	}
	if lower == 0 {
		return Score(score)
	}
	return Score(round(int64(score*unit*lower-taken), int64(unit*lower)))
}

// step is one way to a lower MacroVector.
type step struct {
	next     macro
	depth    int // levels that the set spans
	distance int // levels from the set's worst vector to this one
}

func (m macro) steps(l levels) [5]step {
	eq1, eq2, eq4, eq5 := m, m, m, m
	eq1.eq1++
	eq2.eq2++
	eq4.eq4++
	eq5.eq5++
	return [5]step{
		{eq1, depth1[m.eq1], distance(worst1[m.eq1], l.av, l.pr, l.ui)},
		{eq2, depth2[m.eq2], distance(worst2[m.eq2], l.ac, l.at)},
		{m.lower36(), depth36[m.eq3][m.eq6], distance(worst36[m.eq3][m.eq6], l.vc, l.vi, l.va, l.cr, l.ir, l.ar)},
		{eq4, depth4[m.eq4], distance(worst4[m.eq4], l.sc, l.si, l.sa)},
		{eq5, 1, 0}, // the set has one vector
	}
}

// lower36 is the next lower MacroVector by EQ3 and EQ6; of two the worse.
func (m macro) lower36() macro {
	left, right := m, m
	left.eq6++
	right.eq3++
	switch {
	case m.eq3 == 0 && m.eq6 == 0:
		l, _ := left.score()
		if r, _ := right.score(); r > l {
			return right
		}
		return left
	case m.eq3 == 1 && m.eq6 == 0:
		return left
	}
	return right
}

// distance is the number of levels between the first of the worst vectors of a
// set that is worse in every metric and the given levels.
func distance(worst [][6]int, at ...int) int {
	for _, w := range worst {
		sum, ok := 0, true
		for i, level := range at {
			ok = ok && level >= w[i]
			sum += level - w[i]
		}
		if ok {
			return sum
		}
	}
	return 0
}
