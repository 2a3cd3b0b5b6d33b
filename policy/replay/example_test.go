package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
)

// folder keeps inputs by their digests, as a bucket or a directory would.
type folder map[string][]byte

func (f folder) Object(_ context.Context, digest string) ([]byte, error) {
	if text, ok := f[digest]; ok {
		return text, nil
	}
	return nil, replay.ErrNotFound
}

func (f folder) Statements(context.Context, string, []string) ([]*vex.Statement, error) {
	return nil, replay.ErrNotFound // nobody said anything
}

// Years later, whoever has the inputs of a verdict gets the same bytes.
func Example() {
	opts := &replay.Options{
		Compile: func(p *policy.Policy, version string) (*policy.Engine, error) {
			return policy.Compile(p, &policy.Options{Version: version})
		},
		Decode: func(text []byte) (*sbom.Document, error) {
			doc, _, err := format.Decode(bytes.NewReader(text))
			return doc, err
		},
	}
	p := &policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics}
	in := &policy.Inputs{At: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)}
	engine, err := opts.Compile(p, "v1.2.3")
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := engine.Evaluate(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	kept := folder{}
	r := replay.Record{Verdict: result.Verdict, Inputs: in, Policy: p}
	if err := r.Save(func(digest string, content []byte) error { kept[digest] = content; return nil }); err != nil {
		fmt.Println(err)
		return
	}
	_, err = replay.Run(context.Background(), result.Body, result.Trace, kept, opts)
	fmt.Println(len(kept), err)
	delete(kept, result.Verdict.Inputs.Policy)
	_, err = replay.Run(context.Background(), result.Body, result.Trace, kept, opts)
	fmt.Println(errors.Is(err, replay.ErrNotFound))
	// Output:
	// 4 <nil>
	// true
}
