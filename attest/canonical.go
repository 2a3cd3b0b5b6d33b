package attest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
)

// canonical refuses text that is not in the form which this tool writes. Of what no
// signature and no proof covers, that form has none, or one spelling.
func canonical(item *bundle.Item, text []byte) error {
	odd := func(what string, err error) error { return refuse(ReasonMalformed, "bundle", what, err) }
	if again, err := bundle.Encode([]bundle.Item{*item}); err != nil || !bytes.Equal(again, append(slices.Clip(text), '\n')) {
		return odd("not in the form that it is written in", err)
	}
	b := item.Bundle
	if b == nil || len(b.Material.Certificates) > 0 { // what verifies certificates verifies promises too
		return nil
	}
	if b.Envelope != nil && b.Envelope.Signatures[0].KeyID != "" {
		return odd("its envelope names a key, which is for the hint to do", nil)
	}
	for i, e := range b.Material.Entries {
		switch {
		case e.Promise.IntegratedTime != 0 || e.Promise.SignedEntryTimestamp != nil:
			return odd(fmt.Sprintf("log entry %d has a time or a promise, which nothing here verifies", i), nil)
		case e.Proof != nil && e.LogIndex != e.Proof.LogIndex:
			return odd(fmt.Sprintf("log entry %d has another index than its proof, which nothing here verifies", i), nil)
		}
	}
	return nil
}

// unknownSignatures holds the signatures of an envelope to the form that dsse.Sign gives
// them: each labelled with its own key, once, in the order of the labels. Those of nobody
// known are refused, or said, as want has it.
func (v *Verifier) unknownSignatures(e *dsse.Envelope, want *Expectation) (unchecked []string, err error) {
	message := dsse.PAE(e.PayloadType, e.Payload)
	last := ""
	for i, s := range e.Signatures {
		what := fmt.Sprintf("signature %d", i)
		made := slices.IndexFunc(v.Trust.Keys.Members, func(m key.Member) bool { return m.Key != nil && m.Key.Verify(message, s.Sig) == nil })
		switch {
		case made < 0 && !want.Unknown:
			return nil, refuse(ReasonUnchecked, what, "of no key that is known here", nil)
		case made < 0:
			unchecked = append(unchecked, what+": no key that is known here made it")
			continue
		case v.Trust.Keys.Members[made].Key.KeyID() != s.KeyID:
			return nil, refuse(ReasonMalformed, what, fmt.Sprintf("labelled %.80q, and it is of key %s", s.KeyID, v.Trust.Keys.Members[made].Key.KeyID()), nil)
		case s.KeyID <= last:
			return nil, refuse(ReasonMalformed, what, "not in the order of key ids, or there twice", nil)
		}
		last = s.KeyID
	}
	return unchecked, nil
}
