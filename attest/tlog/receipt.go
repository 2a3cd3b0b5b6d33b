package tlog

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// proofHeader begins every encoded receipt.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Receipt shows that an entry is in a log, to whoever knows the entry and the log's
// key. Nothing in it is to be believed before [Policy.Verify] said so.
//
// The fields are those of Sigstore's inclusion proof: logIndex is Index, hashes are
// Proof, checkpoint.envelope is Checkpoint, and treeSize and rootHash are what
// [ParseTree] reads in it.
type Receipt struct {
	Index int64 // of the entry, from 0
	// Proof are the hashes from the leaf's sibling to the root's child (RFC 6962,
	// section 2.1.1).
	Proof []Hash
	// Checkpoint is the signed note, with the cosignatures that there are.
	Checkpoint []byte
	// Extra is data of the application's own, which nothing vouches for; may be nil.
	Extra []byte
}

// Encode returns the receipt as C2SP tlog-proof. An error wraps ErrInvalid or
// ErrLimit where [DecodeReceipt] would refuse it.
func (r *Receipt) Encode() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if len(r.Extra) > 0 {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(r.Extra) + "\n")
	}
	b.WriteString("index " + strconv.FormatInt(r.Index, 10) + "\n")
	for _, h := range r.Proof {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Checkpoint)
	if _, err := DecodeReceipt(b.Bytes()); err != nil {
		return nil, fmt.Errorf("encode a receipt: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeReceipt reads a receipt in the format of C2SP tlog-proof. It has one
// spelling. Nothing is verified.
func DecodeReceipt(text []byte) (*Receipt, error) {
	bad := func(format string, args ...any) (*Receipt, error) {
		return nil, &Error{Reason: ReasonMalformed, What: "receipt", Detail: fmt.Sprintf(format, args...)}
	}
	if len(text) > MaxReceipt {
		return nil, &fault.LimitError{What: "bytes of a receipt", Where: "receipt", Max: MaxReceipt, Seen: int64(len(text))}
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return bad("no empty line before a checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if lines[0] != proofHeader {
		return bad("it begins with %.40q, want %q", lines[0], proofHeader)
	}
	lines = lines[1:]
	r := &Receipt{}
	if len(lines) > 0 {
		if b64, ok := strings.CutPrefix(lines[0], "extra "); ok {
			extra, err := base64.StdEncoding.Strict().DecodeString(b64)
			if err != nil || len(extra) == 0 || strings.ContainsAny(b64, "\r\n") {
				return bad("extra data that are not in base64")
			}
			if len(extra) > MaxExtra {
				return nil, &fault.LimitError{What: "bytes of extra data", Where: "receipt", Max: MaxExtra, Seen: int64(len(extra))}
			}
			r.Extra, lines = extra, lines[1:]
		}
	}
	if len(lines) == 0 {
		return bad("no index")
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := parseNumber(number)
	if !ok || err != nil {
		return bad("%.40q where the index should be", lines[0])
	}
	r.Index = index
	if len(lines)-1 > MaxProof {
		return nil, &fault.LimitError{What: "hashes of a proof", Where: "receipt", Max: MaxProof, Seen: int64(len(lines) - 1)}
	}
	for _, line := range lines[1:] {
		h, err := ParseHash(line)
		if err != nil {
			return bad("%.60q where a hash should be", line)
		}
		r.Proof = append(r.Proof, h)
	}
	tree, err := ParseTree(checkpoint)
	if err != nil {
		return nil, err
	}
	if string(bodyOf(checkpoint)) != tree.text() {
		return bad("a checkpoint without signatures")
	}
	r.Checkpoint = bytes.Clone(checkpoint)
	return r, nil
}
