package sigstore

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	common "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Encode returns the trust root as trusted_root.json, which ParseTrustRoot and
// the tools of Sigstore read. Its parts are sorted by start, id and certificates,
// and the JSON is canonical: trust roots that trust the same give equal bytes. A
// trust root that ParseTrustRoot would refuse is refused.
func (r *TrustRoot) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	pb := &trustroot.TrustedRoot{MediaType: trustRootType}
	var err error
	if pb.Tlogs, err = writeLogs(r.Logs); err != nil {
		return nil, err
	}
	if pb.Ctlogs, err = writeLogs(r.CertificateLogs); err != nil {
		return nil, err
	}
	pb.CertificateAuthorities = writeAuthorities(r.Authorities)
	pb.TimestampAuthorities = writeAuthorities(r.Timestamps)
	text, err := protojson.Marshal(pb)
	if err == nil {
		text, err = canonical(text)
	}
	if err != nil {
		return nil, rootError(ReasonMalformed, err, "encode")
	}
	if len(text) > MaxTrustRoot {
		return nil, rootError(ReasonLimit, nil, "%d bytes, at most %d", len(text), MaxTrustRoot)
	}
	return text, nil
}

func writeLogs(logs []Log) ([]*trustroot.TransparencyLogInstance, error) {
	var out []*trustroot.TransparencyLogInstance
	for _, l := range logs {
		details, err := keyDetails(l.Key)
		if err != nil {
			return nil, err
		}
		id, err := l.id()
		if err != nil {
			return nil, err
		}
		t := &trustroot.TransparencyLogInstance{
			BaseUrl:       l.URL,
			HashAlgorithm: common.HashAlgorithm_SHA2_256,
			PublicKey:     &common.PublicKey{RawBytes: l.Key, KeyDetails: details, ValidFor: writeRange(l.From, l.Until)},
			LogId:         &common.LogId{KeyId: id},
			Operator:      l.Operator,
		}
		if len(l.CheckpointID) > 0 {
			t.CheckpointKeyId = &common.LogId{KeyId: l.CheckpointID}
		}
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b *trustroot.TransparencyLogInstance) int {
		return cmp.Or(
			a.PublicKey.ValidFor.Start.AsTime().Compare(b.PublicKey.ValidFor.Start.AsTime()),
			bytes.Compare(a.LogId.KeyId, b.LogId.KeyId))
	})
	return out, nil
}

func writeAuthorities(list []Authority) []*trustroot.CertificateAuthority {
	var out []*trustroot.CertificateAuthority
	for _, a := range list {
		c := &trustroot.CertificateAuthority{Uri: a.URL, ValidFor: writeRange(a.From, a.Until), CertChain: &common.X509CertificateChain{}, Operator: a.Operator}
		for _, der := range a.Chain {
			c.CertChain.Certificates = append(c.CertChain.Certificates, &common.X509Certificate{RawBytes: der})
		}
		if top, err := x509.ParseCertificate(a.Chain[len(a.Chain)-1]); err == nil {
			c.Subject = &common.DistinguishedName{CommonName: top.Subject.CommonName}
			if len(top.Subject.Organization) > 0 {
				c.Subject.Organization = top.Subject.Organization[0]
			}
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b *trustroot.CertificateAuthority) int {
		return cmp.Or(
			a.ValidFor.Start.AsTime().Compare(b.ValidFor.Start.AsTime()),
			slices.CompareFunc(a.CertChain.Certificates, b.CertChain.Certificates, func(x, y *common.X509Certificate) int { return bytes.Compare(x.RawBytes, y.RawBytes) }),
			cmp.Compare(a.Uri, b.Uri))
	})
	return out
}

func writeRange(from, until time.Time) *common.TimeRange {
	r := &common.TimeRange{Start: timestamppb.New(from)}
	if !until.IsZero() {
		r.End = timestamppb.New(until)
	}
	return r
}

// keyDetails returns the one way in which a log's key is used.
func keyDetails(der []byte) (common.PublicKeyDetails, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return 0, rootError(ReasonMalformed, err, "key")
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return common.PublicKeyDetails_PKIX_ED25519, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return common.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, nil
		case elliptic.P384():
			return common.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384, nil
		case elliptic.P521():
			return common.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512, nil
		}
	case *rsa.PublicKey:
		switch key.N.BitLen() {
		case 2048:
			return common.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256, nil
		case 3072:
			return common.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256, nil
		case 4096:
			return common.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256, nil
		}
	}
	return 0, rootError(ReasonUnsupported, nil, "key of type %T", key)
}
