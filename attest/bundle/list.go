package bundle

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// list is a repeated field. It is bounded while it is read: an element of three
// bytes takes much more memory than that.
type list[T any, B bound] []T

// bound is the most elements that a list has.
type bound interface{ most() (int, string) }

type (
	one            struct{}
	mostEntries    struct{}
	mostHashes     struct{}
	mostCerts      struct{}
	mostTimestamps struct{}
)

func (one) most() (int, string)            { return 1, "signatures of an envelope in a bundle" }
func (mostEntries) most() (int, string)    { return MaxEntries, "log entries" }
func (mostHashes) most() (int, string)     { return MaxHashes, "hashes of an inclusion proof" }
func (mostCerts) most() (int, string)      { return MaxCerts, "certificates" }
func (mostTimestamps) most() (int, string) { return MaxTimestamps, "timestamps" }

// UnmarshalJSONFrom reads an array without null. null for the array leaves the
// list as it is.
func (l *list[T, B]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case t.Kind() == 'n':
		return nil
	case t.Kind() != '[':
		return fmt.Errorf("JSON %v, want an array", t.Kind())
	}
	var b B
	most, what := b.most()
	for d.PeekKind() != ']' {
		var v T
		switch {
		case len(*l) == most:
			return tooMany(what, most, 0)
		case d.PeekKind() == 'n':
			return fmt.Errorf("null in an array")
		}
		if err := json.UnmarshalDecode(d, &v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	_, err = d.ReadToken()
	return err
}
