package scan

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/blob"
)

// SBOMScheme begins the reference of a scan whose subject is an SBOM; the digest of its
// bytes follows.
const SBOMScheme = "sbom:"

// MaxUpload bounds an SBOM that is uploaded to be scanned, in bytes.
const MaxUpload = 32 << 20

// Uploaded is the format under which the documents of a scan have the SBOM that was
// uploaded, as it was.
const Uploaded = "uploaded"

// Object is a blob.Ref as requests and manifests have it.
type Object struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Chunks are the sums of an object of several chunks.
	Chunks []byte `json:"chunks,omitempty"`
}

// Secret is text that is shown to nobody: it prints as "[redacted]". "" is none.
type Secret string

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString hides the text.
func (s Secret) GoString() string { return `scan.Secret("` + s.String() + `")` }

// MarshalText hides the text, for loggers and encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ObjectOf is r as an Object.
func ObjectOf(r blob.Ref) *Object { return &Object{r.Digest, r.Size, r.Chunks} }

// Ref is o as a blob.Ref.
func (o *Object) Ref() blob.Ref { return blob.Ref{Digest: o.Digest, Size: o.Size, Chunks: o.Chunks} }

// checkSubject says what is wrong with what a request is about, beyond its name.
func (r *Request) checkSubject(bad func(format string, args ...any)) {
	if r.SBOM == nil {
		if r.Project != nil {
			bad("project: is of an SBOM, and there is none")
		}
	} else {
		r.checkSBOM(bad)
	}
	switch a := string(r.Authorization); {
	case len(a) > MaxAuthorization:
		bad("authorization: %d bytes, at most %d", len(a), MaxAuthorization)
	case strings.ContainsFunc(a, func(c rune) bool { return c < ' ' || c > '~' }), strings.TrimSpace(a) != a:
		bad("authorization: has characters that no header has") // the value is secret
	case a != "" && r.StoreLayers:
		bad("store_layers: layers are stored after the scan, when the credential is gone")
	}
}

func (r *Request) checkSBOM(bad func(format string, args ...any)) {
	switch o := r.SBOM; {
	case !sum.Is(o.Digest):
		bad("sbom: %.80q is not the digest of an object", o.Digest)
	case o.Size < 1 || o.Size > MaxUpload:
		bad("sbom: %d bytes, want 1 to %d", o.Size, MaxUpload)
	case len(o.Chunks) > 32*(MaxUpload/blob.ChunkSize+1):
		bad("sbom: %d bytes of sums of chunks", len(o.Chunks))
	}
	if r.Platform != "" || r.StoreLayers || r.PlainHTTP || r.Authorization != "" {
		bad("sbom: platform, store_layers and what a registry is asked with are of images")
	}
	if p := r.Project; p != nil {
		for what, s := range map[string]string{"name": p.Name, "version": p.Version} {
			if what == "name" && s == "" || len(s) > MaxProject || strings.ContainsFunc(s, isControl) || strings.TrimSpace(s) != s {
				bad("project: the %s %.80q: want at most %d bytes without control characters, and without spaces around them", what, s, MaxProject)
			}
		}
	}
}

// isControl reports whether c commands a terminal, or stands for what is not UTF-8.
func isControl(c rune) bool { return unicode.IsControl(c) || c == utf8.RuneError }
