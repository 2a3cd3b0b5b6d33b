package store

import (
	"time"

	"github.com/stella-ops/stella/notify"
)

// probeLook is how often others look whether the one that tries an endpoint has found it
// back.
const probeLook = 5 * time.Second

// endpointState is how an endpoint does for one receiver, in microseconds.
type endpointState struct {
	failures int
	rest     int64  // nothing is sent before
	probe    string // the delivery that tries whether it is back
	probing  int64  // until when it does
	sent     int64  // when the last one was sent
	slot     int64  // the next that nobody has
	pace     int64  // of the claim
	was      [6]any // as it was read
	well     bool   // and stays so: nothing is written
}

// wellEndpoint reports whether a delivery's endpoint and receiver are well: nothing fails,
// rests or tries, and no slot is taken. It takes no lock: those who deliver to what is well
// need not wait for each other.
func (t *tx) wellEndpoint(d *sentRow) (bool, error) {
	ill := 0
	err := t.get(`SELECT count(*) FROM notify.endpoint_states WHERE tenant_id = $1 AND endpoint = $2 AND recipient = $3 AND (failures > 0 OR rest_us > $4 OR probe <> '' OR slot_us > $4)`,
		[]any{t.tenant, d.Endpoint, d.To, t.now}, &ill)
	return ill == 0, err
}

// endpointState locks the row of a delivery's endpoint and receiver, and makes it where
// it is missing. It is the last lock before messages.
func (t *tx) endpointState(d *sentRow) (*endpointState, error) {
	s := new(endpointState)
	read := func() error {
		return t.get(`SELECT failures, rest_us, probe, probe_us, sent_us, slot_us FROM notify.endpoint_states WHERE tenant_id = $1 AND endpoint = $2 AND recipient = $3 FOR UPDATE`,
			[]any{t.tenant, d.Endpoint, d.To}, &s.failures, &s.rest, &s.probe, &s.probing, &s.sent, &s.slot)
	}
	err := read()
	if isNoRows(err) {
		if _, err = t.exec(`INSERT INTO notify.endpoint_states (tenant_id, endpoint, recipient) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, endpoint, recipient) DO NOTHING`, t.tenant, d.Endpoint, d.To); err == nil {
			err = read()
		}
	}
	s.was = s.kept()
	return s, err
}

// kept is what is kept of it.
func (s *endpointState) kept() [6]any {
	return [6]any{s.failures, s.rest, s.probe, s.probing, s.sent, s.slot}
}

// setEndpointState writes what changed.
func (t *tx) setEndpointState(d *sentRow, s *endpointState) error {
	if s.well {
		return nil
	}
	is := s.kept()
	if is == s.was {
		return nil
	}
	_, err := t.exec(`UPDATE notify.endpoint_states SET failures = $4, rest_us = $5, probe = $6, probe_us = $7, sent_us = $8, slot_us = $9 WHERE tenant_id = $1 AND endpoint = $2 AND recipient = $3`,
		append([]any{t.tenant, d.Endpoint, d.To}, is[:]...)...)
	return err
}

// from is when a delivery may be sent, and why not before. What is paced has a slot of
// its own from then on. Who comes late in his slot goes where nobody was sent to just
// now; else he takes another one.
func (s *endpointState) from(d *sentRow, pace time.Duration, now int64) (at int64, why string) {
	if due := zeroOrMicros(d.Due); due > now {
		return due, "it is due then"
	}
	if s.rest > now {
		return spread(d, s.rest), "the endpoint rests"
	}
	if s.open() && s.probe != "" && s.probe != d.ID && s.probing > now {
		return spread(d, min(s.probing, now+probeLook.Microseconds())), "another delivery tries whether the endpoint is back"
	}
	s.pace = pace.Microseconds()
	if s.pace <= 0 {
		d.slot = 0
		return now, ""
	}
	free := s.sent + s.pace
	if free <= now && (d.slot > 0 && d.slot <= now || s.slot <= now) {
		return now, "" // it is its turn, or nobody else's
	}
	if d.slot+s.pace <= now { // none, or it was missed
		d.slot = max(now, free, s.slot)
		s.slot = d.slot + s.pace
	}
	return max(d.slot, free), "the endpoint is paced"
}

// open reports whether the circuit is: after a rest one delivery tries at a time.
func (s *endpointState) open() bool { return s.failures >= notify.CircuitAfter }

// begin notes that a delivery, which is claimed, is sent now.
func (s *endpointState) begin(d *sentRow, now int64) {
	if s.open() {
		s.probe, s.probing = d.ID, d.until
	}
	if s.pace > 0 {
		s.sent, s.slot = now, max(s.slot, now+s.pace)
	}
}

// end notes what came of an attempt.
func (s *endpointState) end(d *sentRow, o *notify.Settlement, now int64) {
	if s.probe == d.ID {
		s.probe, s.probing = "", 0
	}
	switch {
	case o.Failed:
		s.failures++
	case o.Status == notify.Delivered:
		s.failures = 0
	}
	if o.Rest > 0 {
		s.rest = max(s.rest, now+o.Rest.Microseconds())
	}
}

// spread has those that wait for the same time come one after the other within a second.
// It is later, never earlier.
func spread(d *sentRow, at int64) int64 {
	j := notify.Jitter(d.ID, d.round, time.Second)
	return at + (j + time.Second*notify.Spread/1000).Microseconds()
}
