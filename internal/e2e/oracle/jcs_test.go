package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/testdata"
)

// What is hashed and signed is canonical JSON (RFC 8785), which is whatever
// jsontext.Value.Canonicalize makes. It is held here against the RFC's vectors and its
// authors' test file, once for all packages that use it.

func canonical(text string) (string, error) {
	v := jsontext.Value(text)
	err := v.Canonicalize()
	return string(v), err
}

// TestJCSVectors: the pack has each result twice, as text and in hexadecimal.
func TestJCSVectors(t *testing.T) {
	files := testdata.Open(t, "conformance/jcs.tar.gz")
	vectors := 0
	for _, name := range testdata.Names(files) {
		if path.Base(path.Dir(name)) != "input" {
			continue
		}
		got, err := canonical(string(files[name]))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := string(files[strings.Replace(name, "/input/", "/output/", 1)])
		inHex := strings.Join(strings.Fields(string(files[strings.TrimSuffix(strings.Replace(name, "/input/", "/outhex/", 1), ".json")+".txt"])), "")
		for _, w := range []string{want, inHex} {
			if vectors++; w == "" {
				t.Errorf("%s: there is no result", name)
			}
		}
		if got != want || hex.EncodeToString([]byte(got)) != inHex {
			t.Errorf("%s: got %s\nwant %s", name, got, want)
		}
	}
	if vectors != 6 {
		t.Errorf("%d vectors", vectors)
	}
}

// TestJCSText is what the RFC itself shows, in sections 3.2.2, 3.2.3 and 3.1, and in
// appendix B where JSON can say it.
func TestJCSText(t *testing.T) {
	for text, want := range map[string]string{
		`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`:                                                                                                    "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`{"Unnormalized":"A\u030a"}`: "{\"Unnormalized\":\"A\u030a\"}",
		"-0":                         "0", "-0.0": "0", "5e-324": "5e-324", "-1.7976931348623157e308": "-1.7976931348623157e+308", "9007199254740992": "9007199254740992",
		"295147905179352830000": "295147905179352830000", "999999999999999900000": "999999999999999900000", "1e21": "1e+21", "0.000001": "0.000001", "9.999999999999997e-7": "9.999999999999997e-7",
		// Why what is signed elsewhere is never made canonical again: these are other numbers.
		"9007199254740993": "9007199254740992", "1234567890123456789": "1234567890123456800", "0.1000000000000000055511151231257827": "0.1",
	} {
		if got, err := canonical(text); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestJCSRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a name twice": `{"a":1,"a":1}`, "a name twice, once escaped": `{"a":1,"\u0061":1}`, "a name twice, deep": `[{"x":{"a":1,"a":2}}]`,
		"NaN": "NaN", "infinity": "Infinity", "minus infinity": "[-Infinity]", "a half surrogate": `"\ud800"`, "the other half": `"\udc00"`, "halves the wrong way round": `"\ude00\ud83d"`, "a half in a name": `{"\ud83d":1}`,
		"not UTF-8": "\"\xff\"", "a surrogate in UTF-8": "\"\xed\xa0\x80\"", "overlong UTF-8": "\"\xc0\xaf\"", "text after it": "{}{}", "nothing": "", "leading zero": "01", "plus": "+1", "hexadecimal": "0x1", "a comma too many": "[1,]", "a comment": "{}//", "a control character": "\"\n\"", "single quotes": "'a'",
		"a byte order mark": "\ufeff{}",
	} {
		if got, err := canonical(text); err == nil {
			t.Errorf("%s: %s passes as %s", name, text, got)
		}
	}
}

// jcsSums are the SHA-256 of the first lines of the test file of numbers that the
// RFC's authors publish (RFC 8785, appendix B).
var jcsSums = map[int]string{
	1_000:      "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687",
	10_000:     "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892",
	100_000:    "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7",
	1_000_000:  "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16",
	10_000_000: "b9f8a44a91d46813b21b9602e72f112613c91408db0b8341fb94603d9db135e0",
}

// TestJCSNumbers writes the file again and compares its sums: 100,000 lines, or ten
// million where STELLA_LONG is set. A line is the number's bits and its canonical form.
// The number is given with 17 digits and an exponent, which says exactly which one it
// is and is hardly ever the canonical form.
func TestJCSNumbers(t *testing.T) {
	lines := 100_000
	if os.Getenv("STELLA_LONG") != "" {
		lines = 10_000_000
	}
	next, h, compared := jcsNumbers(), sha256.New(), 0
	var line, number []byte
	for n := 1; n <= lines; n++ {
		f := next()
		line = append(strconv.AppendUint(line[:0], math.Float64bits(f), 16), ',')
		number = strconv.AppendFloat(number[:0], f, 'e', 16, 64)
		if err := (*jsontext.Value)(&number).Canonicalize(); err != nil {
			t.Fatalf("line %d: %v: %v", n, f, err)
		}
		line = append(append(line, number...), '\n')
		h.Write(line)
		if want := jcsSums[n]; want != "" {
			if compared++; hex.EncodeToString(h.Sum(nil)) != want {
				t.Fatalf("the first %d lines have the sum %x, want %s", n, h.Sum(nil), want)
			}
		}
	}
	t.Logf("%d numbers, %d sums compared", lines, compared)
	if compared < 3 {
		t.Errorf("%d sums compared", compared)
	}
}

// jcsNumbers returns what gives the numbers of the file in their order: chosen ones,
// the first 2,000 that are not subnormal, and then, without end, the finite ones but 0
// among the little-endian words of SHA-256 applied to 32 zero bytes again and again.
func jcsNumbers() func() float64 {
	chosen := jcsChosen()
	for i := range uint64(2000) {
		chosen = append(chosen, math.Float64frombits(0x0010000000000000+i))
	}
	var block [sha256.Size]byte
	left := block[:0]
	return func() float64 {
		if len(chosen) > 0 {
			f := chosen[0]
			chosen = chosen[1:]
			return f
		}
		for {
			if len(left) == 0 {
				block = sha256.Sum256(block[:])
				left = block[:]
			}
			f := math.Float64frombits(binary.LittleEndian.Uint64(left))
			left = left[8:]
			if f != 0 && !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	}
}

// jcsChosen are zeros, the smallest numbers, thirds of powers of ten with what
// dividing makes of them, what comes close to 5e-6, and the edges of forms.
func jcsChosen() []float64 {
	minus := math.Copysign(0, -1)
	thirds := []float64{
		3.3333333333333335e+21, 3.333333333333333e+20, 3.3333333333333336e+19, 3.333333333333334e+18, 3.333333333333334e+17, 3.333333333333334e+16,
		3333333333333334, 333333333333333.4, 33333333333333.344, 3333333333333.334, 333333333333.33344, 33333333333.33334,
		3333333333.333334, 333333333.3333334, 33333333.333333336, 3333333.3333333335, 333333.3333333333, 33333.333333333336,
		3333.333333333333, 333.3333333333333, 33.333333333333336, 3.3333333333333335, 0.3333333333333333, 0.03333333333333333,
		0.0033333333333333335, 0.0003333333333333333, 3.3333333333333335e-05, 3.3333333333333333e-06, 3.3333333333333335e-07, 3.3333333333333334e-08,
		3.3333333333333334e-09, 3.333333333333333e-10, 3.3333333333333335e-11, 3.333333333333333e-12, 3.3333333333333334e-13, 3.3333333333333334e-14,
		3.3333333333333332e-15, 3.333333333333333e-16, 3.3333333333333335e-17, 3.3333333333333333e-18, 3.3333333333333334e-19, 3.333333333333333e-20,
		3.3333333333333333e-21, 3.333333333333333e-22, 3.3333333333333333e-23, 3.3333333333333334e-24, 3.3333333333333335e-25, 3.333333333333333e-26,
		3.333333333333333e-27, 3.3333333333333338e-28,
	}
	out := []float64{0, minus, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64}
	for _, f := range thirds {
		out = append(out, -f)
	}
	out = append(out, thirds...)
	return append(out,
		10, 5, 0.5, 0.05, 0.005, 0.0005,
		5e-05, 5e-06, 5e-07, 5e-08, 5e-09, 5.06e-06,
		5.006e-06, 5.0006e-06, 5.00006e-06, 5.000006e-06, 5.0000006e-06, 5.00000006e-06,
		5.000000006e-06, 5.0000000006e-06, 5.00000000006e-06, 5.000000000006e-06, 5.0000000000006e-06, 5.00000000000006e-06,
		5.000000000000006e-06, 5e-06, 1, -1, -0.9999999999999993, -0.9999999999999994,
		0.9999999999999993, 0.9999999999999994, 0.9999999999999996, 0.9999999999999998, -0.9999999999999999, -0.9999999999999999,
		0.9999999999999999, 0.9999999999999999, 0.29999999999999993, 0.3, 0.30000000000000004, 2.2250738585072014e-308,
		2.2250738585072e-308, 2.225073858507201e-308, 1.7976931348623157e+308, -1.7976931348623157e+308, 9007199254740992, -9007199254740992,
		2.9514790517935283e+20, 9.999999999999997e+22, 1e+23, 1.0000000000000001e+23, 9.999999999999997e+20, 9.999999999999999e+20,
		1e+21, 9.999999999999997e-07, 1e-06, 333333333.3333332, 333333333.33333325, 333333333.3333333,
		333333333.3333334, 333333333.33333343, -3.3333333333333333e-06, 1424953923781206.2,
	)
}
