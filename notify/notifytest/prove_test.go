package notifytest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
)

const token = "token-that-nobody-sees"

// simple is a channel of an embedder, as small as one can be, and the flaws that one could
// have.
type simple struct {
	r    *notifytest.Receiver
	rt   http.RoundTripper
	flaw string
}

func (c *simple) Render(m *notify.Message) (*notify.Payload, error) {
	title := strings.ToValidUTF8(m.Title, "\uFFFD")
	switch c.flaw {
	case "refuses":
		if strings.Contains(m.Title, "\x00") {
			return nil, errors.New("what is this")
		}
	case "unbounded":
	case "random":
		title = rand.Text()
	case "changes":
		m.Title += "!"
	case "shows":
		title += token
	default:
		title = strings.ToValidUTF8(title[:min(len(title), 1000)], "")
	}
	body, err := json.Marshal(map[string]string{"id": m.ID, "title": title}, json.Deterministic(true))
	if c.flaw == "no JSON" {
		body = []byte(`{"title":"` + m.Title + `"}`)
	}
	return &notify.Payload{MediaType: "application/json", Body: body}, err
}

func (c *simple) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	receipt, err := c.send(ctx, d)
	if c.flaw == "retries" && err != nil {
		receipt, err = c.send(ctx, d)
	}
	return receipt, err
}

func (c *simple) send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	timeout := notifytest.Timeout
	switch c.flaw {
	case "waits":
		timeout = time.Hour
	case "reads all": // however slow the machine is
		timeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if c.flaw == "deaf" {
		ctx, cancel = context.WithTimeout(context.Background(), timeout)
		defer cancel()
	}
	// A request with a body that cannot be had again is made once.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.r.URL(), io.NopCloser(bytes.NewReader(d.Payload.Body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Id", d.ID)
	if c.flaw == "other ids" {
		req.Header.Set("X-Id", rand.Text())
	}
	if d.Duplicate && c.flaw != "unflagged" {
		req.Header.Set("X-Again", "yes")
	}
	resp, err := c.rt.RoundTrip(req)
	if c.flaw == "follows" && err == nil && resp.Header.Get("Location") != "" {
		if again, err := http.NewRequestWithContext(ctx, http.MethodGet, resp.Header.Get("Location"), http.NoBody); err == nil {
			if other, err := c.rt.RoundTrip(again); err == nil {
				other.Body.Close()
			}
		}
	}
	if err != nil {
		return nil, c.unanswered(err)
	}
	defer resp.Body.Close()
	return c.answered(resp)
}

func (c *simple) unanswered(err error) error {
	f := &notify.Failure{Reason: "no answer"}
	if strings.Contains(err.Error(), "connection refused") || c.flaw == "sure" {
		f.Sent = notify.No
	}
	if c.flaw == "plain error" {
		return err
	}
	return f
}

func (c *simple) answered(resp *http.Response) (*notify.Receipt, error) {
	var from io.Reader = io.LimitReader(resp.Body, 1<<16)
	if c.flaw == "reads all" {
		from = resp.Body
	}
	body, _ := io.ReadAll(from) // what broke off is an answer as well
	if c.flaw == "optimist" || resp.StatusCode/100 == 2 {
		return &notify.Receipt{Status: resp.StatusCode, Answer: sum.Of(body)}, nil
	}
	f := &notify.Failure{Status: resp.StatusCode, Answer: sum.Of(body), Reason: "refused", Gone: resp.StatusCode == 410}
	switch c.flaw {
	case "quotes":
		f.Reason = string(body)
	case "wraps":
		f.Err = errors.New(string(body))
	case "final":
		f.Permanent = resp.StatusCode/100 == 5
	case "never gone":
		f.Gone = false
	}
	if c.flaw != "hurries" {
		f.After = pauseOf(resp.Header.Get("Retry-After"), c.r.Now())
	}
	return nil, f
}

func pauseOf(text string, now time.Time) time.Duration {
	if d, err := time.ParseDuration(text + "s"); text != "" && strings.Trim(text, "0123456789") == "" {
		if err != nil {
			return 1<<63 - 1
		}
		return d
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

func proved(t *testing.T, flaw string) {
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		rt := r.Transport()
		rt.DisableKeepAlives = true
		rt.MaxResponseHeaderBytes = 1 << 16
		return notifytest.Channel{
			Channel: &simple{r, rt, flaw}, Gone: []int{410}, Secrets: []string{token}, MaxBody: 10_000,
			ID:      func(q *notifytest.Request) string { return q.Header.Get("X-Id") },
			Flagged: func(q *notifytest.Request) bool { return q.Header.Get("X-Again") != "" },
		}
	})
}

// TestSimple: a channel of nobody's but its own passes.
func TestSimple(t *testing.T) { proved(t, "") }

// flaws are what a channel can do wrong, and which test is to find it.
var flaws = []struct{ flaw, test string }{
	{"refuses", "Render"}, {"unbounded", "Render"}, {"random", "Render"}, {"changes", "Render"}, {"shows", "Render"}, {"no JSON", "Render"},
	{"retries", "Broken"}, {"waits", "Slow"}, {"deaf", "Cancelled"}, {"other ids", "SameID"}, {"unflagged", "SameID"},
	{"follows", "Redirect"}, {"sure", "Broken"}, {"plain error", "Refused"}, {"reads all", "Huge"}, {"optimist", "Statuses"},
	{"quotes", "Secrets"}, {"wraps", "Secrets"}, {"final", "Statuses"}, {"never gone", "Statuses"}, {"hurries", "RetryAfter"},
}

// TestFlaws runs this test again with each flaw, and wants the right test to fail.
func TestFlaws(t *testing.T) {
	if flaw := os.Getenv("NOTIFYTEST_FLAW"); flaw != "" {
		proved(t, flaw)
		return
	}
	for _, c := range flaws {
		t.Run(c.flaw, func(t *testing.T) {
			t.Parallel()
			limit := "60s"
			if c.flaw == "waits" {
				limit = "3s"
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFlaws$/^"+c.test+"$", "-test.timeout="+limit)
			cmd.Env = append(os.Environ(), "NOTIFYTEST_FLAW="+c.flaw)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			found := strings.Contains(string(out), "--- FAIL: TestFlaws/"+c.test) || c.flaw == "waits" && strings.Contains(string(out), "test timed out")
			if !errors.As(err, &exit) || !found {
				t.Errorf("%s does not find it: %v\n%s", c.test, err, out)
			}
		})
	}
}

// Example of an embedder's own channel being proved, in one of its tests.
func Example() {
	test := func(t *testing.T) {
		notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
			return notifytest.Channel{Channel: &simple{r: r, rt: r.Transport()}, Gone: []int{410}, Secrets: []string{token}}
		})
	}
	_ = test

	// A receiver by itself: it answers as it is told, and knows what it took.
	r, err := notifytest.Listen(&notifytest.ReceiverOptions{Plain: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	r.Do(notifytest.Behaviour{Status: 503, Header: map[string]string{"Retry-After": "120"}})
	for range 2 {
		resp, err := http.Post(r.URL(), "text/plain", strings.NewReader("hello"))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Printf("%d after %q\n", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	for _, q := range r.Requests() {
		fmt.Println(q.Method, q.Status, q.Taken)
	}
	// Output:
	// 503 after "120"
	// 200 after ""
	// POST 503 false
	// POST 200 true
}
