package store

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// itemBody is what an item says, as it stands in the row.
type itemBody struct {
	Notices []notify.Notice `json:"notices"`
	Why     []string        `json:"why,omitempty"`
}

// anyText lets JSON take text as images and people give it.
var anyText = jsontext.AllowInvalidUTF8(true)

const itemColumns = `i.key, i.group_id, i.window_us, i.event_id, i.body`

func readItem(row func(...any) error) (notify.Item, error) {
	var i notify.Item
	var text string
	if err := row(&i.Key, &i.Group, &i.Window, &i.Event, &text); err != nil {
		return i, err
	}
	var b itemBody
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return i, fmt.Errorf("item %s: %v: %w", i.Key, err, fault.Mismatch)
	}
	i.Notices, i.Why = b.Notices, b.Why
	return i, nil
}

// windowRow is one element of the JSON parameter that windows are chosen by.
type windowRow struct {
	Group  string `json:"g"`
	Window int64  `json:"w"`
}

// collected reads the items of open windows, as many of each as have MaxListed notices.
func (t *tx) collected(groups map[string]*notify.Group) (map[string][]notify.Item, error) {
	out := map[string][]notify.Item{}
	var rows []windowRow
	for _, g := range groups {
		if !g.Due.IsZero() {
			rows = append(rows, windowRow{g.ID, g.Window})
		}
	}
	if len(rows) == 0 {
		return out, nil
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	listed := map[string]int{}
	return out, t.each(func(row func(...any) error) error {
		i, err := readItem(row)
		if err != nil || listed[i.Group] >= notify.MaxListed {
			return err
		}
		i.Notices = i.Notices[:min(len(i.Notices), notify.MaxListed-listed[i.Group])]
		listed[i.Group] += len(i.Notices)
		out[i.Group] = append(out[i.Group], i)
		return nil
	}, collectedItems, t.tenant, string(list), notify.MaxListed)
}

// collectedItems is what collected reads. It is a CROSS JOIN because SQLite takes the tables
// of that in their order: otherwise it may read all items of the tenant, to have them sorted.
const collectedItems = `SELECT ` + itemColumns + ` FROM json_rows($2) AS q CROSS JOIN notify.items i
	WHERE i.tenant_id = $1 AND i.group_id = q.value->>'g' AND i.window_us = CAST(q.value->>'w' AS BIGINT) AND i.n <= $3 ORDER BY i.group_id, i.n`

// keepItems adds items behind those that their windows have, and which scans they are
// about. Their groups are locked.
func (t *tx) keepItems(items []notify.Item) error {
	if len(items) == 0 {
		return nil
	}
	type scanRow struct {
		windowRow
		scan string
	}
	last, err := t.lastItems(items)
	if err != nil {
		return err
	}
	var rows, scans []any
	seen := map[scanRow]bool{}
	for k := range items {
		i := &items[k]
		body, err := json.Marshal(itemBody{i.Notices, i.Why}, json.Deterministic(true), anyText)
		if err != nil {
			return fmt.Errorf("item %s: %v: %w", i.Key, err, fault.Invalid)
		}
		w := windowRow{i.Group, i.Window}
		last[w]++
		rows = append(rows, t.tenant, i.Key, i.Group, i.Window, last[w], clean(i.Event), len(i.Notices), string(body), t.now)
		for j := range i.Notices {
			s := scanRow{w, clean(i.Notices[j].ScanID)}
			if s.scan != "" && !seen[s] {
				seen[s] = true
				scans = append(scans, t.tenant, s.scan, i.Group, i.Window)
			}
		}
	}
	if _, err := t.insert(`INSERT INTO notify.items (tenant_id, key, group_id, window_us, n, event_id, notices, body, at_us)`, 9, rows, ` ON CONFLICT (tenant_id, key) DO NOTHING`); err != nil {
		return err
	}
	_, err = t.insert(`INSERT INTO notify.item_scans (tenant_id, scan_id, group_id, window_us)`, 4, scans, ` ON CONFLICT (tenant_id, scan_id, group_id, window_us) DO NOTHING`)
	return err
}

// lastItems is how far the items of windows are numbered.
func (t *tx) lastItems(items []notify.Item) (map[windowRow]int, error) {
	last := map[windowRow]int{}
	var rows []windowRow
	for k := range items {
		w := windowRow{items[k].Group, items[k].Window}
		if _, known := last[w]; !known {
			last[w] = 0
			rows = append(rows, w)
		}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	return last, t.each(func(row func(...any) error) error {
		var w windowRow
		var n int
		err := row(&w.Group, &w.Window, &n)
		last[w] = n
		return err
	}, `SELECT q.value->>'g', CAST(q.value->>'w' AS BIGINT), (SELECT coalesce(max(i.n), 0) FROM notify.items i WHERE i.tenant_id = $1 AND i.group_id = q.value->>'g' AND i.window_us = CAST(q.value->>'w' AS BIGINT))
		FROM json_rows($2) AS q`, t.tenant, string(list))
}
