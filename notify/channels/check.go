package channels

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
)

// CheckEndpoint says what is wrong with an endpoint that is to be kept: its form, and the
// address that its URL names, by the rule that refuses it. Nothing is looked up, no secret
// is read. An error wraps ErrInvalid for its form, ErrUnsupported for another type,
// ErrForbidden for an address that is not reached, ErrLimit for what is too long.
func CheckEndpoint(e *notify.Endpoint, o *Options) error {
	b, err := o.compile("")
	if err != nil {
		return err
	}
	_, err = b.open(e, nil)
	return err
}

// CheckTemplate says what is wrong with a template that is to be kept. An error wraps
// ErrInvalid and names every problem with its part, line and column; ErrUnsupported for a
// type that has no templates.
func CheckTemplate(t *notify.Template) error {
	c, ok := kinds[t.Type]
	if !ok || c.parts == nil {
		var with []string
		for _, known := range Types() {
			if known.Parts != nil {
				with = append(with, known.Name)
			}
		}
		return fmt.Errorf("template %.80q: type %.40q: templates are of %s: %w", t.ID, t.Type, strings.Join(with, ", "), fault.Unsupported)
	}
	parts := c.parts()
	for name := range t.Parts {
		if !slices.ContainsFunc(parts, func(p template.Part) bool { return p.Name == name }) {
			var names []string
			for _, p := range parts {
				names = append(names, p.Name)
			}
			return fmt.Errorf("template %.80q: part %.40q: parts of %s are %s: %w", t.ID, name, t.Type, strings.Join(names, ", "), fault.Invalid)
		}
	}
	_, err := template.NewLibrary(t.Type, parts, []notify.Template{*t})
	return err
}

// check judges the address of an endpoint, where the strict door is what it is reached by.
func (k kind) check(b *doors, e *notify.Endpoint) error {
	if k.mail || b.web == nil || e.URL == "" {
		return nil
	}
	u, err := netguard.ParseTarget(e.URL)
	if err != nil {
		return err
	}
	return b.web.CheckURL(u)
}
