package attest

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

// RootSchema names the form of a trust root.
const RootSchema = "https://stella-ops.dev/schema/trust-root/v1"

// The limits of a trust root.
const (
	MaxRoot  = 8 << 20 // bytes
	MaxLogs  = 256     // logs and witnesses; authorities are timestamp.MaxAuthorities
	MaxChain = 10      // certificates of an authority
)

// Root is a Trust as a file: whom to believe, without what verifies certificates.
type Root struct {
	Keys        key.Ring
	Logs        tlog.Policy
	Authorities []*timestamp.Authority
	// Sigstore is a trusted_root.json, for bundles whose key is in a certificate; nil
	// for none. Package sigstore reads it; here it is only carried.
	Sigstore []byte
}

// Trust returns whom the root says to believe. certificates verifies bundles with
// certificates, by Sigstore; nil refuses them.
func (r *Root) Trust(certificates Certificates) *Trust {
	return &Trust{Keys: r.Keys, Logs: r.Logs, Authorities: r.Authorities, Certificates: certificates}
}

type wireRoot struct {
	Schema      string          `json:"schema"`
	Keys        jsontext.Value  `json:"keys"` // a ring, as package key writes it
	Logs        []wireLog       `json:"logs,omitempty"`
	Witnesses   []string        `json:"witnesses,omitempty"`
	Threshold   int             `json:"witness_threshold,omitzero"`
	Authorities []wireAuthority `json:"timestamp_authorities,omitempty"`
	Sigstore    jsontext.Value  `json:"sigstore,omitempty"`
}

type wireLog struct {
	Origin string `json:"origin,omitempty"` // where it is not the key's name
	Key    string `json:"key"`              // a verifier key of C2SP signed-note
}

type wireAuthority struct {
	Name         string    `json:"name,omitempty"`
	Certificates [][]byte  `json:"certificates"` // DER, the one that signs first
	From         time.Time `json:"from"`
	To           time.Time `json:"to,omitzero"`
	Policies     []string  `json:"policies,omitempty"`
}

// Encode returns the root as canonical JSON (RFC 8785):
//
//	{"schema":"https://stella-ops.dev/schema/trust-root/v1","keys":{…a ring…},
//	 "logs":[{"key":"NAME+ID+KEY"}],"witnesses":["NAME+ID+KEY"],"witness_threshold":1,
//	 "timestamp_authorities":[{"name":"…","certificates":["base64 of DER"],"from":"…","to":"…"}],
//	 "sigstore":{…a trusted_root.json…}}
//
// Keys of logs and witnesses are verifier keys (C2SP signed-note). Equal roots give equal
// bytes. A root that DecodeRoot would refuse is refused here.
func (r *Root) Encode() ([]byte, error) {
	ring, err := r.Keys.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode trust root: %w", err)
	}
	w := wireRoot{Schema: RootSchema, Keys: ring, Threshold: r.Logs.Threshold, Sigstore: r.Sigstore}
	for _, l := range r.Logs.Logs {
		w.Logs = append(w.Logs, wireLog{l.Origin, l.Key.String()})
	}
	for _, k := range r.Logs.Witnesses {
		w.Witnesses = append(w.Witnesses, k.String())
	}
	for _, a := range r.Authorities {
		out := wireAuthority{Name: a.Name, From: a.From.UTC(), To: a.To.UTC(), Policies: a.Policies}
		for _, c := range a.Certificates {
			out.Certificates = append(out.Certificates, c.Raw)
		}
		w.Authorities = append(w.Authorities, out)
	}
	text, err := json.Marshal(w)
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return nil, fmt.Errorf("encode trust root: %v: %w", err, fault.Invalid)
	}
	if _, err := DecodeRoot(text); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return text, nil
}

// DecodeRoot reads what Encode writes, with any white space and in any order. A member
// that is not known, or occurs twice, is refused, and so is another schema: what it
// restricts could not be honoured. It must be of somebody's who is trusted: nothing in it
// proves that.
func DecodeRoot(text []byte) (*Root, error) {
	if len(text) > MaxRoot {
		return nil, &fault.LimitError{What: "bytes", Where: "trust root", Max: MaxRoot, Seen: int64(len(text))}
	}
	var w wireRoot
	if err := json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("trust root: %v: %w", err, fault.Invalid)
	}
	if w.Schema != RootSchema {
		return nil, fmt.Errorf("trust root: schema %.200q, want %q: %w", w.Schema, RootSchema, fault.Unsupported)
	}
	if n := len(w.Logs) + len(w.Witnesses); n > MaxLogs {
		return nil, &fault.LimitError{What: "logs and witnesses", Where: "trust root", Max: MaxLogs, Seen: int64(n)}
	}
	if n := len(w.Authorities); n > timestamp.MaxAuthorities {
		return nil, &fault.LimitError{What: "authorities", Where: "trust root", Max: timestamp.MaxAuthorities, Seen: int64(n)}
	}
	out := &Root{Logs: tlog.Policy{Threshold: w.Threshold}}
	if len(w.Sigstore) > 0 {
		out.Sigstore = w.Sigstore
	}
	var err error
	if out.Keys, err = key.DecodeRing(w.Keys); err != nil {
		return nil, fmt.Errorf("trust root: %w", err)
	}
	if err := w.logs(&out.Logs); err != nil {
		return nil, fmt.Errorf("trust root: %w", err)
	}
	for i := range w.Authorities {
		a, err := w.Authorities[i].read()
		if err != nil {
			return nil, fmt.Errorf("trust root: timestamp_authorities[%d]: %w", i, err)
		}
		out.Authorities = append(out.Authorities, a)
	}
	return out, nil
}

func (w *wireRoot) logs(p *tlog.Policy) error {
	for i, l := range w.Logs {
		k, err := tlog.ParseKey(l.Key)
		if err != nil {
			return fmt.Errorf("logs[%d]: %w", i, err)
		}
		p.Logs = append(p.Logs, tlog.LogKey{Origin: l.Origin, Key: k})
	}
	for i, text := range w.Witnesses {
		k, err := tlog.ParseKey(text)
		if err != nil {
			return fmt.Errorf("witnesses[%d]: %w", i, err)
		}
		p.Witnesses = append(p.Witnesses, k)
	}
	if len(p.Logs) == 0 && len(p.Witnesses) == 0 && w.Threshold == 0 {
		return nil
	}
	return p.Check() // else each verification would find out
}

func (w *wireAuthority) read() (*timestamp.Authority, error) {
	a := &timestamp.Authority{Name: w.Name, From: w.From, To: w.To, Policies: w.Policies}
	if len(w.Certificates) == 0 || len(w.Certificates) > MaxChain || w.From.IsZero() {
		return nil, fmt.Errorf("%d certificates from %v: want 1 to %d, and a time: %w", len(w.Certificates), w.From, MaxChain, fault.Invalid)
	}
	if !w.To.IsZero() && w.To.Before(w.From) {
		return nil, fmt.Errorf("from %v to %v is never: %w", w.From, w.To, fault.Invalid)
	}
	for i, der := range w.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificates[%d]: %v: %w", i, err, fault.Invalid)
		}
		a.Certificates = append(a.Certificates, c)
	}
	return a, nil
}
