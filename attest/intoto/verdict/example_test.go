package verdict_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// A verdict is stated about the image, and read from a statement that was verified.
func Example() {
	engine, err := policy.Compile(&policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	image := "sha256:" + strings.Repeat("1", 64)
	decided, err := engine.Evaluate(&policy.Inputs{
		Subject: policy.Subject{Image: vex.Image{Digests: []string{image}}},
		At:      time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Digests: policy.Digests{Advisories: "sha256:" + strings.Repeat("2", 64)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := verdict.New(decided.Body, image)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := s.Encode() // this is signed
	if err != nil {
		fmt.Println(err)
		return
	}

	read, err := intoto.Decode(intoto.PayloadType, payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := verdict.Read(read)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.About(image), v.Outcome, v.Outcome.Allows(), v.Policy.ID)
	// Output: true pass true release
}
