package s3blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// maxParts is how many parts an upload has at most.
const maxParts = 10000

// Create implements blob.Driver. What is larger than one part goes up in parts,
// one of which is held in memory; the object appears when all are there.
func (d *Driver) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	part := d.part
	for part*(maxParts-1) < size {
		part *= 2
	}
	buf := make([]byte, 0, min(part, max(size+1, 512)))
	if size < 0 {
		buf = make([]byte, 0, part)
	}
	head, end, err := fill(buf, r, part)
	if err != nil {
		return err
	}
	if !end {
		return d.createParts(ctx, key, r, size, head, part)
	}
	if err := checkSize(key, int64(len(head)), size); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.BlobWritten)
	crashpoint.Hit(crashpoint.BlobSynced)
	_, err = d.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: aws.String(d.prefix + key),
		Body: bytes.NewReader(head), ContentLength: aws.Int64(int64(len(head))),
	})
	if err != nil {
		return d.native("write", key, err)
	}
	crashpoint.Hit(crashpoint.BlobNamed)
	return nil
}

// fill reads up to max bytes into buf and reports whether r is at its end.
func fill(buf []byte, r io.Reader, max int64) ([]byte, bool, error) {
	buf = buf[:0]
	for int64(len(buf)) < max {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), max)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return buf, false, nil
}

func checkSize(key string, got, want int64) error {
	if want >= 0 && got != want {
		return &fault.MismatchError{What: "size of " + key, Want: fmt.Sprint(want), Got: fmt.Sprint(got)}
	}
	return nil
}

func (d *Driver) createParts(ctx context.Context, key string, r io.Reader, size int64, p []byte, part int64) error {
	u, err := d.begin(ctx, key)
	if err != nil {
		return err
	}
	total := int64(0)
	for end := false; ; {
		if len(p) > 0 {
			if err := u.part(ctx, p); err != nil {
				return u.abort(ctx, err)
			}
		}
		if total += int64(len(p)); end {
			break
		}
		if p, end, err = fill(p, r, part); err != nil {
			return u.abort(ctx, err)
		}
	}
	if err := checkSize(key, total, size); err != nil {
		return u.abort(ctx, err)
	}
	crashpoint.Hit(crashpoint.BlobWritten)
	crashpoint.Hit(crashpoint.BlobSynced)
	if err := u.complete(ctx); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.BlobNamed)
	return nil
}

// upload is an object that is written in parts and not visible yet.
type upload struct {
	driver *Driver
	key    string
	id     *string
	parts  []types.CompletedPart
}

func (d *Driver) begin(ctx context.Context, key string) (*upload, error) {
	out, err := d.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &d.bucket, Key: aws.String(d.prefix + key)})
	if err != nil {
		return nil, d.native("begin to write", key, err)
	}
	return &upload{driver: d, key: key, id: out.UploadId}, nil
}

func (u *upload) next() (*int32, error) {
	if len(u.parts) == maxParts {
		return nil, &fault.LimitError{What: "parts of an object whose size was not known", Where: u.key, Max: maxParts}
	}
	return aws.Int32(int32(len(u.parts) + 1)), nil
}

func (u *upload) part(ctx context.Context, p []byte) error {
	n, err := u.next()
	if err != nil {
		return err
	}
	d := u.driver
	out, err := d.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &d.bucket, Key: aws.String(d.prefix + u.key), UploadId: u.id, PartNumber: n,
		Body: bytes.NewReader(p), ContentLength: aws.Int64(int64(len(p))),
	})
	if err != nil {
		return d.native(fmt.Sprintf("write part %d of", *n), u.key, err)
	}
	u.parts = append(u.parts, types.CompletedPart{ETag: out.ETag, PartNumber: n})
	return nil
}

func (u *upload) copyPart(ctx context.Context, source string, first, last int64) error {
	n, err := u.next()
	if err != nil {
		return err
	}
	d := u.driver
	out, err := d.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &d.bucket, Key: aws.String(d.prefix + u.key), UploadId: u.id, PartNumber: n,
		CopySource: &source, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
	})
	if err != nil {
		return d.native(fmt.Sprintf("copy part %d of", *n), u.key, err)
	}
	u.parts = append(u.parts, types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: n})
	return nil
}

// complete makes the object visible. A completion whose answer was lost and that
// was tried again finds no upload; package blob looks whether the object is there.
func (u *upload) complete(ctx context.Context) error {
	d := u.driver
	_, err := d.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &d.bucket, Key: aws.String(d.prefix + u.key), UploadId: u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err = d.native("end writing", u.key, err); err == nil || fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return u.abort(ctx, err)
}

// abort frees the parts and returns why, also where the caller has given up.
func (u *upload) abort(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	d := u.driver
	_, err := d.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &d.bucket, Key: aws.String(d.prefix + u.key), UploadId: u.id})
	if err = d.native("abort writing", u.key, err); err != nil && fault.KindOf(err) != fault.NotFound {
		return fmt.Errorf("%w (and its parts stay until a collection: %w)", why, err)
	}
	return why
}

// statusOf returns the HTTP status of an answer, or 0.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
