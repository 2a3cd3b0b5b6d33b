package slsa

import (
	"cmp"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// The members of provenance v0.2.
type provenance02 struct {
	Builder     *builder         `json:"builder"`
	BuildType   string           `json:"buildType"`
	Invocation  *invocation02    `json:"invocation"`
	BuildConfig jsontext.Value   `json:"buildConfig"`
	Metadata    *buildMetadata02 `json:"metadata"`
	Materials   []resource       `json:"materials"`
}

type invocation02 struct {
	ConfigSource *configSource02 `json:"configSource"`
	Parameters   jsontext.Value  `json:"parameters"`
	Environment  jsontext.Value  `json:"environment"`
}

type configSource02 struct {
	URI        string            `json:"uri"`
	Digest     map[string]string `json:"digest"`
	EntryPoint string            `json:"entryPoint"`
}

type buildMetadata02 struct {
	BuildInvocationID string `json:"buildInvocationId"`
	InvocationID      string `json:"buildInvocationID"` // as in-toto-golang, and so most tools, spell it
	BuildStartedOn    string `json:"buildStartedOn"`
	BuildFinishedOn   string `json:"buildFinishedOn"`
}

// read turns it into v1 (SLSA, "Migrating from 0.2"). A build configuration, which v1 no
// longer has, becomes the external parameter "buildConfig": it may come from outside,
// and an expectation that does not know of it must fail.
func (w *provenance02) read() (*Provenance, error) {
	if w.Builder == nil {
		return nil, fmt.Errorf("builder is missing: %w", fault.Invalid)
	}
	p := &Provenance{BuildType: w.BuildType, Builder: Builder{ID: w.Builder.ID}}
	materials := w.Materials
	external := map[string]jsontext.Value{}
	if in := w.Invocation; in != nil {
		parameters, err := readObject("invocation.parameters", in.Parameters)
		if err != nil {
			return nil, err
		}
		if parameters != nil {
			if err := json.Unmarshal(parameters, &external); err != nil {
				return nil, fmt.Errorf("invocation.parameters: %v: %w", err, fault.Invalid)
			}
		}
		if p.Internal, err = readObject("invocation.environment", in.Environment); err != nil {
			return nil, err
		}
		if source := in.ConfigSource; source != nil {
			if err := addText(external, "entryPoint", source.EntryPoint); err != nil {
				return nil, err
			}
			if err := addText(external, "source", source.URI); err != nil {
				return nil, err
			}
			if source.URI != "" || len(source.Digest) > 0 {
				materials = append(materials[:len(materials):len(materials)], resource{URI: source.URI, Digest: source.Digest})
			}
		}
	}
	if k := w.BuildConfig.Kind(); k != jsontext.KindInvalid && k != 'n' {
		if err := add(external, "buildConfig", w.BuildConfig); err != nil {
			return nil, err
		}
	}
	var err error
	if p.External, err = wire.Encode("parameters", external); err != nil {
		return nil, err
	}
	if p.Dependencies, err = readResources("materials", materials); err != nil {
		return nil, err
	}
	if m := w.Metadata; m != nil {
		p.Invocation = cmp.Or(m.BuildInvocationID, m.InvocationID)
		if m.InvocationID != "" && m.InvocationID != p.Invocation {
			return nil, fmt.Errorf("metadata: two invocations, %.80q and %.80q: %w", m.BuildInvocationID, m.InvocationID, fault.Invalid)
		}
		if p.Started, p.Finished, err = readTimes(m.BuildStartedOn, m.BuildFinishedOn, wire.ParseAnyTime); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func addText(to map[string]jsontext.Value, name, text string) error {
	if text == "" {
		return nil
	}
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return fmt.Errorf("%s: %v: %w", name, err, fault.Invalid)
	}
	return add(to, name, quoted)
}

// add refuses a parameter of that name: one of two would not be checked.
func add(to map[string]jsontext.Value, name string, v jsontext.Value) error {
	if _, taken := to[name]; taken {
		return fmt.Errorf("invocation: there is a parameter %q besides: %w", name, fault.Invalid)
	}
	to[name] = v
	return nil
}
