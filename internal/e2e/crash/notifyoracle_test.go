package crash

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store"
)

// alarmOracle reads the tables and the receiver's log, and has what was exported verified.
type alarmOracle struct {
	*oracle
	alarm    *alarm
	receiver *notifytest.Receiver

	deliveries map[string]*delivered
	lost       map[string]int // attempts whose holder vanished, by holder
	late       int            // those of them whose holder lived, and came too late
	again      int            // messages that were taken a second time, and so on
	againLost  int            // those of them that follow from attempts whose holder vanished
	retries    int            // whose time was checked
	pauses     int
}

// delivered is one row of deliveries.
type delivered struct {
	tenant, id, status, kind, endpoint, to, digest, group, incident string
	window                                                          int64
	duplicate                                                       bool
	attempts                                                        []attempted
}

// attempted is one row of attempts.
type attempted struct {
	number, status         int
	holder, outcome        string
	duplicate, lost        bool
	started, ended, paused int64 // in microseconds
}

// check returns what it saw, for people.
func (o *alarmOracle) check(j *journal) string {
	o.read()
	o.noted()
	var events []happened
	for n := range j.tried + 1 {
		h := happening(n)
		if j.acked[n] == "" && !o.announced(&h) {
			continue // nobody was answered, and it did not happen
		}
		events = append(events, h)
	}
	o.reached(events)
	o.items(events)
	o.repeated()
	o.schedule()
	escalated := o.escalations()
	rows := o.timeline(events)
	return fmt.Sprintf("%d messages in %d attempts, %d taken again (%d after %d lost attempts), %d retries and %d pauses kept, %d escalations, %d rows on timelines",
		len(o.deliveries), o.attempts(), o.again, o.againLost, total(o.lost), o.retries, o.pauses, escalated, rows)
}

func total(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

func (o *alarmOracle) attempts() (n int) {
	for _, d := range o.deliveries {
		n += len(d.attempts)
	}
	return n
}

// read reads deliveries and attempts.
func (o *alarmOracle) read() {
	o.deliveries, o.lost = map[string]*delivered{}, map[string]int{}
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			d := &delivered{tenant: tenant}
			err := r.Scan(&d.id, &d.status, &d.kind, &d.endpoint, &d.to, &d.digest, &d.group, &d.window, &d.incident, &d.duplicate)
			if o.deliveries[d.id] != nil {
				o.t.Errorf("two tenants have delivery %s", d.id)
			}
			o.deliveries[d.id] = d
			return err
		}, `SELECT id, status, kind, endpoint, recipient, digest, group_id, window_us, incident, duplicate <> 0 FROM notify.notification_deliveries WHERE tenant_id = $1`, tenant)
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var a attempted
			var id, reason string
			err := r.Scan(&id, &a.number, &a.holder, &a.outcome, &a.duplicate, &a.started, &a.ended, &a.paused, &a.status, &reason)
			if a.lost = a.outcome == "unknown" && strings.HasSuffix(reason, "ended without a sign of life"); a.lost {
				o.lost[a.holder]++
			}
			d := o.deliveries[id]
			if d == nil || d.tenant != tenant || a.number != len(d.attempts)+1 {
				o.t.Errorf("attempt %d is of %s, which is no delivery, or lacks one before", a.number, id)
				return err
			}
			d.attempts = append(d.attempts, a)
			return err
		}, `SELECT delivery_id, number, holder, outcome, duplicate <> 0, started_us, ended_us, after_us, status, reason FROM notify.attempts WHERE tenant_id = $1 ORDER BY delivery_id, number`, tenant)
	}
}

// noted wants each delivery to be settled: what it says is what its attempts say.
func (o *alarmOracle) noted() {
	for id, d := range o.deliveries {
		taken := 0
		for _, a := range d.attempts {
			if a.outcome == "delivered" {
				taken++
			}
			if a.outcome == "open" || a.ended < a.started {
				o.t.Errorf("attempt %d of %s is %s, from %d to %d", a.number, id, a.outcome, a.started, a.ended)
			}
		}
		if d.status != "delivered" && d.status != "suppressed" || (d.status == "delivered") != (taken == 1) || taken > 1 {
			o.t.Errorf("delivery %s is %s, and %d of %d attempts reached the receiver", id, d.status, taken, len(d.attempts))
		}
	}
}

// announced reports whether an event is in the outbox.
func (o *alarmOracle) announced(h *happened) bool {
	n, err := o.count(o.t.Context(), "stella_app", h.tenant, `SELECT count(*) FROM transport.outbox WHERE tenant_id = $1 AND topic = $2 AND event_id = $3`, h.tenant, h.topic, h.event.ID)
	if err != nil {
		o.t.Error(err)
	}
	return n > 0
}

// reached wants the receiver to have taken each notice in one message for each endpoint,
// and nothing else. It asks the receiver alone.
func (o *alarmOracle) reached(events []happened) {
	want := map[told]bool{}
	for i := range events {
		sent, _ := events[i].reaches()
		for _, t := range sent {
			want[t] = true
		}
	}
	seen := map[told]map[string]bool{} // the messages that list it
	digests, taken := map[string]string{}, o.receiver.Taken()
	for _, r := range o.receiver.Requests() {
		if before, ok := digests[r.ID]; ok && before != r.Digest {
			o.t.Errorf("message %s was sent with other bytes than before", r.ID)
		}
		digests[r.ID] = r.Digest
		var body struct {
			ID   string
			Data struct {
				Kind    string
				Total   int
				Notices []struct{ Event, Image string }
			}
		}
		if err := json.Unmarshal(r.Body, &body); err != nil || body.ID != r.ID {
			o.t.Errorf("message %s: %q, %v", r.ID, body.ID, err)
		}
		if taken[r.ID] == 0 || body.Data.Kind == "escalation" {
			continue
		}
		if body.Data.Total != len(body.Data.Notices) {
			o.t.Errorf("message %s lists %d of %d: windows are too long for this test", r.ID, len(body.Data.Notices), body.Data.Total)
		}
		parts := strings.Split(r.Path, "/")
		for _, n := range body.Data.Notices {
			at := told{parts[1], parts[2], n.Event, n.Image}
			if !want[at] {
				o.t.Errorf("%+v was told in %s, and should not", at, r.ID)
			}
			if seen[at] == nil {
				seen[at] = map[string]bool{}
			}
			seen[at][r.ID] = true
		}
	}
	for t := range want {
		if len(seen[t]) != 1 {
			o.t.Errorf("%+v was told in %d messages: %v", t, len(seen[t]), seen[t])
		}
	}
	for id, d := range o.deliveries {
		if d.status == "delivered" && (taken[id] == 0 || digests[id] != d.digest) {
			o.t.Errorf("delivery %s is delivered, and the receiver took %d with digest %s", id, taken[id], digests[id])
		}
	}
	for id := range digests {
		if o.deliveries[id] == nil || o.deliveries[id].status == "suppressed" {
			o.t.Errorf("the receiver got %s, which nobody decided to send", id)
		}
	}
	if len(want) < 100 {
		o.t.Errorf("%d notices are too few to prove anything", len(want))
	}
}

// items wants each event decided about once: its notices are in one window for each
// endpoint, and each window is one message.
func (o *alarmOracle) items(events []happened) {
	type window struct {
		group string
		at    int64
	}
	messages := map[window]*delivered{}
	for _, d := range o.deliveries {
		if d.kind == "escalation" {
			continue
		}
		if other := messages[window{d.group, d.window}]; other != nil {
			o.t.Errorf("%s and %s are of one window", d.id, other.id)
		}
		messages[window{d.group, d.window}] = d
	}
	counted := map[told]string{} // to the status of the message
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var key, id, text string
			var w window
			if err := r.Scan(&key, &w.group, &w.at, &id, &text); err != nil {
				return err
			}
			d := messages[w]
			if d == nil {
				o.t.Errorf("item %s of %s is in no message", key, id)
				return nil
			}
			var body struct {
				Notices []struct{ Event, Image string }
			}
			err := json.Unmarshal([]byte(text), &body)
			for _, n := range body.Notices {
				t := told{tenant, d.endpoint, n.Event, n.Image}
				if counted[t] != "" || n.Event != id {
					o.t.Errorf("%+v is in two items", t)
				}
				counted[t] = d.status
			}
			return err
		}, `SELECT key, group_id, window_us, event_id, body FROM notify.items WHERE tenant_id = $1`, tenant)
	}
	silent := 0
	for i := range events {
		sent, silenced := events[i].reaches()
		for _, t := range sent {
			if counted[t] != "delivered" {
				o.t.Errorf("%+v is %q", t, counted[t])
			}
			delete(counted, t)
		}
		for _, t := range silenced {
			if counted[t] != "suppressed" {
				o.t.Errorf("%+v is %q, and should be silenced", t, counted[t])
			}
			silent++
			delete(counted, t)
		}
	}
	for t := range counted {
		o.t.Errorf("%+v is in an item, and did not happen", t)
	}
	if silent == 0 {
		o.t.Error("nothing was silenced")
	}
}

// repeated wants the receiver to have a message twice only where it may have had it when
// an attempt ended without an answer, and to be told so.
func (o *alarmOracle) repeated() {
	requests := map[string]int{}
	for _, r := range o.receiver.Requests() {
		requests[r.ID]++
	}
	if bad := o.receiver.Unflagged(); len(bad) > 0 {
		o.t.Errorf("messages were taken again without a flag: %v", bad)
		for _, id := range bad {
			o.t.Logf("%+v", *o.deliveries[id])
		}
	}
	for id, n := range o.receiver.Taken() {
		d := o.deliveries[id]
		if d == nil {
			continue // reported before
		}
		unknown, lost := 0, 0
		for _, a := range d.attempts {
			if a.duplicate != (unknown > 0) {
				o.t.Errorf("attempt %d of %s is flagged: %t, after %d attempts of which nobody knows", a.number, id, a.duplicate, unknown)
			}
			if a.outcome == "unknown" {
				unknown++
			}
			if a.lost {
				lost++
			}
		}
		if n > 1+unknown || requests[id] > len(d.attempts) || n > 1 && !d.duplicate {
			o.t.Errorf("delivery %s was taken %d times in %d requests; %d of %d attempts may have reached the receiver; flagged: %t", id, n, requests[id], unknown, len(d.attempts), d.duplicate)
		}
		o.again += n - 1
		o.againLost += min(n-1, lost)
	}
}

// lostByKills wants no process to have lost more attempts than it made at a time, for each
// time that it died or its store did.
// An attempt whose outcome came when its lease was over does not count.
func (o *alarmOracle) lostByKills(j *journal, deaths int) {
	late := map[string]int{}
	for id, d := range o.deliveries {
		refused := j.unsettled[id] || slices.ContainsFunc(j.fenced, func(w write) bool { return w.job == id })
		for _, a := range d.attempts {
			if a.lost && refused {
				late[a.holder]++
			}
		}
	}
	o.late = total(late)
	for holder, n := range o.lost {
		n -= late[holder]
		most := deaths
		if strings.HasPrefix(holder, inlineSlot) {
			most *= inlineParallel
		}
		if n > most {
			o.t.Errorf("%s lost %d attempts", holder, n)
		}
		if strings.HasPrefix(holder, "bystander") && n > 0 {
			o.t.Errorf("%s, which was not killed, lost %d attempts", holder, n)
		}
	}
}

// escalations wants others to be told once of each incident that nobody took note of in
// time, and of no other.
func (o *alarmOracle) escalations() (steps int) {
	want := map[string]int{}
	for _, d := range o.deliveries {
		if (d.kind == "escalation") != (d.endpoint == "boss") {
			o.t.Errorf("%s is of kind %s and goes to %s", d.id, d.kind, d.endpoint)
		}
		if d.kind == "escalation" {
			want[d.incident]++
		}
	}
	incidents := 0
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var id string
			var step int
			var acknowledged, due int64
			err := r.Scan(&id, &step, &acknowledged, &due)
			if d := o.deliveries[id]; d == nil || d.incident != id || want[id] != step || step == 0 && acknowledged == 0 || due != 0 {
				o.t.Errorf("incident %s was taken note of at %d, is due at %d, and led to %d escalations of %d", id, acknowledged, due, want[id], step)
			}
			delete(want, id)
			steps += step
			incidents++
			return err
		}, `SELECT id, step, acknowledged_us, due_us FROM notify.incidents WHERE tenant_id = $1`, tenant)
	}
	for id := range want {
		o.t.Errorf("an escalation is of %s, which is no incident", id)
	}
	if incidents == 0 {
		o.t.Error("there are no incidents")
	}
	return steps
}

// schedule wants the next attempt to be asked for when the delivery's id says, or when the
// receiver said, and no attempt before that.
func (o *alarmOracle) schedule() {
	backoff := o.alarm.backoff()
	asked := map[string][]int64{}
	for _, tenant := range tenants {
		o.query("stella_app", tenant, func(r *sql.Rows) error {
			var id string
			var at int64
			err := r.Scan(&id, &at)
			id, _, _ = strings.Cut(id, "/send/")
			asked[id] = append(asked[id], at)
			return err
		}, `SELECT event_id, not_before_us FROM transport.outbox WHERE tenant_id = $1 AND topic = 'notify:deliveries'`, tenant)
	}
	places := map[string][]attempted{}
	for id, d := range o.deliveries {
		n := 0 // attempts since it was queued or replayed
		for i, a := range d.attempts {
			n++
			place := d.tenant + " " + d.endpoint + " " + d.to
			places[place] = append(places[place], a)
			due := func(n int) int64 { return a.ended + max(backoff.After(id, n).Microseconds(), a.paused) }
			// In a flood endpoints are gone and used again, which begins anew.
			for m := n; o.alarm.Flood > 0 && m > 0; m-- {
				if slices.Contains(asked[id], due(m)) {
					n = m
					break
				}
			}
			switch {
			case a.lost || a.outcome == "delivered":
			case a.status == 410 || a.status == 413:
				n = 0 // that was the end, until somebody had it sent again
			case n >= backoff.MaxAttempts():
				n = 0 // it was dead, and somebody had it sent again
			default:
				if !slices.Contains(asked[id], due(n)) {
					o.t.Errorf("attempt %d of %s ended at %d; the next is asked for at %v, want %d", a.number, id, a.ended, asked[id], due(n))
				}
				if o.alarm.Flood == 0 && i+1 < len(d.attempts) && d.attempts[i+1].started < due(n) {
					o.t.Errorf("attempt %d of %s began %d µs early", a.number+1, id, due(n)-d.attempts[i+1].started)
				}
				o.retries++
			}
		}
	}
	for place, list := range places {
		slices.SortFunc(list, func(a, b attempted) int { return int(a.started - b.started) })
		for _, a := range list {
			if a.paused == 0 || a.lost {
				continue
			}
			o.pauses++
			first, _ := slices.BinarySearchFunc(list, a.ended, func(b attempted, at int64) int { return int(b.started - at) })
			for _, b := range list[first:] {
				if b.started > a.ended && b.started < a.ended+a.paused {
					o.t.Errorf("%s was not left alone: an attempt at %d, %d µs after it asked for %d", place, b.started, b.started-a.ended, a.paused)
				}
			}
		}
	}
}

// timeline wants each event that was announced on one row, and has the chain verified with
// the public key alone.
func (o *alarmOracle) timeline(events []happened) (rows int64) {
	root := o.openStore(o.t)
	sink, err := folder.New(o.alarm.Dir)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, tenant := range tenants {
		rows += o.chain(root, sink, tenant)
		o.indexed(tenant, events)
	}
	return rows
}

func (o *alarmOracle) chain(root *store.Root, sink *folder.Sink, tenant string) int64 {
	ctx := o.t.Context()
	p, err := publisherOf(root, tenant, sink)
	if err != nil {
		o.t.Fatal(err)
	}
	before, err := sink.Last(ctx, tenant)
	if err != nil || before == nil {
		o.t.Fatalf("checkpoints of %s: %v, %v", tenant, before, err)
	}
	if _, err := p.Flush(ctx); err != nil {
		o.t.Errorf("the last checkpoint of %s: %v", tenant, err)
	}
	chain, err := part(root, tenant, (*store.Tenant).Timeline)
	if err != nil {
		o.t.Fatal(err)
	}
	var export bytes.Buffer
	if err := timeline.Export(ctx, &export, tenant, chain, 0); err != nil {
		o.t.Errorf("export of %s: %v", tenant, err)
	}
	path, err := sink.Path(tenant)
	if err != nil {
		o.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	key, err := alarmKey()
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := verify.Verify(&export, &verify.Options{Tenant: tenant, Checkpoints: bytes.NewReader(text), Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}})
	if err != nil || r.Uncovered() != 0 || r.Checkpoints < 2 {
		o.t.Errorf("the timeline of %s: %+v, %v", tenant, r, err)
	}
	if gaps, err := chain.Gaps(ctx, 0); err != nil || len(gaps) > 0 {
		o.t.Errorf("%s has gaps: %+v, %v", tenant, gaps, err)
	}
	// The store has the same checkpoints as the folder, in the same order.
	var kept bytes.Buffer
	o.query("stella_app", tenant, func(r *sql.Rows) error {
		var envelope []byte
		err := r.Scan(&envelope)
		kept.Write(append(envelope, '\n'))
		return err
	}, `SELECT envelope FROM timeline.checkpoints WHERE tenant_id = $1 ORDER BY number`, tenant)
	if !bytes.Equal(kept.Bytes(), text) {
		o.t.Errorf("the checkpoints of %s are others in the store than in the folder: %d and %d bytes", tenant, kept.Len(), len(text))
	}
	return r.Last
}

// indexed compares the rows of a timeline with the outbox, and with what happened.
func (o *alarmOracle) indexed(tenant string, events []happened) {
	announced, rows := map[string]string{}, map[string]string{}
	o.query("stella_app", tenant, func(r *sql.Rows) error {
		var topic, id, digest string
		err := r.Scan(&topic, &id, &digest)
		announced[topic+" "+id] = digest
		return err
	}, `SELECT topic, event_id, digest FROM transport.outbox WHERE tenant_id = $1 AND topic <> 'notify:deliveries'`, tenant)
	o.query("stella_app", tenant, func(r *sql.Rows) error {
		var topic, id string
		var digest []byte
		err := r.Scan(&topic, &id, &digest)
		if topic != timeline.Topic {
			if rows[topic+" "+id] != "" {
				o.t.Errorf("%s of %s has two rows", id, tenant)
			}
			rows[topic+" "+id] = hex.EncodeToString(digest)
		}
		return err
	}, `SELECT topic, event_id, digest FROM timeline.rows WHERE tenant_id = $1`, tenant)
	for id, digest := range announced {
		if rows[id] != digest {
			o.t.Errorf("%s was announced with digest %s; on the timeline is %q", id, digest, rows[id])
		}
	}
	for i := range events {
		if h := &events[i]; h.tenant == tenant && rows[h.topic+" "+h.event.ID] == "" {
			o.t.Errorf("%s of %s is not on its timeline", h.event.ID, tenant)
		}
	}
	if len(rows) != len(announced) {
		o.t.Errorf("%d rows on the timeline of %s, %d events", len(rows), tenant, len(announced))
	}
	for _, d := range o.deliveries { // the end of each is an event
		end := fmt.Sprintf("notify:events %s/delivered/%d", d.id, len(d.attempts))
		if d.tenant == tenant && d.status == "delivered" && rows[end] == "" {
			o.t.Errorf("%s is not on the timeline of %s", end, tenant)
		}
	}
}
