package role

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/attest/dsse"
)

// seal signs a payload and returns its file.
func seal(ctx context.Context, r Role, p payload, signers []dsse.Signer) ([]byte, error) {
	name := File(r, p.head().Version)
	text, err := encode(p)
	if err != nil {
		return nil, fmt.Errorf("make metadata: %w", inFile(name, err))
	}
	e, err := dsse.Sign(ctx, r.payloadType(), text, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", name, err)
	}
	file, err := e.Encode()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if int64(len(file)) > r.maxFile() {
		return nil, &Error{Reason: ReasonEndless, File: name, Detail: fmt.Sprintf("%d bytes: the limit is %d", len(file), r.maxFile())}
	}
	return file, nil
}

// unwrap reads the envelope of a role's file.
func unwrap(r Role, name string, file []byte) (*dsse.Envelope, error) {
	e, err := dsse.Decode(file)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &Error{Reason: ReasonTruncated, File: name, Err: err}
		}
		return nil, &Error{Reason: ReasonMalformed, File: name, Err: err}
	}
	if e.PayloadType != r.payloadType() {
		return nil, &Error{Reason: ReasonType, File: name, Detail: fmt.Sprintf("%q, want %q", e.PayloadType, r.payloadType())}
	}
	return e, nil
}

// peek reads a file of a role into p and verifies no signature. It returns the
// payload.
func peek(r Role, name string, file []byte, p payload) ([]byte, error) {
	e, err := unwrap(r, name, file)
	if err != nil {
		return nil, err
	}
	if err := decode(e.Payload, p); err != nil {
		return nil, inFile(name, err)
	}
	return e.Payload, nil
}

// verify reads into p what the role's holders vouch for, and returns the payload
// that they signed.
func (r *Root) verify(role Role, name string, file []byte, p payload) ([]byte, error) {
	e, err := unwrap(role, name, file)
	if err != nil {
		return nil, err
	}
	v, err := r.Roles[role].trust().Verify(e, role.payloadType())
	if err != nil {
		var below *dsse.ThresholdError
		if errors.As(err, &below) {
			return nil, &Error{Reason: ReasonThreshold, File: name, Err: err}
		}
		return nil, &Error{Reason: ReasonMalformed, File: name, Err: err}
	}
	if err := decode(v.Payload, p); err != nil {
		return nil, inFile(name, err)
	}
	if feed := p.head().Feed; feed != r.Feed {
		return nil, &Error{Reason: ReasonFeed, File: name, Detail: fmt.Sprintf("%q, want %q", feed, r.Feed)}
	}
	return v.Payload, nil
}

// inFile adds the file's name to an error that has none.
func inFile(name string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.File == "" {
		e.File = name
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
