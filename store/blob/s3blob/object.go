package s3blob

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
)

// Open implements blob.Driver.
func (d *Driver) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &d.bucket, Key: aws.String(d.prefix + key)}
	switch {
	case length == 0:
		_, err := d.Stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), err
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	out, err := d.client.GetObject(ctx, in)
	if err != nil {
		if in.Range != nil && statusOf(err) == 416 { // it is shorter
			return io.NopCloser(strings.NewReader("")), nil
		}
		return nil, d.native("read", key, err)
	}
	return &body{out.Body, d, key}, nil
}

// body gives errors their kind.
type body struct {
	io.ReadCloser
	driver *Driver
	key    string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.driver.native("read", b.key, err)
	}
	return n, err
}

// Stat implements blob.Driver.
func (d *Driver) Stat(ctx context.Context, key string) (blob.Info, error) {
	out, err := d.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &d.bucket, Key: aws.String(d.prefix + key)})
	if err != nil {
		return blob.Info{}, d.native("look for", key, err)
	}
	return blob.Info{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)}, nil
}

// List implements blob.Driver.
func (d *Driver) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		pages := s3.NewListObjectsV2Paginator(d.client, &s3.ListObjectsV2Input{Bucket: &d.bucket, Prefix: aws.String(d.prefix + prefix)})
		last := ""
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(blob.Info{}, d.native("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				key := strings.TrimPrefix(aws.ToString(o.Key), d.prefix)
				if strings.HasSuffix(key, "/") {
					continue // a folder that somebody made by hand
				}
				if key <= last {
					yield(blob.Info{}, d.native("list", prefix, fmt.Errorf("the server gives %q after %q: its keys are not sorted: %w", key, last, fault.Unsupported)))
					return
				}
				last = key
				if !yield(blob.Info{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Delete implements blob.Driver.
func (d *Driver) Delete(ctx context.Context, key string) error {
	_, err := d.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: aws.String(d.prefix + key)})
	if err = d.native("delete", key, err); fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Copy implements blob.Driver. The server copies; no bytes travel.
func (d *Driver) Copy(ctx context.Context, from, to string) error {
	info, err := d.Stat(ctx, from)
	if err != nil {
		return err
	}
	source := d.bucket + "/" + strings.ReplaceAll(d.prefix+from, "+", "%2B") // the only character of a key that needs it
	if info.Size <= d.copyLimit {
		_, err := d.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &d.bucket, Key: aws.String(d.prefix + to), CopySource: &source})
		return d.native("copy "+from+" to", to, err)
	}
	u, err := d.begin(ctx, to)
	if err != nil {
		return err
	}
	for start := int64(0); start < info.Size; start += d.copyLimit {
		err := u.copyPart(ctx, source, start, min(start+d.copyLimit, info.Size)-1)
		if err != nil {
			return u.abort(ctx, err)
		}
	}
	return u.complete(ctx)
}

// Sweep removes uploads of writers that died.
func (d *Driver) Sweep(ctx context.Context, before time.Time) error {
	pages := s3.NewListMultipartUploadsPaginator(d.client, &s3.ListMultipartUploadsInput{Bucket: &d.bucket, Prefix: &d.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return d.native("list uploads of", d.prefix, err)
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) {
				continue
			}
			_, err := d.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &d.bucket, Key: u.Key, UploadId: u.UploadId})
			if err = d.native("abort the upload of", aws.ToString(u.Key), err); err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
	}
	return nil
}
