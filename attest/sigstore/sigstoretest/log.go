package sigstoretest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/sigstore"
	sumdb "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Log is a transparency log in memory, whose key is ECDSA on P-256.
type Log struct {
	origin string
	key    *ecdsa.PrivateKey
	hashes hashes
	size   int64
}

// NewLog returns a log of an origin, with two entries about nothing.
func NewLog(origin string) (*Log, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	l := &Log{origin: origin, key: key}
	for _, body := range []string{"first", "second"} {
		if _, err := l.append([]byte(body)); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Trusted returns the log as a trust root has it.
func (l *Log) Trusted(from time.Time) (sigstore.Log, error) {
	der, err := x509.MarshalPKIXPublicKey(l.key.Public())
	if err != nil {
		return sigstore.Log{}, err
	}
	out := sigstore.Log{URL: "https://" + l.origin, Key: der, From: from}
	if out.ID, err = out.KeyID(); err != nil {
		return sigstore.Log{}, err
	}
	out.CheckpointID = out.ID[:4]
	return out, nil
}

// Append logs a record, and returns its entry with a proof.
func (l *Log) Append(r *rekor.Record) (bundle.Entry, error) {
	body, err := r.Body()
	if err != nil {
		return bundle.Entry{}, err
	}
	return l.AppendBody(body)
}

// AppendBody is Append of a body that may be of anything, under the label of a
// record's.
func (l *Log) AppendBody(body []byte) (bundle.Entry, error) {
	e := bundle.Entry{Kind: rekor.Kind, Version: rekor.Version, Body: body}
	trusted, err := l.Trusted(time.Time{})
	if err != nil {
		return e, err
	}
	e.LogID = trusted.ID
	if e.LogIndex, err = l.append(body); err != nil {
		return e, err
	}
	if _, err := l.append([]byte("after")); err != nil {
		return e, err
	}
	root, err := tlog.TreeHash(l.size, l.hashes)
	if err != nil {
		return e, err
	}
	proof, err := tlog.ProveRecord(l.size, e.LogIndex, l.hashes)
	if err != nil {
		return e, err
	}
	e.Proof = &bundle.Proof{LogIndex: e.LogIndex, TreeSize: l.size, RootHash: root}
	for _, h := range proof {
		e.Proof.Hashes = append(e.Proof.Hashes, h)
	}
	e.Proof.Checkpoint, err = l.Checkpoint(l.size, root[:])
	return e, err
}

// Checkpoint signs a checkpoint of any size and root.
func (l *Log) Checkpoint(size int64, root []byte) (string, error) {
	signer, err := signature.LoadSigner(l.key, crypto.SHA256)
	if err != nil {
		return "", err
	}
	ns, err := note.NewNoteSigner(context.Background(), l.origin, signer)
	if err != nil {
		return "", err
	}
	text, err := sumdb.Sign(&sumdb.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.origin, size, base64.StdEncoding.EncodeToString(root))}, ns)
	return string(text), err
}

func (l *Log) append(body []byte) (int64, error) {
	more, err := tlog.StoredHashes(l.size, body, l.hashes)
	if err != nil {
		return 0, err
	}
	l.hashes = append(l.hashes, more...)
	l.size++
	return l.size - 1, nil
}

// hashes are a tree's, as package tlog stores them.
type hashes []tlog.Hash

// ReadHashes returns stored hashes.
func (h hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, h[i])
	}
	return out, nil
}
