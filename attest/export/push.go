package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Target is a place that exports are pushed to. It is safe for concurrent use.
type Target interface {
	// Push has the place hold a parcel, and returns what it answers, such as a digest or
	// a location. Pushing it again is no error and makes no second one: the place knows it
	// by its digest. An error wraps ErrUnavailable where trying later may help.
	Push(ctx context.Context, p *Parcel) (receipt string, err error)
}

// Parcel is an object on its way to a target.
type Parcel struct {
	Tenant, ScanID string
	Format         Format
	// Image is the reference that was scanned, Subject the digest of its manifest or
	// configuration, and SBOM that of its neutral document.
	Image, Subject, SBOM string
	Object               Object
	// Signed says that the object is a bundle of signed statements.
	Signed bool
	// Open reads the object; what it gives is verified by its digest.
	Open func() (io.ReadCloser, error)
}

// push has an export pushed, and notes the outcome.
func (c *Center) push(ctx context.Context, tenant string, d *event.PushJob, message string) error {
	if c.Pushes == nil || c.Target == nil {
		return fmt.Errorf("push an export of %s: nothing is pushed here: %w", d.JobID, fault.Unavailable)
	}
	pushes, err := c.Pushes(tenant)
	if err != nil {
		return err
	}
	p := &Push{ScanID: d.JobID, Format: Format(d.Format), Destination: d.Destination, Digest: d.Digest, State: Completed}
	receipt, err := c.deliver(ctx, tenant, p)
	if ctx.Err() != nil {
		return fmt.Errorf("push an export of %s to %s: %w", d.JobID, d.Destination, ctx.Err())
	}
	crashpoint.Hit(crashpoint.ExportPushed)
	if p.Receipt = receipt; err != nil {
		p.State, p.Reason = Failed, err.Error()
	}
	// What is noted has its next attempt announced where there is one.
	_, err = pushes.Pushed(ctx, p, message, err != nil && permanent(err))
	if errors.Is(err, fault.NotFound) { // the scan is gone
		return nil
	}
	crashpoint.Hit(crashpoint.ExportNoted)
	return err
}

// deliver pushes the object of a digest to a destination. A newer one of the same
// export has a push of its own, so an older one that is gone is not looked for.
func (c *Center) deliver(ctx context.Context, tenant string, p *Push) (string, error) {
	s, err := c.Of(ctx, tenant)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(s.Targets, func(d Destination) bool { return d.Name == p.Destination })
	if i < 0 {
		return "", fmt.Errorf("there is no target of this name any more: %w", fault.Forbidden)
	}
	parcel, err := c.parcel(ctx, tenant, p)
	if err != nil {
		return "", err
	}
	target, err := c.Target(ctx, tenant, s.Targets[i])
	if err != nil {
		return "", err
	}
	return target.Push(ctx, parcel)
}

func (c *Center) parcel(ctx context.Context, tenant string, p *Push) (*Parcel, error) {
	e, err := c.wanted(ctx, tenant, p.ScanID, p.Format)
	if err != nil {
		return nil, err
	}
	if e.Made == nil {
		return nil, fmt.Errorf("export of scan %s as %s: %w", p.ScanID, p.Format, fault.NotFound)
	}
	object, signed := e.Made.Document, false
	if b := e.Made.Bundle; b.Ref.Digest == p.Digest {
		object, signed = b, true
	}
	if object.Ref.Digest != p.Digest {
		return nil, fmt.Errorf("a newer export has taken the place of %s: %w", p.Digest, fault.Unsupported)
	}
	reader, err := c.Readers(tenant)
	if err != nil {
		return nil, err
	}
	scan, m, err := reader.Read(ctx, p.ScanID, Basis{})
	if err != nil {
		return nil, err
	}
	subjects, err := m.Subjects("", "")
	if err != nil {
		return nil, err
	}
	text, err := readObject(ctx, reader.Objects, object.Ref)
	if err != nil {
		return nil, err
	}
	return &Parcel{
		Tenant: tenant, ScanID: p.ScanID, Format: p.Format, Image: scan.Image, Subject: subjects[0].Secure()[0], SBOM: scan.SBOM, Object: object, Signed: signed,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
	}, nil
}

// ToBucket is a target that keeps exports in a folder or a bucket of an S3 server,
// under TENANT/SCAN/DIGEST/NAME: what is there once is not written again.
type ToBucket struct{ Driver blob.Driver }

// Push writes an object, unless it is there already.
func (t *ToBucket) Push(ctx context.Context, p *Parcel) (string, error) {
	key := p.Tenant + "/" + p.ScanID + "/" + p.Object.Ref.Digest[len("sha256:"):] + "/" + p.Object.Name
	there, err := t.has(ctx, key, p.Object.Ref)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", key, err)
	}
	if there {
		return key, nil
	}
	body, err := p.Open()
	if err != nil {
		return "", err
	}
	defer body.Close()
	if err := t.Driver.Create(ctx, key, body, p.Object.Ref.Size); err != nil {
		return "", fmt.Errorf("write %s: %w", key, err)
	}
	return key, nil
}

// has reports whether an object is there, whole and unchanged.
func (t *ToBucket) has(ctx context.Context, key string, ref blob.Ref) (bool, error) {
	info, err := t.Driver.Stat(ctx, key)
	if errors.Is(err, fault.NotFound) || err == nil && info.Size != ref.Size {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	body, err := t.Driver.Open(ctx, key, 0, -1)
	if err != nil {
		return false, err
	}
	defer body.Close()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return false, err
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil)) == ref.Digest, nil
}
