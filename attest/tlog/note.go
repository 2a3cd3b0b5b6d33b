package tlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/note"
)

// noteKey is a key as package note asks for it.
type noteKey struct{ *Key }

func (k noteKey) KeyHash() uint32 { return k.ID() }

func (k noteKey) Verify(text, sig []byte) bool {
	if k.kind != TypeCosignature {
		return k.public.Verify(text, sig) == nil
	}
	at, sig, ok := splitCosignature(sig)
	return ok && k.public.Verify(cosigned(text, at), sig) == nil
}

// splitCosignature takes the timestamp, in seconds since 1970, from a cosignature.
func splitCosignature(sig []byte) (at int64, rest []byte, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, nil, false
	}
	at = int64(binary.BigEndian.Uint64(sig))
	return at, sig[8:], at > 0
}

// cosigned is what a witness signs.
func cosigned(text []byte, at int64) []byte {
	return concat([]byte("cosignature/v1\ntime "+strconv.FormatInt(at, 10)+"\n"), text)
}

// signatureLine is a line of a note's end.
func signatureLine(name string, sig []byte) []byte {
	return []byte("— " + name + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}

// signatureOf is one verified signature.
type signatureOf struct {
	key  *Key
	at   int64 // of a cosignature
	line []byte
}

// keyID is what finds a key.
type keyID struct {
	name string
	id   uint32
}

type keyring map[keyID]*Key

// Verifier implements note.Verifiers.
func (r keyring) Verifier(name string, id uint32) (note.Verifier, error) {
	if k := r[keyID{name, id}]; k != nil {
		return noteKey{k}, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: id}
}

// openNote verifies all signatures of a note whose keys are known. Others are
// ignored. A signature that names a known key and is not its own refuses the note. No
// known signature at all is not an error here.
func openNote(text []byte, known keyring) ([]signatureOf, error) {
	n, err := note.Open(text, known)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		n = unverified.Note
	case errors.As(err, &invalid):
		return nil, &Error{Reason: ReasonSignature, What: "checkpoint", Detail: fmt.Sprintf("not a signature of key %s with id %08x", invalid.Name, invalid.Hash)}
	case err != nil:
		return nil, &Error{Reason: ReasonMalformed, What: "checkpoint", Detail: "no signed note", Err: err}
	}
	// A note has one spelling: base64 with other bits at its end, or a line twice,
	// would be a second one.
	again := append([]byte(n.Text), '\n')
	var out []signatureOf
	lines := bytes.SplitAfter(text[min(len(again), len(text)):], []byte{'\n'})
	for _, line := range lines[:len(lines)-1] {
		_, b64, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'})[len("— "):], []byte{' '})
		if _, err := base64.StdEncoding.Strict().DecodeString(string(b64)); err != nil {
			return nil, &Error{Reason: ReasonMalformed, What: "checkpoint", Detail: fmt.Sprintf("signature %.40q is not in canonical base64", b64)}
		}
	}
	if len(lines)-1 != len(n.Sigs)+len(n.UnverifiedSigs) {
		return nil, &Error{Reason: ReasonMalformed, What: "checkpoint", Detail: "one key has two signatures"}
	}
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil {
			return nil, &Error{Reason: ReasonMalformed, What: "checkpoint", Err: err}
		}
		k := known[keyID{s.Name, s.Hash}]
		sig := signatureOf{key: k, line: signatureLine(s.Name, raw)}
		if k.kind == TypeCosignature {
			sig.at, _, _ = splitCosignature(raw[4:])
		}
		out = append(out, sig)
	}
	return out, nil
}
