package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// firstPause is the wait before the second try of a request; it doubles.
const firstPause = 200 * time.Millisecond

// get sends a request for a manifest or blob until it succeeds, fails for good,
// or was tried often enough. The answer is 200, or 206 to a request for a part.
func (s *session) get(ctx context.Context, method, path string, h http.Header) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := s.try(ctx, method, path, h)
		if err == nil {
			return resp, nil
		}
		if again, err := s.again(ctx, err, attempt); !again {
			return nil, err
		}
	}
}

// read is get, with the whole of a short answer.
func (s *session) read(ctx context.Context, path string, h http.Header, limit int64) ([]byte, http.Header, error) {
	for attempt := 1; ; attempt++ {
		resp, err := s.get(ctx, http.MethodGet, path, h)
		if err != nil {
			return nil, nil, err
		}
		b, err := readLimited(resp.Body, path, limit)
		resp.Body.Close()
		if err == nil {
			return b, resp.Header, nil
		}
		if again, err := s.again(ctx, err, attempt); !again {
			return nil, nil, err
		}
	}
}

// readLimited reads at most limit bytes and fails when there are more.
func readLimited(r io.Reader, what string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, wireError(err))
	}
	if int64(len(b)) > limit {
		return nil, &fault.LimitError{What: "bytes", Where: what, Max: limit}
	}
	return b, nil
}

func (s *session) try(ctx context.Context, method, path string, h http.Header) (*http.Response, error) {
	u := s.base
	u.Path = "/v2/" + s.ref.Repository + "/" + path
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Path, fault.Invalid)
	}
	for k, v := range h {
		req.Header[k] = v
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, u.String(), wireError(err))
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent && h.Get("Range") != "" {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, fmt.Errorf("%s %s: %w", method, u.String(), statusError(resp))
}

// again waits before another try of what failed with err, if there is to be one.
func (s *session) again(ctx context.Context, err error, attempt int) (bool, error) {
	if !errors.Is(err, fault.Unavailable) || attempt >= s.set.limits.Attempts || ctx.Err() != nil {
		return false, err
	}
	var status *answer
	wait := 0
	if errors.As(err, &status) {
		if wait = status.retryAfter; wait > s.set.limits.RetryAfter {
			return false, fmt.Errorf("%w; it asks to wait %d seconds, at most %d are waited", err, wait, s.set.limits.RetryAfter)
		}
	}
	if waitErr := s.pause(ctx, attempt, wait); waitErr != nil {
		return false, fmt.Errorf("%w; %w", err, waitErr)
	}
	return true, nil
}

// pause waits before the next try: longer each time, and as long as was asked.
func (s *session) pause(ctx context.Context, attempt, seconds int) error {
	d := max(firstPause<<(min(attempt, 6)-1), time.Duration(seconds)*time.Second)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the header's seconds; a date, or nonsense, is 0.
func retryAfter(h http.Header) int {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}
