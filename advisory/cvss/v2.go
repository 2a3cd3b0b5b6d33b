package cvss

// The metrics of version 2.0, with their weights in thousandths or hundredths.
//
// Source: A Complete Guide to the Common Vulnerability Scoring System 2.0, §2.4
// and §3.2.
var metrics2 = []metric{
	{"AV", base, []string{"L", "A", "N"}},
	{"AC", base, []string{"H", "M", "L"}},
	{"Au", base, []string{"M", "S", "N"}},
	{"C", base, []string{"N", "P", "C"}},
	{"I", base, []string{"N", "P", "C"}},
	{"A", base, []string{"N", "P", "C"}},
	{"E", threat, []string{"ND", "U", "POC", "F", "H"}},
	{"RL", threat, []string{"ND", "OF", "TF", "W", "U"}},
	{"RC", threat, []string{"ND", "UC", "UR", "C"}},
	{"CDP", environmental, []string{"ND", "N", "L", "LM", "MH", "H"}},
	{"TD", environmental, []string{"ND", "N", "L", "M", "H"}},
	{"CR", environmental, []string{"ND", "L", "M", "H"}},
	{"IR", environmental, []string{"ND", "L", "M", "H"}},
	{"AR", environmental, []string{"ND", "L", "M", "H"}},
}

// The weights of version 2.0; the unit is in the name.
var (
	accessVectorMilli = [...]int64{395, 646, 1000}
	complexity2Centi  = [...]int64{35, 61, 71}
	authMilli         = [...]int64{450, 560, 704}
	impact2Milli      = [...]int64{0, 275, 660}
	exploit2Centi     = [...]int64{100, 85, 90, 95, 100}
	remedy2Centi      = [...]int64{100, 87, 90, 95, 100}
	confidence2Centi  = [...]int64{100, 90, 95, 100}
	damageDeci        = [...]int64{0, 0, 1, 3, 4, 5}
	targetsCenti      = [...]int64{100, 0, 25, 75, 100}
	require2Centi     = [...]int64{100, 50, 100, 151}
)

// score2 is the base score, adjusted by the temporal metrics and, where one is
// defined, by the environmental ones.
func (v Vector) score2() Score {
	x := &v.values
	isEnvironmental := x[9] != 0 || x[10] != 0 || x[11] != 0 || x[12] != 0 || x[13] != 0
	score := v.temporal2(v.base2(isEnvironmental))
	if !isEnvironmental {
		return Score(score)
	}
	// (adjusted + (10-adjusted) × damage) × targets, in 10⁻⁴.
	raised := score*10 + (100-score)*damageDeci[x[9]]
	return Score(round(raised*targetsCenti[x[10]], 1000))
}

// base2 is the base score in tenths, its impact adjusted to the requirements
// where that is asked for.
func (v Vector) base2(isEnvironmental bool) int64 {
	x := &v.values
	kept := int64(1) // what is left of confidentiality × integrity × availability, in 10⁻¹⁵
	for i := range 3 {
		kept *= 1e5 - impact2Milli[x[3+i]]*require2Centi[x[11+i]]
	}
	impact := 1041 * ((1e15 - kept) / 1e6) // 10.41 × the loss, in 10⁻¹¹
	if isEnvironmental {
		impact = min(impact, 10e11)
	}
	if impact == 0 {
		return 0
	}
	exploitability := 20 * accessVectorMilli[x[0]] * complexity2Centi[x[1]] * authMilli[x[2]] // in 10⁻⁸
	sum := 6*impact + 4*exploitability*1000 - 15e11                                           // in 10⁻¹²
	return round(sum*1176, 1e14)                                                              // in 10⁻¹⁵
}

// temporal2 weighs a score in tenths by the temporal metrics.
func (v Vector) temporal2(score int64) int64 {
	x := &v.values
	return round(score*exploit2Centi[x[6]]*remedy2Centi[x[7]]*confidence2Centi[x[8]], 1e6)
}

// round divides n by unit, halves up.
func round(n, unit int64) int64 {
	if n < 0 {
		return 0
	}
	return (n + unit/2) / unit
}
