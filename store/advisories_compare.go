package store

import (
	"bytes"
	"context"

	"github.com/stella-ops/stella/advisory"
)

// Compare says how what a source says now differs from what is released of it.
// gone are documents that its run is about to end.
func (a *Advisories) Compare(ctx context.Context, source string, gone []string) (*advisory.Comparison, error) {
	c := new(advisory.Comparison)
	back := map[string]bool{} // by document: whether all that changed was modified earlier
	err := a.read(ctx, "compare "+source+" with what is released", func(tx *tx) error {
		*c = advisory.Comparison{}
		clear(back)
		err := tx.get(`SELECT released, records FROM vuln.sources WHERE name = $1`, []any{source}, &c.Released, &c.Before)
		if isNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		err = tx.get(`SELECT count(*) FROM vuln.observations WHERE source = $1 AND to_run = 0`, []any{source}, &c.Now)
		if err != nil {
			return err
		}
		if err := tx.withoutGone(source, gone, c); err != nil {
			return err
		}
		return tx.each(func(row func(...any) error) error {
			var document string
			var old, now struct {
				digest                        []byte
				withdrawn, affected, modified int64
			}
			if err := row(&document, &old.digest, &old.withdrawn, &old.affected, &old.modified, &now.digest, &now.withdrawn, &now.affected, &now.modified); err != nil {
				return err
			}
			if bytes.Equal(old.digest, now.digest) {
				return nil
			}
			if old.withdrawn == 0 && now.withdrawn != 0 {
				c.Withdrawn++
			}
			if old.affected > 0 && now.affected == 0 && now.withdrawn == 0 {
				c.Emptied++
			}
			all, seen := back[document]
			back[document] = now.modified < old.modified && (all || !seen)
			return nil
		}, `SELECT o.document, o.digest, o.withdrawn, o.affected, o.modified_us, n.digest, n.withdrawn, n.affected, n.modified_us
			FROM vuln.groups g JOIN vuln.observations o ON o.group_id = g.id AND o.to_run > 0 AND o.to_run > $2 AND o.from_run <= $2
			JOIN vuln.observations n ON n.source = o.source AND n.document = o.document AND n.record = o.record AND n.to_run = 0
			WHERE g.source = $1`, source, c.Released)
	})
	for document, all := range back {
		if all {
			c.Back++
			if c.Example == "" || document < c.Example {
				c.Example = document
			}
		}
	}
	return c, err
}

// withoutGone takes the records of documents that are gone from those of now.
func (t *tx) withoutGone(source string, gone []string, c *advisory.Comparison) error {
	names := make([]string, len(gone))
	for i, n := range gone {
		names[i] = clean(n)
	}
	return batches(names, []any{source}, func(in string, args []any) error {
		var n int
		err := t.get(`SELECT count(*) FROM vuln.observations WHERE source = $1 AND to_run = 0 AND document IN `+in, args, &n)
		c.Now -= n
		return err
	})
}
