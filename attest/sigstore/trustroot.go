package sigstore

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"google.golang.org/protobuf/encoding/protojson"
)

const trustRootType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

// TrustRoot says whom signatures may rest on: the file trusted_root.json. The
// zero value trusts nobody. It must not be changed once a [Verifier] is made of it.
type TrustRoot struct {
	// Logs are the transparency logs whose entries count.
	Logs []Log
	// Authorities issue the certificates of signers.
	Authorities []Authority
	// CertificateLogs are those of which certificates must have a signed timestamp;
	// where there are none, certificates need none.
	CertificateLogs []Log
	// Timestamps are the timestamp authorities (RFC 3161).
	Timestamps []Authority
}

// Log is a transparency log.
type Log struct {
	// URL names the log. Its host is the origin of checkpoints of a log like Rekor
	// v2, so such an origin is a host and nothing else.
	URL string
	// Key is the log's SubjectPublicKeyInfo: ECDSA on P-256, P-384 and P-521,
	// Ed25519, or RSA of 2048, 3072 and 4096 bits.
	Key []byte
	// ID is by what entries name the log. TrustRoot.Encode takes KeyID where it is
	// nil.
	ID []byte
	// CheckpointID is by what checkpoints name the key, 4 bytes; it follows from Key
	// and URL, and is here for files that say it. Nil means it is not said.
	CheckpointID []byte
	// From and Until are when the key is valid, both inclusive. From is required; a
	// zero Until has no end.
	From, Until time.Time
	Operator    string // who runs it; may be ""
}

// Authority issues certificates, or timestamps.
type Authority struct {
	URL string // may be ""
	// Chain are certificates in DER, each issued by the next, the last one by itself.
	// That of an authority for timestamps may begin with the certificate that signs
	// them.
	Chain [][]byte
	// From and Until are when it may be relied upon, both inclusive. From is
	// required; a zero Until has no end.
	From, Until time.Time
	Operator    string // who runs it; may be ""
}

// KeyID returns the identifier of the log's key, 32 bytes, of which the first four
// are in checkpoints: for ECDSA the SHA-256 of the key, as Rekor v1 has it, for
// others that of C2SP signed-note with the origin.
func (l *Log) KeyID() ([]byte, error) {
	key, err := x509.ParsePKIXPublicKey(l.Key)
	if err != nil {
		return nil, rootError(ReasonMalformed, err, "key of log %q", l.URL)
	}
	_, id, err := note.KeyHash(l.Origin(), key)
	if err != nil {
		return nil, rootError(ReasonUnsupported, err, "key of log %q", l.URL)
	}
	return id, nil
}

// Origin returns the origin of the log's checkpoints, or "" where the URL has no
// host.
func (l *Log) Origin() string {
	u, err := url.Parse(l.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// validAt reports whether the log's key is valid at a time.
func (l *Log) validAt(at time.Time) bool { return inside(at, l.From, l.Until) }

// inside reports whether at is between both, inclusive; zero until is endless.
func inside(at, from, until time.Time) bool {
	return !at.Before(from) && (until.IsZero() || !at.After(until))
}

// ParseTrustRoot reads a trusted_root.json. Refused are members that are not known
// or occur twice, another media type, a key or certificate that cannot be read or
// is not supported, a key that is not what its details say, a validity without
// start or with an end before it, and two logs of one id. An error is an *Error.
func ParseTrustRoot(text []byte) (*TrustRoot, error) {
	if len(text) > MaxTrustRoot {
		return nil, rootError(ReasonLimit, nil, "%d bytes, at most %d", len(text), MaxTrustRoot)
	}
	var pb trustroot.TrustedRoot
	if err := protojson.Unmarshal(text, &pb); err != nil {
		return nil, rootError(ReasonMalformed, nil, "%v", err)
	}
	if pb.GetMediaType() != trustRootType {
		return nil, rootError(ReasonUnsupported, nil, "media type %q, want %q", pb.GetMediaType(), trustRootType)
	}
	r := &TrustRoot{}
	var err error
	if r.Logs, err = readLogs("tlogs", pb.GetTlogs()); err != nil {
		return nil, err
	}
	if r.CertificateLogs, err = readLogs("ctlogs", pb.GetCtlogs()); err != nil {
		return nil, err
	}
	if r.Authorities, err = readAuthorities("certificateAuthorities", pb.GetCertificateAuthorities()); err != nil {
		return nil, err
	}
	if r.Timestamps, err = readAuthorities("timestampAuthorities", pb.GetTimestampAuthorities()); err != nil {
		return nil, err
	}
	return r, r.check()
}

func readLogs(where string, in []*trustroot.TransparencyLogInstance) ([]Log, error) {
	var out []Log
	for i, t := range in {
		from, until := readRange(t.GetPublicKey().GetValidFor())
		l := Log{URL: t.GetBaseUrl(), Key: t.GetPublicKey().GetRawBytes(), ID: t.GetLogId().GetKeyId(), CheckpointID: t.GetCheckpointKeyId().GetKeyId(), From: from, Until: until, Operator: t.GetOperator()}
		if a := t.GetHashAlgorithm(); a != common.HashAlgorithm_SHA2_256 {
			return nil, rootError(ReasonUnsupported, nil, "%s[%d]: hash %v", where, i, a)
		}
		if len(l.ID) == 0 {
			return nil, rootError(ReasonMalformed, nil, "%s[%d]: no log id", where, i)
		}
		details := t.GetPublicKey().GetKeyDetails()
		//lint:ignore SA1019 the public logs of certificates of 2021 have it still
		if details == common.PublicKeyDetails_PKCS1_RSA_PKCS1V5 {
			key, err := x509.ParsePKCS1PublicKey(l.Key)
			if err == nil {
				l.Key, err = x509.MarshalPKIXPublicKey(key)
			}
			if err != nil {
				return nil, rootError(ReasonMalformed, err, "%s[%d]: key", where, i)
			}
		} else if want, err := keyDetails(l.Key); err != nil {
			return nil, rootError(ReasonOf(err), err, "%s[%d]", where, i)
		} else if details != want {
			return nil, rootError(ReasonMalformed, nil, "%s[%d]: details say the key is %v, it is %v", where, i, details, want)
		}
		out = append(out, l)
	}
	return out, nil
}

func readAuthorities(where string, in []*trustroot.CertificateAuthority) ([]Authority, error) {
	var out []Authority
	for i, c := range in {
		a := Authority{URL: c.GetUri(), Operator: c.GetOperator()}
		a.From, a.Until = readRange(c.GetValidFor())
		for _, cert := range c.GetCertChain().GetCertificates() {
			a.Chain = append(a.Chain, cert.GetRawBytes())
		}
		if c.GetSubject() == nil && len(a.Chain) == 0 {
			return nil, rootError(ReasonMalformed, nil, "%s[%d]: empty", where, i)
		}
		out = append(out, a)
	}
	return out, nil
}

func readRange(r *common.TimeRange) (from, until time.Time) {
	if r.GetStart() != nil {
		from = r.GetStart().AsTime()
	}
	if r.GetEnd() != nil {
		until = r.GetEnd().AsTime()
	}
	return from, until
}

// check says what is wrong with a trust root.
func (r *TrustRoot) check() error {
	for _, part := range []struct {
		where string
		logs  []Log
	}{{"tlogs", r.Logs}, {"ctlogs", r.CertificateLogs}} {
		if len(part.logs) > MaxAuthority {
			return rootError(ReasonLimit, nil, "%s: %d, at most %d", part.where, len(part.logs), MaxAuthority)
		}
		seen := map[string]bool{}
		for i, l := range part.logs {
			where := fmt.Sprintf("%s[%d]", part.where, i)
			if err := checkRange(where, l.From, l.Until); err != nil {
				return err
			}
			if _, err := keyDetails(l.Key); err != nil {
				return rootError(ReasonOf(err), err, "%s", where)
			}
			id, err := l.id()
			if err != nil {
				return err
			}
			if seen[string(id)] {
				return rootError(ReasonMalformed, nil, "%s: a log of the same id comes before", where)
			}
			seen[string(id)] = true
		}
	}
	for _, part := range []struct {
		where string
		list  []Authority
	}{{"certificateAuthorities", r.Authorities}, {"timestampAuthorities", r.Timestamps}} {
		if len(part.list) > MaxAuthority {
			return rootError(ReasonLimit, nil, "%s: %d, at most %d", part.where, len(part.list), MaxAuthority)
		}
		for i, a := range part.list {
			where := fmt.Sprintf("%s[%d]", part.where, i)
			if err := checkRange(where, a.From, a.Until); err != nil {
				return err
			}
			if err := checkChain(where, a.Chain); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRange(where string, from, until time.Time) error {
	if from.IsZero() {
		return rootError(ReasonMalformed, nil, "%s: its validity has no start", where)
	}
	if !until.IsZero() && until.Before(from) {
		return rootError(ReasonMalformed, nil, "%s: its validity ends before it starts", where)
	}
	return nil
}

func checkChain(where string, chain [][]byte) error {
	if len(chain) == 0 {
		return rootError(ReasonMalformed, nil, "%s: no certificates", where)
	}
	if len(chain) > MaxChain {
		return rootError(ReasonLimit, nil, "%s: %d certificates, at most %d", where, len(chain), MaxChain)
	}
	a := Authority{Chain: chain}
	certs, err := a.parse()
	if err != nil {
		return rootError(ReasonMalformed, err, "%s", where)
	}
	for i, c := range certs[1:] {
		if certs[i].CheckSignatureFrom(c) != nil {
			return rootError(ReasonMalformed, nil, "%s: certificate %d was not issued by the next", where, i)
		}
	}
	return nil
}

// parse reads the certificates of an authority.
func (a *Authority) parse() ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for i, der := range a.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// id returns the log's id.
func (l *Log) id() ([]byte, error) {
	if len(l.ID) > 0 {
		return l.ID, nil
	}
	return l.KeyID()
}

// keyHash tells keys apart, whatever their logs are called.
func (l *Log) keyHash() [sha256.Size]byte { return sha256.Sum256(l.Key) }

// canonical returns JSON that does not depend on the library's whims.
func canonical(text []byte) ([]byte, error) {
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		return nil, err
	}
	return v, nil
}

// rootError makes an error about a trust root.
func rootError(r Reason, cause error, format string, args ...any) *Error {
	return &Error{Reason: r, What: "trust root", Detail: fmt.Sprintf(format, args...), Err: cause}
}
