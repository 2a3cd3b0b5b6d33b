package cvss

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The equations of the specifications over rationals, without any rounding but
// their own: what the integers must agree with.

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s)
	}
	return r
}

func add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }

func mul(factors ...*big.Rat) *big.Rat {
	p := big.NewRat(1, 1)
	for _, f := range factors {
		p.Mul(p, f)
	}
	return p
}

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func pow(x *big.Rat, n int) *big.Rat {
	p := big.NewRat(1, 1)
	for range n {
		p.Mul(p, x)
	}
	return p
}

// floor returns ⌊x × scale⌋.
func floor(x *big.Rat, scale int64) int64 {
	y := mul(x, big.NewRat(scale, 1))
	return new(big.Int).Div(y.Num(), y.Denom()).Int64()
}

// half is round(x × scale), halves up.
func half(x *big.Rat, scale int64) int64 { return floor(add(x, big.NewRat(1, 2*scale)), scale) }

// roundUp is the function of that name, in tenths.
func roundUp(v version, x *big.Rat) int64 {
	if v == v30 {
		n := floor(x, 10)
		if mul(x, big.NewRat(10, 1)).Cmp(big.NewRat(n, 1)) > 0 {
			n++
		}
		return n
	}
	if n := half(x, 100000); n%10000 == 0 {
		return n / 10000
	} else {
		return n/10000 + 1
	}
}

var (
	ratAV  = map[string]string{"N": "0.85", "A": "0.62", "L": "0.55", "P": "0.2"}
	ratAC  = map[string]string{"L": "0.77", "H": "0.44"}
	ratUI  = map[string]string{"N": "0.85", "R": "0.62"}
	ratPR  = map[string]string{"UN": "0.85", "UL": "0.62", "UH": "0.27", "CN": "0.85", "CL": "0.68", "CH": "0.5"}
	ratCIA = map[string]string{"H": "0.56", "L": "0.22", "N": "0"}
	ratReq = map[string]string{"X": "1", "L": "0.5", "M": "1", "H": "1.5"}
	ratE   = map[string]string{"X": "1", "H": "1", "F": "0.97", "P": "0.94", "U": "0.91"}
	ratRL  = map[string]string{"X": "1", "U": "1", "W": "0.97", "T": "0.96", "O": "0.95"}
	ratRC  = map[string]string{"X": "1", "C": "1", "R": "0.96", "U": "0.92"}
)

// exact3 scores a version 3 vector by the text of the specification.
func exact3(v Vector) int64 {
	m := map[string]string{}
	environmental := false
	for i, x := range metrics3 {
		m[x.name] = x.values[v.values[i]]
		if i >= firstEnvironmental3 && v.values[i] != 0 {
			environmental = true
		}
	}
	get := func(name string) string {
		if environmental && m["M"+name] != "X" && m["M"+name] != "" {
			return m["M"+name]
		}
		return m[name]
	}
	kept := big.NewRat(1, 1)
	for _, c := range []string{"C", "I", "A"} {
		w := rat(ratCIA[get(c)])
		if environmental {
			w = mul(w, rat(ratReq[m[c+"R"]]))
		}
		kept = mul(kept, sub(rat("1"), w))
	}
	iss := sub(rat("1"), kept)
	if environmental {
		iss = least(iss, rat("0.915"))
	}
	impact := mul(rat("6.42"), iss)
	if get("S") == "C" {
		x, n := sub(iss, rat("0.02")), 15
		if environmental && v.version == v31 {
			x, n = sub(mul(iss, rat("0.9731")), rat("0.02")), 13
		}
		impact = sub(mul(rat("7.52"), sub(iss, rat("0.029"))), mul(rat("3.25"), pow(x, n)))
	}
	score := big.NewRat(0, 1)
	if impact.Sign() > 0 {
		e := mul(rat("8.22"), rat(ratAV[get("AV")]), rat(ratAC[get("AC")]), rat(ratPR[get("S")+get("PR")]), rat(ratUI[get("UI")]))
		sum := add(impact, e)
		if get("S") == "C" {
			sum = mul(rat("1.08"), sum)
		}
		score = big.NewRat(roundUp(v.version, least(sum, rat("10"))), 10)
	}
	return roundUp(v.version, mul(score, rat(ratE[m["E"]]), rat(ratRL[m["RL"]]), rat(ratRC[m["RC"]])))
}

// TestExact3 compares every base vector of versions 3.0 and 3.1.
func TestExact3(t *testing.T) {
	n := 0
	for _, version := range []version{v30, v31} {
		each(version, func(v Vector) {
			n++
			if got, want := int64(v.Score()), exact3(v); got != want {
				t.Errorf("%s scores %d, want %d", v, got, want)
			}
		})
	}
	if n != 2*2592 {
		t.Errorf("compared %d vectors", n)
	}
}

// each calls fn with every base vector of a version.
func each(version version, fn func(Vector)) {
	metrics := version.metrics()
	var walk func(i int, v Vector)
	walk = func(i int, v Vector) {
		if i == len(metrics) || metrics[i].group != base {
			fn(v)
			return
		}
		for x := range metrics[i].values {
			v.values[i] = uint8(x)
			walk(i+1, v)
		}
	}
	walk(0, Vector{version: version})
}

func drawVector(t *rapid.T, version version) Vector {
	v := Vector{version: version}
	for i, m := range version.metrics() {
		v.values[i] = uint8(rapid.IntRange(0, len(m.values)-1).Draw(t, m.name))
	}
	return v
}

func TestExact3Environmental(t *testing.T) {
	for _, version := range []version{v30, v31} {
		rapid.Check(t, func(t *rapid.T) {
			v := drawVector(t, version)
			if got, want := int64(v.Score()), exact3(v); got != want {
				t.Fatalf("%s scores %d, want %d", v, got, want)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	for _, version := range []version{v2, v30, v31, v40} {
		rapid.Check(t, func(t *rapid.T) {
			v := drawVector(t, version)
			back, err := Parse(v.String())
			if err != nil || back != v {
				t.Fatalf("%s reads as %s: %v", v, back, err)
			}
		})
	}
}

// TestBounds: every score is from 0 to 10, and a lower threat never raises a
// version 4.0 score.
func TestBounds(t *testing.T) {
	for _, version := range []version{v2, v30, v31, v40} {
		rapid.Check(t, func(t *rapid.T) {
			v := drawVector(t, version)
			if s := v.Score(); s < 0 || s > 100 {
				t.Fatalf("%s scores %s", v, s)
			}
			if s := v.Base(); s < 0 || s > 100 {
				t.Fatalf("%s has the base score %s", v, s)
			}
		})
	}
	each(v40, func(v Vector) {
		worst := v.Score()
		for e := uint8(1); e < 4; e++ {
			v.values[11] = e
			if s := v.Score(); s > worst {
				t.Errorf("%s scores %s, more than %s", v, s, worst)
			} else {
				worst = s
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "/", "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O",
		"CVSS:4.0/AV:L/AC:H/AT:N/PR:N/UI:A/VC:N/VI:N/VA:L/SC:H/SI:H/SA:H/CR:H/MSI:S/U:Red", "CVSS:3.1/AV:",
		"AV:L/AC:H/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		if score := v.Score(); score < 0 || score > 100 {
			t.Fatalf("%q scores %s", s, score)
		}
		if back, err := Parse(v.String()); err != nil || back != v {
			t.Fatalf("%q prints as %q, which reads as %v, %v", s, v, back, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"} {
		b.Run(s[:8], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, err := Parse(s)
				if err != nil || v.Score() == 0 {
					b.Fatal(v, err)
				}
			}
		})
	}
}
