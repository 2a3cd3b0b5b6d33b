package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The times of RFC 8628, in seconds where the server says nothing else.
const (
	deviceInterval = 5 * time.Second
	slowDown       = 5 * time.Second // §3.5: with each slow_down the interval grows by it
	maxInterval    = time.Minute
	maxDeviceLife  = time.Hour
)

// Device is a login on another device (RFC 8628): a person opens URL, enters UserCode, and
// agrees. It is not safe for concurrent use.
type Device struct {
	URL      string // for people to type
	UserCode string
	// Complete is URL with the code in it, "" where the server has none.
	Complete string
	Expires  time.Time
	// Interval is the least time between two polls; servers may lengthen it.
	Interval time.Duration

	client *Client
	code   string // a secret
}

// Device begins a login on another device.
func (c *Client) Device(ctx context.Context, scopes ...string) (*Device, error) {
	const what = "begin a login"
	if err := c.ready(what); err != nil {
		return nil, err
	}
	form := withScopes(scopes)
	began := c.now()
	a, err := c.post(ctx, what, c.Server.Device, form)
	if err != nil {
		return nil, err
	}
	d := &Device{URL: a.Verification, Complete: a.VerificationAll, UserCode: clip(a.UserCode), Interval: deviceInterval, client: c, code: a.DeviceCode}
	for _, page := range []string{d.URL, d.Complete} {
		if page == "" && d.URL != "" {
			continue
		}
		if err := c.checkPage(page); err != nil {
			return nil, fmt.Errorf("%s at %s: verification_uri: %w", what, c.Server.Issuer, err)
		}
	}
	if !isToken(a.DeviceCode) || a.UserCode == "" || a.ExpiresIn <= 0 {
		return nil, fmt.Errorf("%s at %s: the answer has no codes, or codes that are over: %w", what, c.Server.Issuer, fault.Unavailable)
	}
	d.Expires = began.Add(time.Duration(min(a.ExpiresIn, int64(maxDeviceLife/time.Second))) * time.Second)
	if a.Interval != nil {
		d.Interval = min(max(time.Duration(min(*a.Interval, 3600))*time.Second, time.Second), maxInterval)
	}
	return d, nil
}

// checkPage refuses what a person must not be sent to.
func (c *Client) checkPage(page string) error {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.User != nil || len(page) > 2<<10 || page != clip(page) && len(page) <= 300 {
		return fmt.Errorf("%.80q is not the address of a page: %w", clip(page), fault.Invalid)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !c.Insecure && !isLoopback(u.Hostname())) {
		return fmt.Errorf("%.80q is not https: %w", clip(page), fault.Forbidden)
	}
	return nil
}

// Poll asks once whether the person agreed. The error is ErrPending while nobody has
// decided; ErrForbidden where it was denied; ErrUnauthenticated where it came too late.
func (d *Device) Poll(ctx context.Context) (*Token, error) {
	t, err := d.client.grant(ctx, "log in", "urn:ietf:params:oauth:grant-type:device_code", url.Values{"device_code": {d.code}})
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Code == "slow_down" {
		d.Interval = min(d.Interval+slowDown, maxInterval)
	}
	return t, err
}

// Wait polls until somebody decided or it is too late.
func (d *Device) Wait(ctx context.Context) (*Token, error) {
	pause := d.Interval
	for {
		if !d.client.now().Before(d.Expires) {
			return nil, fmt.Errorf("log in at %s: nobody agreed in time: %w", d.client.issuer(), fault.Unauthenticated)
		}
		if err := d.client.pause(ctx, pause); err != nil {
			return nil, fmt.Errorf("log in at %s: %w", d.client.issuer(), err)
		}
		t, err := d.Poll(ctx)
		switch {
		case err == nil:
			return t, nil
		case errors.Is(err, ErrPending):
			pause = d.Interval
		case errors.Is(err, fault.Unavailable) && ctx.Err() == nil: // §3.5: back off
			pause = min(max(2*pause, retryOf(err)), maxInterval)
		default:
			return nil, err
		}
	}
}

func retryOf(err error) time.Duration {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.RetryAfter
	}
	return 0
}
