package target

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/webhooksig"
)

// webhook posts exports to an address.
type webhook struct {
	url     string
	host    string
	keys    []*webhooksig.Key // none: nothing is signed
	rt      http.RoundTripper
	now     func() time.Time
	timeout time.Duration
	agent   string
}

func (o *Options) webhook(u *url.URL, secret []byte) (export.Target, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("want https://HOST/…: %w", fault.Invalid)
	}
	w := &webhook{url: u.String(), host: u.Host, now: o.Now, timeout: o.Timeout, agent: o.agent()}
	if w.now == nil {
		w.now = time.Now
	}
	if w.timeout == 0 {
		w.timeout = DefaultTimeout
	}
	if secret != nil {
		k, err := webhooksig.ParseKey(secret)
		if err != nil {
			return nil, err
		}
		if !k.Signs() {
			return nil, fmt.Errorf("its secret is a public key, which does not sign: %w", fault.Invalid)
		}
		w.keys = []*webhooksig.Key{k}
	}
	var err error
	w.rt, err = o.transport(u.Host)
	return w, err
}

// Push posts an export. The address is in no error: it may hold a secret.
func (w *webhook) Push(ctx context.Context, p *export.Parcel) (string, error) {
	content, err := read(p)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(content))
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", w.host, fault.Invalid)
	}
	w.describe(req.Header, p, content)
	if err := w.sign(req.Header, p, content); err != nil {
		return "", fmt.Errorf("push to %s: %w", w.host, err)
	}
	resp, err := w.rt.RoundTrip(req)
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", w.host, unanswered(err))
	}
	defer resp.Body.Close()
	// It is read so that the connection can be used again; it says nothing here.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, MaxAnswer))
	if kind := answerKind(resp.StatusCode); kind != "" {
		return "", fmt.Errorf("push to %s: it answers %d: %w", w.host, resp.StatusCode, kind)
	}
	return receipt(resp), nil
}

// unanswered keeps a refusal of the network's rule; everything else may go better later.
func unanswered(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, fault.Forbidden) {
		return err
	}
	return fmt.Errorf("%w: %w", err, fault.Unavailable)
}

// describe says what is posted.
func (w *webhook) describe(h http.Header, p *export.Parcel, content []byte) {
	sum := sha256.Sum256(content)
	h.Set("Content-Type", p.Object.MediaType)
	h.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.Object.Name}))
	h.Set("Idempotency-Key", `"`+p.Object.Ref.Digest+`"`)
	h.Set("User-Agent", w.agent)
	for name, value := range map[string]string{"Stella-Tenant": p.Tenant, "Stella-Scan": p.ScanID, "Stella-Format": string(p.Format), "Stella-Subject": p.Subject, "Stella-Image": p.Image} {
		if value != "" && printable(value) {
			h.Set(name, value)
		}
	}
}

// sign signs what is posted, where there is a key.
func (w *webhook) sign(h http.Header, p *export.Parcel, content []byte) error {
	if w.keys == nil {
		return nil
	}
	s, err := webhooksig.Sign(w.keys, "msg_"+messageID(p), w.now(), content)
	if err != nil {
		return err
	}
	h.Set(webhooksig.HeaderID, s.ID)
	h.Set(webhooksig.HeaderTimestamp, s.Timestamp)
	h.Set(webhooksig.HeaderSignature, s.Signature)
	return nil
}

// messageID names what is told, to whom: however often it is posted, it is the same.
func messageID(p *export.Parcel) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Tenant, p.ScanID, string(p.Format), p.Object.Ref.Digest}, "\x00")))
	return fmt.Sprintf("%x", sum[:16])
}

func printable(s string) bool {
	return len(s) <= 1024 && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

// answerKind is what an answer means, "" for success.
func answerKind(status int) fault.Kind {
	switch {
	case status/100 == 2:
		return ""
	case status/100 == 5, status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return fault.Unavailable // a conflict is with the same push, which is still under way
	case status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case status == http.StatusForbidden:
		return fault.Forbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.NotFound
	case status == http.StatusRequestEntityTooLarge:
		return fault.Limit
	case status/100 == 3:
		return fault.Unsupported
	}
	return fault.Invalid
}

// receipt is what a webhook calls what it took.
func receipt(resp *http.Response) string {
	if at := resp.Header.Get("Location"); at != "" && len(at) <= MaxReceipt && printable(at) {
		return at
	}
	return strconv.Itoa(resp.StatusCode)
}
