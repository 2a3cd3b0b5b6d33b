package version_test

import (
	"errors"
	"fmt"

	"github.com/stella-ops/stella/advisory/version"
)

func ExampleCompare() {
	for _, c := range [][3]string{
		{"Debian:12", "1.0~rc1", "1.0"},
		{"PyPI", "1.0.post1", "1.0"},
		{"Maven", "1.0-RELEASE", "1"},
		{"npm", "1.0.0", "latest"},
	} {
		order, err := version.Compare(c[0], c[1], c[2])
		if errors.Is(err, version.ErrInvalid) {
			fmt.Println("not assessed:", err)
			continue
		}
		fmt.Println(c[1], [...]string{"<", "=", ">"}[order+1], c[2])
	}
	// Output:
	// 1.0~rc1 < 1.0
	// 1.0.post1 > 1.0
	// 1.0-RELEASE = 1
	// not assessed: parse npm version "latest": it does not start with three dotted numbers: invalid input
}

func ExampleFor() {
	debian, _ := version.For("Debian:12")
	ubuntu, _ := version.For("Ubuntu:22.04:LTS")
	fmt.Println(debian, debian == ubuntu)
	// Output: deb true
}

func ExampleNewRange() {
	scheme, err := version.For("Go")
	if err != nil {
		fmt.Println(err)
		return
	}
	affected, err := version.NewRange(scheme, []version.Event{
		{Introduced: "1.21.0-0"}, {Fixed: "1.21.8"},
		{Introduced: "0"}, {Fixed: "1.20.14"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(affected)
	for _, v := range []string{"go1.20.13", "go1.20.14", "go1.21rc2", "go1.21.8", "(devel)"} {
		fmt.Println(v, affected.Contains(v))
	}
	// Output:
	// <1.20.14||>=1.21.0-0 <1.21.8
	// go1.20.13 yes
	// go1.20.14 no
	// go1.21rc2 yes
	// go1.21.8 no
	// (devel) unknown: parse golang version "(devel)": it does not start with dotted numbers: invalid input
}

func ExampleParseVERS() {
	r, err := version.ParseVERS("vers:npm/1.2.3|>=2.0.0|<5.0.0")
	fmt.Println(r, err, r.Contains("4.17.21"), r.Contains("1.2.4"))
	// Output: 1.2.3||>=2.0.0 <5.0.0 <nil> yes no
}

func ExampleParseNPMRange() {
	r, err := version.ParseNPMRange("^1.2.3 || 3.x", nil)
	fmt.Println(r, err, r.Contains("1.9.0"), r.Contains("2.0.0"))
	// Output: >=1.2.3 <2.0.0-0||>=3.0.0 <4.0.0-0 <nil> yes no
}
