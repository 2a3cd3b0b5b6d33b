package slsa

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// Provenance says how artifacts were built.
type Provenance struct {
	// BuildType is a URI that says what the parameters mean; required.
	BuildType string
	// External are the parameters that others than the builder chose, a JSON object;
	// required, and to be checked one by one. Internal are the builder's own, nil for
	// none.
	External, Internal []byte
	Dependencies       []Resource // what was fetched, in no particular order
	Builder            Builder
	Invocation         string    // which build it was
	Started, Finished  time.Time // in UTC; zero where that is not known
	Byproducts         []Resource
}

// Builder is the platform that built, and is trusted to say so.
type Builder struct {
	ID           string            // a URI; required
	Versions     map[string]string // of its parts, by their names
	Dependencies []Resource
}

// The members of the predicate.
type provenance struct {
	BuildDefinition *buildDefinition `json:"buildDefinition,omitempty"`
	RunDetails      *runDetails      `json:"runDetails,omitempty"`
}

type buildDefinition struct {
	BuildType            string         `json:"buildType"`
	ExternalParameters   jsontext.Value `json:"externalParameters,omitzero"`
	InternalParameters   jsontext.Value `json:"internalParameters,omitzero"`
	ResolvedDependencies []resource     `json:"resolvedDependencies,omitempty"`
}

type runDetails struct {
	Builder    *builder       `json:"builder,omitempty"`
	Metadata   *buildMetadata `json:"metadata,omitempty"`
	Byproducts []resource     `json:"byproducts,omitempty"`
}

type builder struct {
	ID                  string            `json:"id"`
	BuilderDependencies []resource        `json:"builderDependencies,omitempty"`
	Version             map[string]string `json:"version,omitempty"`
}

type buildMetadata struct {
	InvocationID string `json:"invocationId,omitempty"`
	StartedOn    string `json:"startedOn,omitempty"`
	FinishedOn   string `json:"finishedOn,omitempty"`
}

// Encode returns the predicate of type [intoto.PredicateProvenance]: equal provenance
// gives equal bytes. What [DecodeProvenance] would refuse is refused.
func (p *Provenance) Encode() ([]byte, error) {
	meta := &buildMetadata{InvocationID: p.Invocation}
	var err error
	if meta.StartedOn, err = wire.FormatTime("runDetails.metadata.startedOn", p.Started); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if meta.FinishedOn, err = wire.FormatTime("runDetails.metadata.finishedOn", p.Finished); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if *meta == (buildMetadata{}) {
		meta = nil
	}
	text, err := wire.Encode("provenance", &provenance{
		BuildDefinition: &buildDefinition{p.BuildType, p.External, p.Internal, wireResources(p.Dependencies)},
		RunDetails:      &runDetails{&builder{p.Builder.ID, wireResources(p.Builder.Dependencies), p.Builder.Versions}, meta, wireResources(p.Byproducts)},
	})
	if err != nil {
		return nil, err
	}
	if _, err := DecodeProvenance(intoto.PredicateProvenance, text); err != nil {
		return nil, err
	}
	return text, nil
}

// DecodeProvenance reads a predicate of type [intoto.PredicateProvenance], or
// [intoto.PredicateProvenance02], which is turned into the form of v1 as SLSA says.
// Refused is one that lacks what SLSA requires: the build type, the external
// parameters and the builder's id. An error wraps ErrInvalid, ErrLimit, or
// ErrUnsupported for another type.
func DecodeProvenance(predicateType string, predicate []byte) (*Provenance, error) {
	var p *Provenance
	var err error
	switch predicateType {
	case intoto.PredicateProvenance:
		var w provenance
		if err := wire.Decode("provenance", predicate, &w); err != nil {
			return nil, err
		}
		p, err = w.read()
	case intoto.PredicateProvenance02:
		var w provenance02
		if err := wire.Decode("provenance", predicate, &w); err != nil {
			return nil, err
		}
		p, err = w.read()
	default:
		return nil, fmt.Errorf("provenance: predicate type %.200q is none: %w", predicateType, fault.Unsupported)
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return p, nil
}

func (p *Provenance) check() error {
	switch {
	case p.BuildType == "":
		return fmt.Errorf("the build type is missing: %w", fault.Invalid)
	case p.External == nil:
		return fmt.Errorf("external parameters are missing: %w", fault.Invalid)
	case p.Builder.ID == "":
		return fmt.Errorf("the builder's id is missing: %w", fault.Invalid)
	case !p.Started.IsZero() && !p.Finished.IsZero() && p.Finished.Before(p.Started):
		return fmt.Errorf("the build finishes before it starts: %w", fault.Invalid)
	}
	return nil
}

func (w *provenance) read() (*Provenance, error) {
	if w.BuildDefinition == nil || w.RunDetails == nil || w.RunDetails.Builder == nil {
		return nil, fmt.Errorf("buildDefinition or runDetails.builder is missing: %w", fault.Invalid)
	}
	d, run := w.BuildDefinition, w.RunDetails
	p := &Provenance{BuildType: d.BuildType, Builder: Builder{ID: run.Builder.ID}}
	if len(run.Builder.Version) > 0 {
		p.Builder.Versions = run.Builder.Version
	}
	var err error
	if p.External, err = readObject("externalParameters", d.ExternalParameters); err != nil {
		return nil, err
	}
	if p.Internal, err = readObject("internalParameters", d.InternalParameters); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		member string
		from   []resource
		to     *[]Resource
	}{
		{"resolvedDependencies", d.ResolvedDependencies, &p.Dependencies}, {"builderDependencies", run.Builder.BuilderDependencies, &p.Builder.Dependencies}, {"byproducts", run.Byproducts, &p.Byproducts},
	} {
		if *list.to, err = readResources(list.member, list.from); err != nil {
			return nil, err
		}
	}
	if m := run.Metadata; m != nil {
		p.Invocation = m.InvocationID
		if p.Started, p.Finished, err = readTimes(m.StartedOn, m.FinishedOn, wire.ParseTime); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// readObject takes null for nothing (SLSA, "Parsing rules").
func readObject(member string, v jsontext.Value) ([]byte, error) {
	switch v.Kind() {
	case jsontext.KindInvalid, 'n':
		return nil, nil
	case '{':
		return v, nil
	}
	return nil, fmt.Errorf("%s: want an object: %w", member, fault.Invalid)
}

func readTimes(start, finish string, parse func(member, text string) (time.Time, error)) (started, finished time.Time, err error) {
	if started, err = parse("startedOn", start); err == nil {
		finished, err = parse("finishedOn", finish)
	}
	return started, finished, err
}
