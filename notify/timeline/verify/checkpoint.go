package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
)

// PayloadType is the type of a checkpoint's payload.
const PayloadType = "application/vnd.stella.timeline.checkpoint+json"

// MaxCheckpoint bounds the line of a checkpoint, in bytes.
const MaxCheckpoint = 1 << 20

const markBytes = 8

// signed is a checkpoint as its payload says it.
type signed struct {
	First    int64  `json:"first"`
	Hash     string `json:"hash"`
	Last     int64  `json:"last"`
	Marks    string `json:"marks"`
	Number   int64  `json:"number"`
	Previous string `json:"previous,omitempty"`
	Tenant   string `json:"tenant"`
	Time     string `json:"time"`
}

// stamp is a checkpoint that was verified. The zero value is before the first one.
type stamp struct {
	number, first, last int64
	hash                Hash
	marks               []byte
	digest, previous    string
	time                time.Time
}

// mark returns the first bytes of the hash of a row that the checkpoint covers.
func (s *stamp) mark(seq int64) []byte { return s.marks[(seq-s.first)*markBytes:][:markBytes] }

// checkpoints reads checkpoints one after another.
type checkpoints struct {
	in     *bufio.Reader // nil without any
	trust  dsse.Trust
	tenant string
	now    stamp // the newest that was read
	count  int64
	seen   *Seen
	met    bool // seen was
}

// next reads the next checkpoint into now, and reports false at the end. An error is an
// *Error, or of the reader.
func (c *checkpoints) next() (bool, error) {
	if c.in == nil {
		return false, nil
	}
	line, err := c.in.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		return false, nil
	case err == bufio.ErrBufferFull:
		return false, c.wrong(Checkpoint, c.now.number+1, fmt.Sprintf("it has more than %d bytes", MaxCheckpoint))
	case err != nil && err != io.EOF:
		return false, fmt.Errorf("read checkpoints: %w", err)
	}
	s, err := c.read(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return false, c.wrong(Checkpoint, c.now.number+1, err.Error())
	}
	switch last := &c.now; {
	case s.number == last.number && s.digest != last.digest, s.number == last.number+1 && s.previous != last.digest && s.first == last.last+1:
		return false, c.wrong(Fork, s.number, "checkpoints contradict each other")
	case s.number != last.number+1:
		return false, c.wrong(Checkpoint, last.number+1, fmt.Sprintf("checkpoint %d comes after checkpoint %d", s.number, last.number))
	case s.previous != last.digest || s.first != last.last+1:
		return false, c.wrong(Checkpoint, s.number, "it does not follow from the one before")
	}
	c.now = *s
	c.count++
	if c.seen != nil && c.seen.Number == s.number {
		if c.met = true; c.seen.Digest != s.digest {
			return false, &Error{Reason: Fork, Seq: s.first, Checkpoint: s.number, Detail: "another checkpoint of this number was seen: " + c.seen.Digest}
		}
	}
	return true, nil
}

// wrong is an error about the checkpoint that comes next: rows up to the last one of
// that before are covered.
func (c *checkpoints) wrong(r Reason, number int64, detail string) *Error {
	return &Error{Reason: r, Seq: c.now.last + 1, Checkpoint: number, Detail: detail}
}

// read verifies a checkpoint by itself.
func (c *checkpoints) read(line []byte) (*stamp, error) {
	envelope, err := dsse.Decode(line)
	if err != nil {
		return nil, err
	}
	verified, err := c.trust.Verify(envelope, PayloadType)
	if err != nil {
		return nil, err
	}
	var p signed
	if err := json.Unmarshal(verified.Payload, &p, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	canonical := jsontext.Value(bytes.Clone(verified.Payload))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, verified.Payload) {
		return nil, errors.New("its payload is not canonical JSON")
	}
	digest := sha256.Sum256(verified.Payload)
	s := &stamp{number: p.Number, first: p.First, last: p.Last, digest: Hash(digest).String(), previous: p.Previous}
	if s.marks, err = base64.StdEncoding.Strict().DecodeString(p.Marks); err != nil {
		return nil, fmt.Errorf("marks: %w", err)
	}
	if s.time, err = time.Parse("2006-01-02T15:04:05.000000Z", p.Time); err != nil {
		return nil, err
	}
	digits, ok := strings.CutPrefix(p.Hash, "sha256:")
	if n, err := hex.Decode(s.hash[:], []byte(digits[:min(len(digits), 64)])); !ok || err != nil || n != 32 || len(digits) != 64 || strings.ToLower(digits) != digits {
		return nil, fmt.Errorf("hash %.80q is none", p.Hash)
	}
	rows := s.last - s.first + 1
	switch {
	case p.Tenant != c.tenant:
		return nil, fmt.Errorf("it is of tenant %.80q, not %q", p.Tenant, c.tenant)
	case s.number < 1 || s.first < 1 || s.last < s.first || rows > MaxCheckpoint/markBytes || int64(len(s.marks)) != rows*markBytes:
		return nil, fmt.Errorf("number %d covers rows %d to %d with %d bytes of marks", s.number, s.first, s.last, len(s.marks))
	case !bytes.Equal(s.mark(s.last), s.hash[:markBytes]):
		return nil, errors.New("its last mark is not of its hash")
	}
	return s, nil
}
