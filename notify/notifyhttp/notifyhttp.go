// Package notifyhttp serves Notify over HTTP and asks for it there. [Handler] serves what
// is set, what was delivered, previews and acknowledgements; [TimelineHandler] serves what
// happened when. [Client] is the other side of both.
//
// docs/modules/notify.md and timeline.md say what travels, and docs/openapi has a document
// for each.
package notifyhttp

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
	ErrUnavailable     error = fault.Unavailable
)

// The bounds of what travels.
const (
	MaxBody   = 1 << 20            // bytes of a request that is no setting
	MaxAnswer = 64 << 20           // bytes of an answer that a Client reads
	MaxForm   = 8 << 10            // bytes of an acknowledgement by link
	MaxToken  = 2 << 10            // bytes of a token of such a link
	MaxNote   = 1000               // bytes of what somebody says with an acknowledgement
	MaxPage   = 1000               // entries of a page
	MaxListed = 10_000             // notices of a page of items, but for those of the first
	maxName   = notify.MaxID       // bytes of an id
	maxUser   = 256                // bytes of a user
	maxTo     = 1024               // bytes of a receiver
	maxText   = notify.MaxTemplate // bytes of a setting that is a template
)

// The header fields beside the usual ones.
const (
	TypeHeader   = "Stella-Media-Type" // what a payload was sent as
	NumberHeader = "Stella-Checkpoint" // the number of a checkpoint
)

// ByLink is who acknowledged by a link, which says nothing more.
const ByLink = "link"

const root = "/api/v1"

// Identity is who sends a request. Everybody of a tenant may read its settings and
// deliveries, keep preferences of their own, and acknowledge. Preferences of others, what
// was delivered by them, and their incidents are there for an Operator alone.
type Identity struct {
	Tenant  string // required
	Subject string
	// Operator may change settings, see and change preferences of others, send tests and
	// replay deliveries.
	Operator bool
	// Payloads may read messages as they were sent.
	Payloads bool
	// Auditor may read the timeline, on which is what happened to everybody of the tenant.
	Auditor bool
}

// Store is what a Handler reads and writes for one tenant.
type Store interface {
	notify.Desk
	notify.Ledger
}

// Kept is a setting as it is kept.
type Kept[T any] struct {
	// ID is unique within the kind. Of a preference it is the endpoint's.
	ID string `json:"id"`
	// User is whose preference it is.
	User string `json:"user,omitempty"`
	// Number counts the changes of this one, from 1 on. It is also the entity tag.
	Number int64     `json:"number"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Body   T         `json:"body"`
}

type settingPage[T any] struct {
	Settings []Kept[T] `json:"settings"`
	Next     string    `json:"next,omitempty"`
}

// kept is a setting as it travels: its body is JSON already.
type kept = Kept[jsontext.Value]

// attempt is a notify.Attempt as it travels.
type attempt struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	notify.Attempt `json:",embed"`
	Latency        int64 `json:"latency_us"`
	After          int64 `json:"retry_after_ms,omitzero"`
}

// delivered is a delivery with its attempts.
type delivered struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	notify.Delivery `json:",embed"`
	MediaType       string    `json:"media_type"`
	Size            int       `json:"size"`
	Tries           []attempt `json:"tries"`
}

type deliveryPage struct {
	Deliveries []notify.Delivery `json:"deliveries"`
	Next       string            `json:"next,omitempty"`
}

// item is a notify.Item as it travels.
type item struct {
	Key     string          `json:"key"`
	Event   string          `json:"event"`
	Why     []string        `json:"why"`
	Notices []notify.Notice `json:"notices"`
}

type itemPage struct {
	Items []item `json:"items"`
	Next  string `json:"next,omitempty"`
}

type stateList struct {
	Endpoints []notify.EndpointState `json:"endpoints"`
}

// trial is the body that asks for a test message.
type trial struct {
	To string `json:"to,omitempty"`
}

// taking is the body of an acknowledgement.
type taking struct {
	Note string `json:"note,omitempty"`
}

// isScan reports whether id can be that of a scan. Nothing else is looked up.
func isScan(id string) bool {
	rest, ok := strings.CutPrefix(id, "scan-")
	return ok && rest != "" && len(id) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isName reports whether s can be an id in a path.
func isName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxName && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' }) < 0
}

// isUser reports whether s can be a user in a path. Subjects of tokens are of many forms.
func isUser(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxUser && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) < 0
}
