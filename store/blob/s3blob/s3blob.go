// Package s3blob keeps the objects of package blob on an S3-compatible server.
// Importing it makes the scheme s3 known to [blob.Open]:
//
//	import _ "github.com/stella-ops/stella/store/blob/s3blob"
//
//	blob.Open(ctx, "s3://artifacts/stella?endpoint=https://s3.example&region=eu-1")
//
// That address is of the bucket artifacts, below the prefix stella. [Open] takes the same
// addresses and what they cannot say, and explains their keys. The bucket must exist.
//
// An object is visible when all of it is there, whatever died: large ones go up in parts
// of which nobody sees any before the last. What writers left behind is removed by a
// sweep, which a collection of package blob asks for. Digests are checked by package
// blob on every read; the server's own checksums are not relied on.
//
// Amazon S3, RustFS, MinIO and versitygw are known to work. A server must give
// read-after-write consistency; one that may lose acknowledged objects in a power cut
// has to be told not to (docs/operating.md).
package s3blob

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
	"github.com/stella-ops/stella/store/blob"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrForbidden   error = fault.Forbidden
	ErrMismatch    error = fault.Mismatch
	ErrUnavailable error = fault.Unavailable // the server is away; try again
	ErrLimit       error = fault.Limit
)

func init() {
	blob.Register("s3", func(_ context.Context, u *url.URL) (blob.Driver, error) { return newDriver(u, nil) })
}

// Options are what a URL cannot say.
type Options struct {
	// Transport carries the requests. Default: one that gives up on a server
	// that does not begin to answer within 30 seconds.
	Transport http.RoundTripper
	// Attempts bounds how often a request is tried, the first included, with
	// growing pauses of at most 5 seconds. Default 4.
	Attempts int
	// PartSize is how much of an object goes up in one request and is held in
	// memory by each Create, in bytes. Default 8 MiB, at least 5 MiB.
	PartSize int64
	// CopyLimit is how much the server copies in one request, in bytes. Default
	// 5 GiB, Amazon's bound; at least 5 MiB.
	CopyLimit int64
}

const minPart = 5 << 20 // the protocol's, for all parts but the last

// Open opens the driver of a bucket that exists:
//
//	s3://[key:secret@]bucket[/prefix]?endpoint=https://host&region=eu-1&path_style=true
//
// Without a key the environment's AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN are used. region defaults to AWS_REGION, then to us-east-1;
// without endpoint it is Amazon's. path_style=true puts the bucket into the path
// of requests, as most other servers want it; it is the default where endpoint is
// given. Opening sends nothing. Errors never show the secret.
func Open(_ context.Context, rawURL string, opts *Options) (*Driver, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "s3" {
		return nil, fmt.Errorf("open bucket: want s3://[key:secret@]bucket[/prefix]?endpoint=…: %w", fault.Invalid)
	}
	return newDriver(u, opts)
}

// Driver keeps objects in one bucket, or below a prefix of it. Make it with Open.
// It is safe for concurrent use.
type Driver struct {
	client *s3.Client
	bucket string
	prefix string // "" or ends with a slash
	secret string

	part      int64 // bytes of one part of a large object
	copyLimit int64 // bytes that the server copies in one request
}

var _ blob.Driver = (*Driver)(nil)

func newDriver(u *url.URL, opts *Options) (*Driver, error) {
	q, err := blob.Query(u, "endpoint", "region", "path_style")
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("no bucket: want s3://[key:secret@]bucket[/prefix]?endpoint=…: %w", fault.Invalid)
	}
	if opts == nil {
		opts = &Options{}
	}
	o := s3.Options{
		Region:                     firstOf(q.Get("region"), os.Getenv("AWS_REGION"), "us-east-1"),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, // many servers know no other
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired, // package blob checks all
		HTTPClient:                 &http.Client{Transport: opts.Transport, CheckRedirect: noRedirect},
		Retryer: retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.Backoff = 4, retry.BackoffDelayerFunc(pause)
			if opts.Attempts > 0 {
				r.MaxAttempts = opts.Attempts
			}
		}),
	}
	if opts.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout, t.MaxIdleConnsPerHost = 30*time.Second, 16
		o.HTTPClient = &http.Client{Transport: t, CheckRedirect: noRedirect}
	}
	if err := address(&o, q); err != nil {
		return nil, err
	}
	secret, err := credentials(u, &o)
	if err != nil {
		return nil, err
	}
	d := &Driver{client: s3.New(o), bucket: u.Host, secret: secret, part: 8 << 20, copyLimit: 5 << 30}
	if opts.PartSize > 0 {
		d.part = max(opts.PartSize, minPart)
	}
	if opts.CopyLimit > 0 {
		d.copyLimit = max(opts.CopyLimit, minPart)
	}
	if d.prefix = strings.Trim(u.Path, "/"); d.prefix != "" {
		d.prefix += "/"
	}
	return d, nil
}

// pause is how long to wait before another attempt, by how many there were: from
// 50 to 100 ms at first, and twice as long each time, up to 5 seconds.
func pause(attempt int, _ error) (time.Duration, error) {
	most := 5 * time.Second
	if attempt < 6 {
		most = 50 * time.Millisecond << attempt
	}
	return most/2 + rand.N(most/2), nil
}

// noRedirect: another address would get our credentials' signature.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func address(o *s3.Options, q url.Values) error {
	if e := q.Get("endpoint"); e != "" {
		at, err := url.Parse(e)
		if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil || at.RawQuery != "" {
			return fmt.Errorf("endpoint: want http://host:port or https://host:port, the key belongs before the bucket's name: %w", fault.Invalid)
		}
		o.BaseEndpoint, o.UsePathStyle = aws.String(e), true
	}
	if s := q.Get("path_style"); s != "" {
		v, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("path_style=%q: want true or false: %w", s, fault.Invalid)
		}
		o.UsePathStyle = v
	}
	return nil
}

func credentials(u *url.URL, o *s3.Options) (string, error) {
	c := aws.Credentials{
		AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN"), Source: "environment",
	}
	if u.User != nil {
		secret, _ := u.User.Password()
		c = aws.Credentials{AccessKeyID: u.User.Username(), SecretAccessKey: secret, Source: "URL"}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return "", fmt.Errorf("no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write key:secret@ before the bucket's name: %w", fault.Invalid)
	}
	o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
	return c.SecretAccessKey, nil
}

// Close frees idle connections.
func (d *Driver) Close() error {
	if c, ok := d.client.Options().HTTPClient.(*http.Client); ok {
		c.CloseIdleConnections()
	}
	return nil
}

// native gives an error of the client its kind.
func (d *Driver) native(what, key string, err error) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	var response *smithyhttp.ResponseError
	var api smithy.APIError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.As(err, &api) && missing(api.ErrorCode()):
		kind = fault.NotFound
	case errors.As(err, &response):
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusNotFound:
			kind = fault.NotFound
		case status == http.StatusUnauthorized, status == http.StatusForbidden:
			kind = fault.Forbidden
		case status == http.StatusConflict, status == http.StatusPreconditionFailed:
			kind = fault.Conflict
		case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
			kind = fault.Invalid
		}
	}
	if text := fault.KindOf(err); text != "" && !isNetwork(err) {
		kind = text // ours, of the reader
	}
	err = fmt.Errorf("%s %s in bucket %s: %w", what, key, d.bucket, err)
	if !errors.Is(err, kind) {
		err = fmt.Errorf("%w: %w", err, kind)
	}
	return redact.Error(err, d.secret)
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}

func missing(code string) bool {
	return code == "NoSuchKey" || code == "NotFound" || code == "NoSuchBucket" || code == "NoSuchUpload"
}
