package timeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// CheckpointType is the payload type of a checkpoint's envelope.
const CheckpointType = "application/vnd.stella.timeline.checkpoint+json"

// The bounds of checkpoints.
const (
	MaxMarks      = 32768   // rows that one covers
	MaxCheckpoint = 1 << 20 // bytes of an encoded envelope
)

// markSize is how many bytes of a row's hash a mark is.
const markSize = 8

// Kept is a checkpoint as a store and a sink keep it.
type Kept struct {
	Number   int64
	Envelope []byte // encoded
}

// Checkpoint is what is signed: how the chain of a tenant stood. See the package's
// comment.
type Checkpoint struct {
	Number   int64
	Tenant   string
	First    int64
	Last     int64
	Hash     Hash   // of row Last
	Marks    []byte // the first 8 bytes of the hash of each row from First to Last
	Previous string // digest of the payload of the one before; "" in the first
	Time     time.Time
}

// payload is a checkpoint as JSON.
type payload struct {
	First    int64  `json:"first"`
	Hash     string `json:"hash"`
	Last     int64  `json:"last"`
	Marks    []byte `json:"marks"`
	Number   int64  `json:"number"`
	Previous string `json:"previous,omitempty"`
	Tenant   string `json:"tenant"`
	Time     string `json:"time"`
}

// Sign returns the checkpoint in an envelope. It is deterministic if the signers are.
func (c *Checkpoint) Sign(ctx context.Context, signers ...dsse.Signer) (*Kept, error) {
	p := payload{First: c.First, Hash: c.Hash.String(), Last: c.Last, Marks: c.Marks, Number: c.Number, Previous: c.Previous, Tenant: c.Tenant, Time: c.Time.UTC().Format(timeFormat)}
	text, err := json.Marshal(&p, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	var e *dsse.Envelope
	var encoded []byte
	if err == nil {
		e, err = dsse.Sign(ctx, CheckpointType, text, signers...)
	}
	if err == nil {
		encoded, err = e.Encode()
	}
	if err == nil && len(encoded) > MaxCheckpoint {
		err = &fault.LimitError{What: "bytes of a checkpoint", Where: "tenant " + c.Tenant, Max: MaxCheckpoint, Seen: int64(len(encoded))}
	}
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint %d of tenant %s: %w", c.Number, c.Tenant, err)
	}
	return &Kept{c.Number, encoded}, nil
}

// ReadCheckpoint reads what Sign made and verifies it, with the digest of its payload,
// which the next one names. An error wraps ErrInvalid or ErrMismatch.
func ReadCheckpoint(k *Kept, tenant string, trust dsse.Trust) (c *Checkpoint, digest string, err error) {
	fail := func(err error) (*Checkpoint, string, error) {
		return nil, "", fmt.Errorf("read checkpoint %d of tenant %s: %w", k.Number, tenant, err)
	}
	if len(k.Envelope) > MaxCheckpoint {
		return fail(&fault.LimitError{What: "bytes of a checkpoint", Where: "tenant " + tenant, Max: MaxCheckpoint, Seen: int64(len(k.Envelope))})
	}
	e, err := dsse.Decode(k.Envelope)
	if err != nil {
		return fail(err)
	}
	verified, err := trust.Verify(e, CheckpointType)
	if err != nil {
		return fail(err)
	}
	var p payload
	if err := json.Unmarshal(verified.Payload, &p, json.RejectUnknownMembers(true)); err != nil {
		return fail(fmt.Errorf("%v: %w", err, fault.Invalid))
	}
	c = &Checkpoint{Number: p.Number, Tenant: p.Tenant, First: p.First, Last: p.Last, Marks: p.Marks, Previous: p.Previous}
	if c.Time, err = time.Parse(timeFormat, p.Time); err != nil {
		return fail(fmt.Errorf("time %.40q: %w", p.Time, fault.Invalid))
	}
	if c.Hash, err = parseHash(p.Hash); err != nil {
		return fail(err)
	}
	rows := c.Last - c.First + 1
	if c.Number != k.Number || c.Tenant != tenant || c.First < 1 || rows < 1 || rows > MaxMarks || int64(len(c.Marks)) != rows*markSize {
		return fail(fmt.Errorf("it is number %d of %.80q, of rows %d to %d with %d bytes of marks: %w", c.Number, c.Tenant, c.First, c.Last, len(c.Marks), fault.Mismatch))
	}
	return c, sum.Of(verified.Payload), nil
}

func parseHash(s string) (h Hash, err error) {
	if !sum.Is(s) {
		return h, fmt.Errorf("hash %.80q: want sha256: and 64 digits: %w", s, fault.Invalid)
	}
	_, err = hex.Decode(h[:], []byte(s[len("sha256:"):]))
	return h, err
}
