// Package attesthttp serves proof over HTTP and asks for it there. There are three
// handlers, because three systems do it: [SignHandler] is the Signer, who holds keys and
// serves nothing else; [AttestHandler] is the Attestor; [ExportHandler] is the Export
// Center, which a scanner's service mounts as well. [Client] is the other side of each.
//
// docs/modules/signer.md, attestor.md and export-center.md say what travels, and
// docs/openapi has a document for each.
package attesthttp

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/store/blob"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels, in bytes.
const (
	MaxBody   = 1 << 20                   // of a request in JSON
	MaxSBOM   = dsse.MaxEnvelope / 4 * 3  // of a document that is to be signed
	MaxVerify = bundle.MaxBundle + 40<<20 // of what is to be verified
	MaxAnswer = 64 << 20                  // of an answer in JSON that a Client reads
)

// The media types beside JSON.
const (
	TypeEnvelope  = "application/vnd.dsse.envelope.v1+json"
	TypeBundle    = bundle.MediaType       // one Sigstore bundle
	TypeLines     = export.MediaTypeBundle // JSON Lines of them, as exports are signed
	TypeSPDX      = "application/spdx+json"
	TypeCycloneDX = "application/vnd.cyclonedx+json"
)

// The header fields beside the usual ones.
const (
	KeyHeader         = "Stella-Key-Id"      // the key that signed
	DocumentHeader    = "Stella-Document"    // digest of the document that a statement is made of
	AttestationHeader = "Stella-Attestation" // id of an attestation
	VersionHeader     = "Stella-Version"     // of an attestation or an export
	MissingHeader     = "Stella-Missing"     // proofs that are wanted and not there, "log, timestamp"; absent where all are
	StateHeader       = "Stella-State"       // of an export that is served while another is wanted: "queued" or "failed"
)

// The codes of problems that are no refusals of a verification.
const (
	CodePanic   = "panic"          // the verifier broke down, so that nothing is verified
	CodeMissing = "object missing" // what was exported is gone where it is kept
	CodeDamaged = "object damaged" // what was exported is not what was kept
)

const root = "/api/v1"

// Identity is who sends a request. Everybody of a tenant may read, ask for exports and
// send envelopes; who may have what signed, the Signer's grants say.
type Identity struct {
	Tenant   string // required
	Subject  string
	Operator bool // may see and change what is exported, and where to
}

// Objects open what was exported. A blob.Bucket is one.
type Objects interface {
	// Open reads an object. It gives out verified bytes only. An error wraps ErrNotFound
	// where it is gone and ErrMismatch where it is damaged.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
	// ReadRange reads length bytes of it from an offset on, as verified.
	ReadRange(ctx context.Context, ref blob.Ref, offset, length int64) (io.ReadCloser, error)
}

// Code returns the name of why something was refused, whether here or by a server: what
// attest.Code returns, or a code of this package. It is "" for other errors.
func Code(err error) string {
	if code := attest.Code(err); code != "" {
		return code
	}
	var r *httpjson.Remote
	if errors.As(err, &r) {
		code, _ := r.Problem.Extra["code"].(string)
		return code
	}
	return ""
}

// isScan reports whether id can be that of a scan. Nothing else is looked up or made
// part of a path.
func isScan(id string) bool {
	rest, ok := strings.CutPrefix(id, "scan-")
	return ok && rest != "" && len(id) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isDigest reports whether s has the form of a digest of any algorithm.
func isDigest(s string) bool {
	algorithm, hex, ok := strings.Cut(s, ":")
	return ok && len(s) <= 160 && algorithm != "" && strings.Trim(algorithm, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == "" &&
		hex != "" && strings.Trim(hex, "0123456789abcdef") == ""
}
