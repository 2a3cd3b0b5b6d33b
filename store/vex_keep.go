package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Known yields the current documents of a source, sorted by name. One that is
// quarantined and whose signature could not be checked is pending again.
func (v *VEX) Known(ctx context.Context, source string) iter.Seq2[vex.Known, error] {
	return func(yield func(vex.Known, error) bool) {
		for last := ""; ; {
			var page []vex.Known
			err := v.read(ctx, "list documents of "+source, func(tx *tx) error {
				page = page[:0]
				return tx.each(func(row func(...any) error) error {
					var k vex.Known
					var sum, proof []byte
					var state int
					err := row(&k.Name, &sum, &proof, &state)
					k.Digest, k.Pending = hexDigest(sum), state == docPending
					if len(proof) > 0 {
						sum := sha256.Sum256(proof)
						k.Proof = hexDigest(sum[:])
					}
					page = append(page, k)
					return err
				}, `SELECT d.name, d.digest, d.proof, CASE WHEN d.state = 2 AND (SELECT r.signature FROM vex.readings r WHERE r.tenant_id = d.tenant_id AND r.document = d.seq ORDER BY r.seq DESC LIMIT 1) = 'unchecked' THEN 0 ELSE d.state END
					FROM vex.documents d WHERE d.tenant_id = $1 AND d.source = $2 AND d.to_run = 0 AND d.name > $3 ORDER BY d.name LIMIT $4`, tx.tenant, source, last, knownPage)
			})
			if err != nil {
				yield(vex.Known{}, err)
				return
			}
			for _, k := range page {
				if !yield(k, nil) {
					return
				}
			}
			if len(page) < knownPage {
				return
			}
			last = page[len(page)-1].Name
		}
	}
}

// keptVEX is a document that is about to be stored.
type keptVEX struct {
	*vex.Document
	name   string
	digest []byte
	body   []byte // compressed
}

// Keep stores raw documents with their proofs. One whose content and proof are
// current is left alone.
func (v *VEX) Keep(ctx context.Context, r *vex.Run, documents []*vex.Document) error {
	list, at := make([]*keptVEX, 0, len(documents)), make(map[string]int, len(documents))
	for _, d := range documents {
		switch {
		case d.Gone || d.Name == "":
			return fmt.Errorf("keep document %q of %s: without a name, or gone: %w", d.Name, r.Source, fault.Invalid)
		case len(d.Content) > MaxVEXDocument:
			return &fault.LimitError{What: "bytes of a raw document", Where: r.Source + " " + d.Name, Max: MaxVEXDocument, Seen: int64(len(d.Content))}
		case len(d.Name) > MaxVEXName:
			return &fault.LimitError{What: "bytes of a document's name", Where: r.Source, Max: MaxVEXName, Seen: int64(len(d.Name))}
		case len(d.Proof) > maxVEXProof:
			return &fault.LimitError{What: "bytes of a signature", Where: r.Source + " " + d.Name, Max: maxVEXProof, Seen: int64(len(d.Proof))}
		}
		sum := sha256.Sum256(d.Content)
		k := &keptVEX{Document: d, name: clean(d.Name), digest: sum[:]}
		if i, again := at[k.name]; again {
			list[i] = k // the later one of a batch counts
			continue
		}
		at[k.name] = len(list)
		list = append(list, k)
	}
	for _, k := range list {
		k.body = packWriter().EncodeAll(k.Content, nil)
	}
	err := v.write(ctx, fmt.Sprintf("keep %d documents of %s", len(list), r.Source), func(tx *tx) error {
		if err := tx.guardVEX(r); err != nil {
			return err
		}
		for _, k := range list {
			if err := tx.keepVEX(r, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(list) > 0 {
		crashpoint.Hit(crashpoint.VEXKept)
	}
	return err
}

func (t *tx) keepVEX(r *vex.Run, k *keptVEX) error {
	var digest, proof []byte
	err := t.get(`SELECT digest, proof FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND name = $3 AND to_run = 0`, []any{t.tenant, r.Source, k.name}, &digest, &proof)
	switch {
	case err != nil && !isNoRows(err):
		return err
	case err == nil && bytes.Equal(digest, k.digest) && bytes.Equal(proof, k.Proof):
		return nil
	case err == nil:
		if _, err := t.exec(`UPDATE vex.documents SET to_run = $4 WHERE tenant_id = $1 AND source = $2 AND name = $3 AND to_run = 0`, t.tenant, r.Source, k.name, r.Number); err != nil {
			return err
		}
	}
	_, err = t.exec(`INSERT INTO vex.contents (tenant_id, digest, size, body, at_us) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, digest) DO NOTHING`,
		t.tenant, k.digest, len(k.Content), k.body, t.now)
	if err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXContents)
	_, err = t.exec(`INSERT INTO vex.documents (tenant_id, source, name, from_run, digest, proof, url, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.tenant, r.Source, k.name, r.Number, k.digest, present(k.Proof), clean(k.URL), t.now)
	crashpoint.Hit(crashpoint.VEXDocuments)
	return err
}

// Raw returns the document that was kept last with a content of the digest, or
// with one that is an envelope around what has the digest; one with a signature
// rather than one without.
func (v *VEX) Raw(ctx context.Context, digest string) (*vex.Document, error) {
	sum, err := rawDigest(digest)
	if err != nil {
		return nil, fmt.Errorf("read a raw document: %w", err)
	}
	d := new(vex.Document)
	var content, body []byte
	var size int64
	err = v.read(ctx, "read raw document "+digest, func(tx *tx) error {
		const document = `SELECT d.source, d.name, d.url, d.digest, d.proof, c.size, c.body FROM vex.documents d JOIN vex.contents c ON c.tenant_id = d.tenant_id AND c.digest = d.digest`
		into := []any{&d.Source, &d.Name, &d.URL, &content, &d.Proof, &size, &body}
		err := tx.get(document+` WHERE d.tenant_id = $1 AND d.digest = $2 ORDER BY CASE WHEN length(d.proof) > 0 THEN 0 ELSE 1 END, d.seq DESC LIMIT 1`, []any{tx.tenant, sum}, into...)
		if isNoRows(err) {
			err = tx.get(document+` WHERE d.tenant_id = $1 AND d.seq = (SELECT max(document) FROM vex.readings WHERE tenant_id = $1 AND payload = $2)`, []any{tx.tenant, sum}, into...)
		}
		if isNoRows(err) {
			err = fmt.Errorf("content %s: %w", digest, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(d.Proof) == 0 {
		d.Proof = nil
	}
	d.Content, err = unpack(body, size, MaxVEXDocument)
	if err != nil {
		return nil, fmt.Errorf("raw document %s: %w", digest, err)
	}
	if got := sha256.Sum256(d.Content); !bytes.Equal(got[:], content) {
		return nil, &fault.MismatchError{What: "digest of a raw document", Want: hexDigest(content), Got: hexDigest(got[:])}
	}
	return d, nil
}

// unpack decompresses what was kept; size is how long it was, and most the largest
// that can be.
func unpack(body []byte, size, most int64) ([]byte, error) {
	if size < 0 || size > most {
		return nil, fmt.Errorf("it says that it has %d bytes: %w", size, fault.Mismatch)
	}
	text, err := packReader().DecodeAll(body, make([]byte, 0, size))
	if err != nil || int64(len(text)) != size {
		return nil, fmt.Errorf("%d bytes instead of %d, %v: %w", len(text), size, err, fault.Mismatch)
	}
	return text, nil
}
