package kit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

// from opens parts in a file that was split.
func from(file []byte) func(context.Context, kit.Part) (io.ReadCloser, error) {
	return func(_ context.Context, p kit.Part) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(file[p.Offset : p.Offset+p.Size])), nil
	}
}

func TestParts(t *testing.T) {
	p := newPublisher(t)
	one := write(t, p.publish(t, items(map[string]string{"advisory/a": "A", "policy/p": "", "vex/v": "statements"})), 0)
	edition := p.publish(t, items(map[string]string{"advisory/a": "AA", "policy/p": "", "vex/v": "statements"}))
	two, delta := write(t, edition, 0), write(t, edition, 1)
	for name, file := range map[string][]byte{"first": one, "second": two, "delta": delta} {
		parts, err := kit.Split(ctx, bytes.NewReader(file))
		if err != nil {
			t.Fatal(name, err)
		}
		var b bytes.Buffer
		if err := kit.Join(ctx, &b, parts, from(file)); err != nil || !bytes.Equal(b.Bytes(), file) {
			t.Errorf("%s: joined %d bytes, want %d: %v", name, b.Len(), len(file), err)
		}
		for i := range file { // a cut file gives the parts before
			if i%97 != 0 {
				continue
			}
			got, err := kit.Split(ctx, bytes.NewReader(file[:i]))
			if role.ReasonOf(err) == "" || len(got) > len(parts) || !slices.Equal(got, parts[:len(got)]) {
				t.Fatalf("%s cut at %d: %d parts, %v", name, i, len(got), err)
			}
		}
		for i := range file {
			if i%31 != 0 {
				continue
			}
			damaged := bytes.Clone(file)
			damaged[i] ^= 4
			got, err := kit.Split(ctx, bytes.NewReader(damaged))
			if err != nil {
				if role.ReasonOf(err) == "" {
					t.Fatalf("%s damaged at %d: no reason: %v", name, i, err)
				}
				continue
			}
			t.Fatalf("%s damaged at %d: %d parts", name, i, len(got))
		}
	}
	if _, err := kit.Split(ctx, bytes.NewReader(append(bytes.Clone(one), 0))); !errors.Is(err, role.ReasonEndless) {
		t.Errorf("more: %v", err)
	}
}

// TestJoinCut: what was joined before an error is found again.
func TestJoinCut(t *testing.T) {
	p := newPublisher(t)
	file := write(t, p.publish(t, items(map[string]string{"advisory/a": "A", "vex/v": "statements"})), 0)
	parts, err := kit.Split(ctx, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	for n := 1; n < len(parts); n++ {
		var b bytes.Buffer
		err := kit.Join(ctx, &b, parts, func(ctx context.Context, p kit.Part) (io.ReadCloser, error) {
			if p == parts[n] {
				return nil, gone
			}
			return from(file)(ctx, p)
		})
		got, splitErr := kit.Split(ctx, &b)
		if !errors.Is(err, gone) || !errors.Is(splitErr, role.ReasonTruncated) || !slices.Equal(got, parts[:n]) {
			t.Errorf("part %d: %v; %d parts, %v", n, err, len(got), splitErr)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	p := newPublisher(t)
	file := write(t, p.publish(t, items(map[string]string{"advisory/a": "A", "vex/v": "statements"})), 0)
	good, err := kit.Split(ctx, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	last := len(good) - 1
	edit := func(change func(parts []kit.Part) []kit.Part) []kit.Part { return change(slices.Clone(good)) }
	other := []byte("other")
	for name, tt := range map[string]struct {
		parts []kit.Part
		open  func(context.Context, kit.Part) (io.ReadCloser, error)
		want  error
	}{
		"nothing":          {nil, nil, role.ReasonType},
		"no head":          {good[1:], nil, role.ReasonType},
		"head alone":       {good[:1], nil, role.ReasonMissing},
		"metadata missing": {edit(func(p []kit.Part) []kit.Part { return slices.Delete(p, 2, 3) }), nil, role.ReasonMixed},
		"order":            {edit(func(p []kit.Part) []kit.Part { p[last], p[last-1] = p[last-1], p[last]; return p }), nil, role.ReasonMalformed},
		"twice":            {edit(func(p []kit.Part) []kit.Part { return append(p, p[last]) }), nil, role.ReasonMalformed},
		"a path":           {edit(func(p []kit.Part) []kit.Part { p[last].Name = "../../etc/passwd"; return p }), nil, role.ReasonMalformed},
		"a huge one":       {edit(func(p []kit.Part) []kit.Part { p[last].Size = kit.MaxTarget + 1; return p }), nil, role.ReasonEndless},
		"a huge head":      {edit(func(p []kit.Part) []kit.Part { p[0].Size = kit.MaxHead + 1; return p }), nil, role.ReasonEndless},
		"other bytes": {good, func(context.Context, kit.Part) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(other)), nil
		}, role.ReasonContent},
		"other content": {good, func(ctx context.Context, p kit.Part) (io.ReadCloser, error) {
			if p == good[last] {
				return io.NopCloser(bytes.NewReader(other)), nil
			}
			return from(file)(ctx, p)
		}, kit.ErrMismatch},
	} {
		open := tt.open
		if open == nil {
			open = from(file)
		}
		if err := kit.Join(ctx, io.Discard, tt.parts, open); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var types []string
	for _, p := range good {
		types = append(types, p.MediaType())
	}
	want := []string{
		"application/vnd.stella.kit.head.v1+json", "application/vnd.stella.role.root.dsse.v1+json", "application/vnd.stella.role.timestamp.dsse.v1+json",
		"application/vnd.stella.role.snapshot.dsse.v1+json", "application/vnd.stella.role.targets.dsse.v1+json", "application/vnd.stella.kit.content.v1", "application/vnd.stella.kit.content.v1",
	}
	if !slices.Equal(types, want) {
		t.Errorf("%q", types)
	}
}
