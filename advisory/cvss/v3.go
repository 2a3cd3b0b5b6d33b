package cvss

import "math/bits"

// The metrics of versions 3.0 and 3.1.
//
// Source: CVSS v3.0 and v3.1 specifications, §6 (vector string), §7
// (equations) and §7.4 (weights).
var metrics3 = []metric{
	{"AV", base, []string{"N", "A", "L", "P"}},
	{"AC", base, []string{"L", "H"}},
	{"PR", base, []string{"N", "L", "H"}},
	{"UI", base, []string{"N", "R"}},
	{"S", base, []string{"U", "C"}},
	{"C", base, []string{"N", "L", "H"}},
	{"I", base, []string{"N", "L", "H"}},
	{"A", base, []string{"N", "L", "H"}},
	{"E", threat, []string{"X", "U", "P", "F", "H"}},
	{"RL", threat, []string{"X", "O", "T", "W", "U"}},
	{"RC", threat, []string{"X", "U", "R", "C"}},
	{"CR", environmental, []string{"X", "L", "M", "H"}},
	{"IR", environmental, []string{"X", "L", "M", "H"}},
	{"AR", environmental, []string{"X", "L", "M", "H"}},
	{"MAV", environmental, []string{"X", "N", "A", "L", "P"}},
	{"MAC", environmental, []string{"X", "L", "H"}},
	{"MPR", environmental, []string{"X", "N", "L", "H"}},
	{"MUI", environmental, []string{"X", "N", "R"}},
	{"MS", environmental, []string{"X", "U", "C"}},
	{"MC", environmental, []string{"X", "N", "L", "H"}},
	{"MI", environmental, []string{"X", "N", "L", "H"}},
	{"MA", environmental, []string{"X", "N", "L", "H"}},
}

// The weights of version 3, in hundredths; requirements in tenths.
var (
	attackVector = [...]int64{85, 62, 55, 20}
	complexity3  = [...]int64{77, 44}
	privileges   = [2][3]int64{{85, 62, 27}, {85, 68, 50}} // by scope
	interaction  = [...]int64{85, 62}
	impact3      = [...]int64{0, 22, 56}
	exploit3     = [...]int64{100, 91, 94, 97, 100}
	remedy3      = [...]int64{100, 95, 96, 97, 100}
	confidence3  = [...]int64{100, 92, 96, 100}
	requirement3 = [...]int64{10, 5, 10, 15}
)

const firstEnvironmental3 = 11 // CR

// score3 is the base or the environmental score, adjusted by the temporal
// metrics.
func (v Vector) score3() Score {
	x := &v.values
	adapted := *x // the base metrics as modified
	isEnvironmental := false
	for i := firstEnvironmental3; i < len(metrics3); i++ {
		if x[i] == 0 {
			continue
		}
		isEnvironmental = true
		if i >= firstEnvironmental3+3 {
			adapted[i-firstEnvironmental3-3] = x[i] - 1
		}
	}
	score := v.base3(&adapted, isEnvironmental)
	// Tenths by three hundredths are 10⁻⁷.
	return Score(v.roundUp(score * exploit3[x[8]] * remedy3[x[9]] * confidence3[x[10]] * 1e6))
}

// base3 is the base score of the metrics x in tenths, with the environmental
// equation where that is asked for.
func (v Vector) base3(x *[maxMetrics]uint8, isEnvironmental bool) int64 {
	kept := int64(1) // in 10⁻⁹
	for i := range 3 {
		kept *= 1000 - impact3[x[5+i]]*requirement3[x[firstEnvironmental3+i]]
	}
	loss := min(int64(1e9)-kept, 915e6) // ISS or MISS; the bound is above any ISS
	changed := x[4] == 1
	impact := 642 * loss // in 10⁻¹¹
	switch {
	case changed && isEnvironmental && v.version == v31:
		impact = 752*(loss-29e6) - excess(loss*973100000-2e16, 13)
	case changed:
		impact = 752*(loss-29e6) - excess(loss*1e9-2e16, 15)
	}
	if impact <= 0 {
		return 0
	}
	exploitability := 822 * attackVector[x[0]] * complexity3[x[1]] * privileges[x[4]][x[2]] * interaction[x[3]] // in 10⁻¹⁰
	sum := (impact + 10*exploitability) * 100                                                                   // in 10⁻¹³
	if changed {
		sum = sum / 100 * 108
	}
	return v.roundUp(min(sum, 10e13))
}

// excess is what a changed scope takes off the impact, 3.25 × xⁿ in 10⁻¹¹, for
// x in 10⁻¹⁸. Every step cuts off less than 10⁻¹⁷, too little for any vector to
// change its score.
func excess(x int64, n int) int64 {
	if x <= 0 {
		return 0
	}
	power := uint64(x)
	for range n - 1 {
		hi, lo := bits.Mul64(power, uint64(x))
		power, _ = bits.Div64(hi, lo, 1e18)
	}
	return int64(power/1e4) * 325 / 1e5
}

// roundUp returns n, in 10⁻¹³, as tenths: for version 3.1 rounded to five
// decimals and then up, for version 3.0 up (v3.1 appendix A, v3.0 §8.1).
func (v Vector) roundUp(n int64) int64 {
	if v.version == v30 {
		return (n + 1e12 - 1) / 1e12
	}
	return ((n+5e7)/1e8 + 9999) / 10000
}
