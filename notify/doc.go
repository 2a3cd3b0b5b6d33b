// Package notify tells people what concerns them, once, with the reason, and keeps proof
// that they were told.
//
// A [Router] takes events: a scan that completed, a vulnerability that turned for images
// that were scanned long ago, a verdict that changed. Each is read as [Notice]s, one for
// each image that it concerns. Rules and preferences ([Rule]) say who hears of which. What
// matches goes into a group; the first of a group goes out at once, further ones are
// collected until the group's window closes, so a vulnerability in ten thousand images is
// one message with a list. Digests, quiet hours, maintenance, inhibition and escalation
// are ways to close a window at another time.
//
// A message is rendered by the [Channel] of its endpoint and stored, byte for byte, in
// the transaction that closes the window. A [Deliverer] sends what is stored: an attempt
// is noted before it is made, and its outcome afterwards. Delivery is at least once, and
// cannot be more: between the answer of a receiver and the note of it a process may die.
// A message that may have been received before is sent with the same id and flagged.
//
// What decides is pure: it depends on the event, the settings, the groups that are open
// and the store's clock, so a redo decides the same. Times between attempts follow from
// the delivery's id.
//
// Sub-packages slack, teams, email, webhook, pagerduty and opsgenie are channels;
// template renders; notifytest proves a channel or a store; notifyhttp serves all this,
// and timeline keeps what happened when.
package notify

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrForbidden   error = fault.Forbidden
	ErrUnavailable error = fault.Unavailable
	ErrFenced      error = fault.Fenced
	ErrLimit       error = fault.Limit
)
