package evidence

import (
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

func (e *Evidence) check() error {
	_, offset := e.At.Zone()
	switch {
	case e.At.IsZero() || offset != 0:
		return fmt.Errorf("at: want a time in UTC: %w", fault.Invalid)
	case len(e.Items) == 0:
		return fmt.Errorf("it lists nothing: %w", fault.Invalid)
	case len(e.Items) > MaxItems:
		return &fault.LimitError{What: "items", Where: "evidence", Max: MaxItems, Seen: int64(len(e.Items))}
	case len(e.Named()) == 0:
		return fmt.Errorf("it names neither an image nor an SBOM: it is about nothing: %w", fault.Invalid)
	}
	for i, d := range e.Image {
		if _, err := intoto.NewSubject("", d); err != nil {
			return fmt.Errorf("image: %w", err)
		}
		if i > 0 && e.Image[i-1] >= d {
			return fmt.Errorf("image: %s is there twice or out of order: %w", d, fault.Invalid)
		}
	}
	seen := map[string]bool{}
	for i := range e.Items {
		item := &e.Items[i]
		if err := item.check(); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
		if i > 0 && compareItems(e.Items[i-1], *item) > 0 {
			return fmt.Errorf("items[%d]: %s %s is out of order: %w", i, item.Role, item.Digest, fault.Invalid)
		}
		// One policy may be in force in two environments, so that a document may have two
		// names; without a name to tell them apart it is the same item again.
		if key := string(item.Role) + " " + item.Digest + " " + item.Name; seen[key] {
			return fmt.Errorf("items[%d]: %s %s is there twice: %w", i, item.Role, item.Digest, fault.Invalid)
		} else {
			seen[key] = true
		}
	}
	return nil
}

func (i *Item) check() error {
	for _, text := range []string{i.Name, i.MediaType, i.PredicateType} {
		if len(text) > MaxText {
			return &fault.LimitError{What: "bytes of a text", Where: "evidence", Max: MaxText, Seen: int64(len(text))}
		}
	}
	switch {
	case !slices.Contains(Roles(), i.Role):
		return fmt.Errorf("role %.40q is none: %w", i.Role, fault.Invalid)
	case !sum.Is(i.Digest):
		return fmt.Errorf("%s: %.80q is no digest: %w", i.Role, i.Digest, fault.Invalid)
	case i.Size < 0 || i.Size > MaxSize:
		return fmt.Errorf("%s %s: size %d: want 0 to %d: %w", i.Role, i.Digest, i.Size, int64(MaxSize), fault.Invalid)
	case (i.Role == Statement) != (i.PredicateType != ""):
		return fmt.Errorf("%s %s: statements have a predicate type, and nothing else has: %w", i.Role, i.Digest, fault.Invalid)
	}
	return nil
}
