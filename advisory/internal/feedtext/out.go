package feedtext

import (
	"errors"

	"github.com/stella-ops/stella/advisory"
)

// Out passes on what a document says. Its methods report whether the consumer
// wants more.
type Out struct {
	// File is the document's name, for errors.
	File  string
	Yield func(advisory.Statement, error) bool
}

// Record passes a record on, or says why it must not be used.
func (o *Out) Record(r *advisory.Record) bool {
	if err := r.Validate(); err != nil {
		return o.Broken(r.ID, r.Digest, err)
	}
	return o.Yield(r, nil)
}

// Broken says that a part cannot be used. Where err is a
// [*advisory.RecordError] already, what it lacks is filled in.
func (o *Out) Broken(id, digest string, err error) bool {
	var broken *advisory.RecordError
	if !errors.As(err, &broken) {
		broken = &advisory.RecordError{Err: err}
	}
	broken.File = o.File
	if broken.ID == "" && len(id) <= advisory.MaxID {
		broken.ID = id
	}
	if broken.Digest == "" {
		broken.Digest = digest
	}
	return o.Yield(nil, broken)
}
