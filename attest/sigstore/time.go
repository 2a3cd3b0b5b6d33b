package sigstore

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/stella-ops/stella/attest/timestamp"
)

// oneTimestamp shows the library a bundle with one of its timestamps.
type oneTimestamp struct {
	*bundle.Bundle
	stamp []byte
}

// Timestamps returns the timestamp.
func (o *oneTimestamp) Timestamps() ([][]byte, error) { return [][]byte{o.stamp}, nil }

// checkTimes checks the timestamps, that there are times enough, and that managed
// keys and the keys of logs were valid at all of them.
func (s *verification) checkTimes() error {
	var unknown []error
	for i, t := range s.bundle.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps() {
		err := s.checkStamp(i, t.GetSignedTimestamp())
		switch timestamp.ReasonOf(err) {
		case timestamp.ReasonAuthority, timestamp.ReasonChain:
			unknown = append(unknown, err) // of somebody whom others may trust
		default:
			if err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(s.out.Times, func(a, b SignedTime) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Source, b.Source), cmp.Compare(a.URL, b.URL))
	})
	need := s.opts.Times
	if need == 0 && (s.leaf != nil || s.key.bounded()) {
		need = 1
	}
	if n := len(s.sources); n < need {
		return refuse(ReasonTimestamp, errors.Join(unknown...), "times of %d sources, want %d", n, need)
	}
	for _, t := range s.out.Times {
		if s.key != nil && !s.key.validAt(t.At) {
			return refuse(ReasonExpired, nil, "the key was not valid at %s", t.At.Format(time.RFC3339))
		}
		for _, l := range s.logKeys {
			if !l.validAt(t.At) {
				return refuse(ReasonLogKey, nil, "log %q at %s", l.URL, t.At.Format(time.RFC3339))
			}
		}
	}
	return nil
}

// checkStamp checks one timestamp, by the library and by package timestamp, which
// reads what the library passes over.
func (s *verification) checkStamp(i int, der []byte) error {
	stamp, err := timestamp.Verify(der, s.content.Signature(), s.stampers)
	if err != nil {
		return refuse(ReasonTimestamp, err, "timestamp %d", i)
	}
	times, failed, err := verify.VerifySignedTimestamp(&oneTimestamp{s.bundle, der}, s.trusted)
	if err != nil || len(times) != 1 || !times[0].Time.Equal(stamp.Time) {
		return refuse(ReasonTimestamp, errors.Join(append(failed, err)...), "timestamp %d", i)
	}
	s.out.Times = append(s.out.Times, SignedTime{At: stamp.Time.UTC(), Source: SourceTimestamp, URL: stamp.Authority.Name})
	s.sources[sha256.Sum256(stamp.Authority.Certificates[0].Raw)] = true
	return nil
}

// stampers returns the timestamp authorities of a trust root.
func (r *TrustRoot) stampers() ([]*timestamp.Authority, error) {
	var out []*timestamp.Authority
	for _, a := range r.Timestamps {
		certs, err := a.parse()
		if err != nil {
			return nil, rootError(ReasonMalformed, err, "timestamp authority %q", a.URL)
		}
		out = append(out, &timestamp.Authority{Name: a.URL, Certificates: certs, From: a.From, To: a.Until})
	}
	return out, nil
}
