package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// The states of a document.
const (
	docPending     = 0 // nobody has read it
	docParsed      = 1
	docQuarantined = 2 // it cannot be used
)

func hexDigest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

func rawDigest(digest string) ([]byte, error) {
	sum, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil || len(sum) != sha256.Size || !strings.HasPrefix(digest, "sha256:") {
		return nil, fmt.Errorf("digest %.80q: want sha256: and 64 hexadecimal digits: %w", digest, fault.Invalid)
	}
	return sum, nil
}

// knownPage is how many documents are read at a time.
const knownPage = 5000

// Known yields the current documents of a source, sorted by name.
func (a *Advisories) Known(ctx context.Context, source string) iter.Seq2[advisory.Known, error] {
	return func(yield func(advisory.Known, error) bool) {
		for last := ""; ; {
			var page []advisory.Known
			err := a.read(ctx, "list documents of "+source, func(tx *tx) error {
				page = page[:0]
				return tx.each(func(row func(...any) error) error {
					var k advisory.Known
					var sum []byte
					var state int
					err := row(&k.Name, &sum, &state)
					k.Digest, k.Pending = hexDigest(sum), state == docPending
					page = append(page, k)
					return err
				}, `SELECT name, digest, state FROM vuln.documents WHERE source = $1 AND to_run = 0 AND name > $2 ORDER BY name LIMIT $3`, source, last, knownPage)
			})
			if err != nil {
				yield(advisory.Known{}, err)
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

// kept is a document that is about to be stored.
type kept struct {
	*advisory.Document
	name     string
	digest   []byte
	place    place
	ref      *blob.Ref // where it is an object
	before   int64     // the row that it ends, 0 for none
	revision int64
}

// Keep stores raw documents.
func (a *Advisories) Keep(ctx context.Context, r *advisory.Run, documents []*advisory.Document) error {
	list, err := a.newer(ctx, r, documents)
	if err != nil || len(list) == 0 {
		return err
	}
	var packs packer
	for _, k := range list {
		if err := a.place(ctx, &packs, k); err != nil {
			return err
		}
	}
	packs.shut()
	err = a.write(ctx, fmt.Sprintf("keep %d documents of %s", len(list), r.Source), func(tx *tx) error {
		if _, err := tx.guardRun(r); err != nil {
			return err
		}
		return tx.keep(r, list, &packs)
	})
	if err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.IngestKept)
	return a.putAgain(ctx, list)
}

// newer returns the documents whose content is not current. Only the holder of
// the run changes that, so what is read here still holds in its transaction.
func (a *Advisories) newer(ctx context.Context, r *advisory.Run, documents []*advisory.Document) ([]*kept, error) {
	all, at := make([]*kept, 0, len(documents)), make(map[string]int, len(documents))
	for _, d := range documents {
		if d.Gone || d.Name == "" {
			return nil, fmt.Errorf("keep document %q of %s: without a name, or gone: %w", d.Name, r.Source, fault.Invalid)
		}
		sum := sha256.Sum256(d.Content)
		k := &kept{Document: d, name: clean(d.Name), digest: sum[:], revision: 1}
		if i, ok := at[k.name]; ok {
			all[i] = k // the later one of a batch counts
			continue
		}
		at[k.name] = len(all)
		all = append(all, k)
	}
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = k.name
	}
	same := map[int]bool{}
	err := a.read(ctx, "look for documents of "+r.Source, func(tx *tx) error {
		return batches(names, []any{r.Source}, func(in string, args []any) error {
			return tx.each(func(row func(...any) error) error {
				var name string
				var seq, revision int64
				var digest []byte
				err := row(&seq, &name, &digest, &revision)
				if i, ok := at[name]; ok && err == nil {
					all[i].before, all[i].revision = seq, revision+1
					same[i] = bytes.Equal(digest, all[i].digest)
				}
				return err
			}, `SELECT seq, name, digest, revision FROM vuln.documents WHERE source = $1 AND to_run = 0 AND name IN `+in, args...)
		})
	})
	out := all[:0]
	for i, k := range all {
		if !same[i] {
			out = append(out, k)
		}
	}
	return out, err
}

// place puts a document's content into a pack, or into the bucket.
func (a *Advisories) place(ctx context.Context, packs *packer, k *kept) error {
	size, most := int64(len(k.Content)), int64(MaxContent)
	if a.bucket == nil {
		most = MaxInlineRaw
	}
	if size > most {
		return &fault.LimitError{What: "bytes of a raw document", Where: k.Source + " " + k.Name, Max: most, Seen: size}
	}
	if a.bucket == nil || size <= inlineRaw {
		k.place = packs.add(k.Content)
		return nil
	}
	ref, err := a.bucket.Put(ctx, bytes.NewReader(k.Content))
	if err != nil {
		return fmt.Errorf("keep document %s of %s: %w", k.Name, k.Source, err)
	}
	k.ref, k.place = &ref, place{pack: -1, size: ref.Size}
	crashpoint.Hit(crashpoint.IngestObject)
	return nil
}

func (t *tx) keep(r *advisory.Run, list []*kept, packs *packer) error {
	seqs, err := t.keepPacks(packs)
	if err != nil {
		return err
	}
	contents, documents := make([]any, 0, 5*len(list)), make([]any, 0, 9*len(list))
	var before []int64
	for _, k := range list {
		pack, chunks := int64(0), []byte{}
		if k.ref == nil {
			pack = seqs[k.place.pack]
		} else if chunks = present(k.ref.Chunks); true {
			if err := t.use(*k.ref); err != nil {
				return err
			}
		}
		contents = append(contents, k.digest, pack, k.place.at, k.place.size, chunks)
		documents = append(documents, r.Source, k.name, k.revision, r.Number, k.digest, clean(k.URL), string(signature(k.Signature)), clean(k.Signer), t.now)
		if k.before != 0 {
			before = append(before, k.before)
		}
	}
	// What is there already is left alone: the same content lies somewhere else.
	if _, err := t.insert(`INSERT INTO vuln.contents (digest, pack, at, size, chunks)`, 5, contents, ` ON CONFLICT (digest) DO NOTHING`); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.IngestContents)
	err = batches(before, []any{r.Number}, func(in string, args []any) error {
		_, err := t.exec(`UPDATE vuln.documents SET to_run = $1 WHERE to_run = 0 AND seq IN `+in, args...)
		return err
	})
	if err != nil {
		return err
	}
	_, err = t.insert(`INSERT INTO vuln.documents (source, name, revision, from_run, digest, url, signature, signer, fetched_us)`, 9, documents, "")
	crashpoint.Hit(crashpoint.IngestDocuments)
	return err
}

// signature says that nobody checked what nobody says.
func signature(s advisory.Signature) advisory.Signature {
	if s == "" {
		return advisory.Unsigned
	}
	return s
}

// putAgain looks once more for objects after they were referred to: a collection
// may have taken them before.
func (a *Advisories) putAgain(ctx context.Context, list []*kept) error {
	for _, k := range list {
		if k.ref == nil {
			continue
		}
		if _, err := a.bucket.Stat(ctx, *k.ref); err == nil {
			continue
		}
		if _, err := a.bucket.PutRef(ctx, *k.ref, bytes.NewReader(k.Content)); err != nil {
			return fmt.Errorf("keep document %s of %s: %w", k.Name, k.Source, err)
		}
	}
	return nil
}

// Raw returns the content that has a digest, which is verified.
func (a *Advisories) Raw(ctx context.Context, digest string) ([]byte, error) {
	sum, err := rawDigest(digest)
	if err != nil {
		return nil, fmt.Errorf("read a raw document: %w", err)
	}
	s := stored{digest: sum}
	ref := blob.Ref{Digest: digest}
	err = a.read(ctx, "read raw document "+digest, func(tx *tx) error {
		err := tx.get(`SELECT pack, at, size, chunks FROM vuln.contents WHERE digest = $1`, []any{sum}, &s.pack, &s.at, &s.size, &ref.Chunks)
		if isNoRows(err) {
			err = fmt.Errorf("content %s: %w", digest, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.pack == 0 {
		if ref.Size = s.size; len(ref.Chunks) == 0 {
			ref.Chunks = nil
		}
		return a.object(ctx, ref)
	}
	var out []byte
	err = a.texts(ctx, []stored{s}, func(_ int, text []byte) error {
		out = bytes.Clone(text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read raw document %s: %w", digest, err)
	}
	return present(out), nil
}

func (a *Advisories) object(ctx context.Context, ref blob.Ref) ([]byte, error) {
	if a.bucket == nil {
		return nil, fmt.Errorf("read raw document %s: it is an object, and the store was opened without a bucket: %w", ref.Digest, fault.Unavailable)
	}
	r, err := a.bucket.Open(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read raw document: %w", err)
	}
	defer r.Close()
	out := make([]byte, ref.Size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, fmt.Errorf("read raw document %s: %w", ref.Digest, err)
	}
	return out, nil
}
