package schedulehttp

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/store/event"
)

// Deltas takes advisory.delta as a webhook that is signed as Standard Webhooks have it
// (https://www.standardwebhooks.com), by any of its keys. The body is the event, and the
// webhook's id is the event's. One that comes again changes nothing: the scheduler knows
// events by their ids. Make one with [NewDeltas]; it is safe for concurrent use.
type Deltas struct {
	handle Handle
	keys   []*webhooksig.Key
	now    func() time.Time
}

// DeltasOptions say how a Deltas verifies. Nil means the defaults.
type DeltasOptions struct {
	// Now is the clock, from which timestamps may differ by five minutes. Nil: time.Now.
	Now func() time.Time
}

// NewDeltas takes what one of the keys has signed: "whsec_…" or other text for a shared
// secret, "whpk_…" for a public key. Old and new keys stand side by side while one takes
// over. An error wraps ErrInvalid, and shows no key.
func NewDeltas(handle Handle, keys [][]byte, opts *DeltasOptions) (*Deltas, error) {
	d := &Deltas{handle: handle, now: time.Now}
	if opts != nil && opts.Now != nil {
		d.now = opts.Now
	}
	var err error
	if d.keys, err = parseKeys(keys); err != nil {
		return nil, fmt.Errorf("take webhooks: %w", err)
	}
	return d, nil
}

// parseKeys reads 1 to webhooksig.MaxKeys keys.
func parseKeys(texts [][]byte) ([]*webhooksig.Key, error) {
	if len(texts) == 0 || len(texts) > webhooksig.MaxKeys {
		return nil, fmt.Errorf("%d keys, want 1 to %d: %w", len(texts), webhooksig.MaxKeys, fault.Invalid)
	}
	var out []*webhooksig.Key
	for i, text := range texts {
		k, err := webhooksig.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		out = append(out, k)
	}
	return out, nil
}

func (d *Deltas) serve(w http.ResponseWriter, r *http.Request) error {
	if _, err := httpjson.Query(r, nil); err != nil {
		return err
	}
	var signed webhooksig.Signed
	for name, into := range map[string]*string{webhooksig.HeaderID: &signed.ID, webhooksig.HeaderTimestamp: &signed.Timestamp, webhooksig.HeaderSignature: &signed.Signature} {
		values := r.Header.Values(name)
		if len(values) != 1 {
			return fmt.Errorf("a webhook has one %s, this one has %d: %w", name, len(values), fault.Unauthenticated)
		}
		*into = values[0]
	}
	body, err := httpjson.ReadBytes(r, "a webhook", event.MaxBody)
	if err != nil {
		return err
	}
	if _, err := webhooksig.Verify(d.keys, &signed, body, d.now(), 0); err != nil {
		return fmt.Errorf("%v: %w", err, fault.Unauthenticated)
	}
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	if e.Type != event.AdvisoryDelta || e.Tenant != "" || e.ID != signed.ID {
		return fmt.Errorf("event %.80q of type %.40q and tenant %.80q in the webhook %.80q: want %s, of no tenant, under its own id: %w", e.ID, e.Type, e.Tenant, signed.ID, event.AdvisoryDelta, fault.Invalid)
	}
	if _, err := event.DecodeDelta(e); err != nil {
		return err
	}
	if err := d.handle(r.Context(), body); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
