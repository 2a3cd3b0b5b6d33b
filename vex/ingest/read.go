package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// The bounds of one document.
const (
	MaxStatements    = 1_000_000
	MaxName          = 1024 // bytes of its name
	MaxVulnerability = 256  // bytes of the id of a vulnerability; a statement with a longer one is a problem
)

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// CheckDocument refuses what no source should pass on: a name that is no path, and
// content that is missing. An error wraps ErrInvalid.
func CheckDocument(d *vex.Document) error {
	bad := func(why string) error {
		return fmt.Errorf("document %.200q of source %.80q: %s: %w", d.Name, d.Source, why, fault.Invalid)
	}
	switch {
	case d.Name == "" || len(d.Name) > MaxName:
		return bad(fmt.Sprintf("its name has %d bytes, want 1 to %d", len(d.Name), MaxName))
	case !utf8.ValidString(d.Name) || strings.ContainsFunc(d.Name, unicode.IsControl) || strings.ContainsRune(d.Name, '\\'):
		return bad("its name has a backslash or control character, or is not UTF-8")
	case d.Gone && d.Content != nil:
		return bad("it is gone and has content")
	case !d.Gone && d.Content == nil:
		return bad("it has no content")
	}
	for part := range strings.SplitSeq(d.Name, "/") {
		if part == "" || part == "." || part == ".." {
			return bad("its name is not a path without empty parts, \".\" and \"..\"")
		}
	}
	return nil
}

// item is one document on its way.
type item struct {
	doc    *vex.Document
	digest string
	kept   bool // it is stored already
}

// batch is what goes into one transaction.
type batch struct {
	items []item
	bytes int
}

// add takes a document into the batch, and stores that when it is full.
func (r *running) add(ctx context.Context, i item) error {
	r.batch.items = append(r.batch.items, i)
	r.batch.bytes += len(i.doc.Content)
	o := r.ingester
	if len(r.batch.items) < cmp.Or(o.Batch, 512) && r.batch.bytes < cmp.Or(o.BatchBytes, 16<<20) {
		return ctx.Err()
	}
	return r.flush(ctx)
}

// flush keeps the batch, has it read, and keeps what it says.
func (r *running) flush(ctx context.Context) error {
	b := r.batch
	r.batch = batch{}
	if len(b.items) == 0 {
		return ctx.Err()
	}
	var docs []*vex.Document
	for _, i := range b.items {
		if !i.kept {
			docs = append(docs, i.doc)
		}
	}
	if len(docs) > 0 {
		if err := r.ingester.Store.Keep(ctx, r.run, docs); err != nil {
			return err
		}
	}
	said := make([]vex.Observed, 0, len(b.items))
	for _, i := range b.items {
		o, err := r.ingester.read(ctx, r.source, r.run.Source, i)
		if err != nil {
			return err
		}
		said = append(said, o)
	}
	crashpoint.Hit(crashpoint.VEXParsed)
	if err := r.ingester.Store.Observe(ctx, r.run, said); err != nil {
		return err
	}
	for i := range said {
		r.count(&said[i])
	}
	return nil
}

func (r *running) count(o *vex.Observed) {
	r.out.Statements += len(o.Statements)
	r.out.Problems += len(o.Problems)
	if o.Quarantined != "" {
		r.out.Quarantined++
	}
	if o.Signature == vex.Verified {
		r.out.Verified++
	}
}

// Read checks the signature of one document and reads it, as an Ingester does
// between keeping it and keeping what it says. name is that of its source. An error
// is that of ctx.
func Read(ctx context.Context, source vex.Source, name string, verifier vex.Verifier, doc *vex.Document) (vex.Observed, error) {
	i := &Ingester{Verifier: verifier}
	return i.read(ctx, source, name, item{doc: doc, digest: digestOf(doc.Content)})
}

// read has a document verified and read. Whatever goes wrong is of this document
// alone.
func (i *Ingester) read(ctx context.Context, source vex.Source, name string, it item) (vex.Observed, error) {
	o := vex.Observed{Document: it.doc.Name, Digest: it.digest}
	v, err := i.verify(ctx, it.doc)
	if ctx.Err() != nil {
		return o, ctx.Err()
	}
	crashpoint.Hit(crashpoint.VEXVerified)
	o.Signature, o.Signer, o.Why = v.Signature, v.Signer, v.Why
	if err != nil {
		// What is quarantined and unchecked is read again with the next run.
		o.Signature, o.Why = vex.Unchecked, err.Error()
		o.Quarantined = fmt.Sprintf("its signature could not be checked now: %v", err)
		return o, nil
	}
	doc := *it.doc
	if doc.Proof = nil; v.Payload != nil {
		doc.Content = v.Payload
	}
	parse(source, name, &doc, &o)
	if v.Signature == vex.Bad {
		o.Quarantined = "its signature is bad: " + v.Why
	}
	return o, nil
}

func (i *Ingester) verify(ctx context.Context, d *vex.Document) (v vex.Verification, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its verifier panicked: %v: %w", p, fault.Unavailable)
		}
	}()
	if i.Verifier == nil {
		if len(d.Proof) > 0 {
			v.Signature, v.Why = vex.Unchecked, "nobody checks signatures here"
		}
		return v, nil
	}
	return i.Verifier.Verify(ctx, d)
}

// parse reads a document into o. Even a reader that panics quarantines it alone.
func parse(source vex.Source, name string, doc *vex.Document, o *vex.Observed) {
	defer func() {
		if p := recover(); p != nil {
			o.Quarantined = fmt.Sprintf("its reader panicked: %v", p)
		}
	}()
	for s, err := range source.Parse(doc) {
		var broken *vex.StatementError
		switch {
		case errors.As(err, &broken):
			o.Problems = append(o.Problems, broken)
		case err != nil:
			o.Quarantined = err.Error()
			return
		default:
			c := *s
			if err := sign(&c, name, o); err != nil {
				o.Problems = append(o.Problems, &vex.StatementError{Document: doc.Name, Pointer: s.Origin.Pointer, Err: err})
				continue
			}
			o.Statements = append(o.Statements, &c)
		}
		if len(o.Statements)+len(o.Problems) > MaxStatements {
			o.Quarantined = (&fault.LimitError{What: "statements", Where: doc.Name, Max: MaxStatements}).Error()
			return
		}
	}
}

// sign notes where a statement came from, beyond what its document tells.
func sign(s *vex.Statement, name string, o *vex.Observed) error {
	for _, id := range append([]string{s.Vulnerability}, s.Aliases...) {
		if len(id) > MaxVulnerability {
			return &fault.LimitError{What: "bytes of a vulnerability's id", Where: fmt.Sprintf("%.40q…", id), Max: MaxVulnerability, Seen: int64(len(id))}
		}
	}
	s.Products = append([]vex.Product(nil), s.Products...)
	s.Aliases = append([]string(nil), s.Aliases...)
	s.Origin.Source, s.Origin.Signature, s.Origin.Signer = name, o.Signature, ""
	if o.Signature == vex.Verified {
		s.Origin.Signer = o.Signer
	}
	return s.Prepare()
}
