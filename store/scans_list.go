package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// List returns jobs, the newest first.
func (s *Scans) List(ctx context.Context, q scan.Query) (*scan.Page, error) {
	if q.State != "" && !q.State.Known() {
		return nil, fmt.Errorf("list scans: no state is called %.40q: %w", q.State, fault.Invalid)
	}
	if q.Limit < 0 || q.Limit > 1000 {
		return nil, fmt.Errorf("list scans: limit %d: want 1 to 1000: %w", q.Limit, fault.Invalid)
	}
	if len(q.Text) > scan.MaxReference {
		return nil, fmt.Errorf("list scans: text of %d bytes: want at most %d: %w", len(q.Text), scan.MaxReference, fault.Invalid)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	before, id, err := readCursor(q.After)
	if err != nil {
		return nil, err
	}
	statement, args := selectJobs(s.tenant.name, &q, before, id)
	page := new(scan.Page)
	err = s.tenant.read(ctx, "list scans", func(tx *tx) error {
		page.Jobs = page.Jobs[:0]
		return tx.each(func(row func(...any) error) error {
			var holds string
			j, err := readJob(tx.tenant, row, &holds)
			if err == nil {
				j.Holds = holds
				page.Jobs = append(page.Jobs, *j)
			}
			return err
		}, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	if len(page.Jobs) > q.Limit {
		page.Jobs = page.Jobs[:q.Limit]
		last := page.Jobs[q.Limit-1]
		page.Next = strconv.FormatInt(last.Created.UnixMicro(), 10) + "." + last.ID
	}
	return page, nil
}

// holds is the worst outcome that holds about a job j, in any environment; where nobody has
// decided since, the one that it completed with.
const holds = `coalesce((SELECT c.outcome FROM policy.current c WHERE c.tenant_id = j.tenant_id AND c.scan_id = j.job_id
	ORDER BY CASE c.outcome WHEN 'error' THEN 4 WHEN 'block' THEN 3 WHEN 'not_assessed' THEN 2 WHEN 'warn' THEN 1 ELSE 0 END DESC LIMIT 1), j.outcome)`

// selectJobs writes the statement of a query: one text for each set of conditions, so that
// each is planned for itself.
func selectJobs(tenant string, q *scan.Query, before int64, id string) (string, []any) {
	args := []any{tenant}
	value := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	where := ` WHERE j.tenant_id = $1`
	if q.State != "" {
		where += ` AND j.status = ` + value(column(q.State))
	}
	if q.Image != "" {
		where += ` AND j.image_ref = ` + value(q.Image)
	}
	if q.Outcome != "" {
		where += ` AND ` + holds + ` = ` + value(q.Outcome)
	}
	if q.Text != "" {
		where += ` AND lower(j.image_ref) LIKE ` + value("%"+likeEscape.Replace(lowerASCII(q.Text))+"%") + ` ESCAPE '!'`
	}
	if q.After != "" {
		where += ` AND (j.created_us, j.job_id) < (` + value(before) + `, ` + value(id) + `)`
	}
	if q.Latest { // one look at an index for each job
		where += ` AND j.job_id = (SELECT n.job_id FROM scanner.scan_jobs n WHERE n.tenant_id = j.tenant_id AND n.image_ref = j.image_ref AND n.status <> 'cancelled'
			ORDER BY n.created_us DESC, n.job_id DESC LIMIT 1)`
	}
	const order = ` ORDER BY j.created_us DESC, j.job_id DESC`
	from := ` FROM scanner.scan_jobs j` + where + order + ` LIMIT ` + value(q.Limit+1)
	if q.Text != "" { // first the ids: for them an index is enough
		from = ` FROM (SELECT j.job_id AS id` + from + `) AS chosen JOIN scanner.scan_jobs j ON j.tenant_id = ` + value(tenant) + ` AND j.job_id = chosen.id` + order
	}
	return `SELECT ` + jobColumns + `, ` + holds + from, args
}

// likeEscape has characters stand for themselves.
var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, s)
}

func readCursor(s string) (before int64, id string, err error) {
	if s == "" {
		return math.MaxInt64, "", nil
	}
	number, id, ok := strings.Cut(s, ".")
	before, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0, "", fmt.Errorf("list scans: after %.80q is not what an earlier page gave: %w", s, fault.Invalid)
	}
	return before, id, nil
}

// States says how many jobs are in which state.
func (s *Scans) States(ctx context.Context) (*scan.StateCounts, error) {
	var n scan.StateCounts
	counts := map[string]*int64{
		"pending": &n.Queued, "running": &n.Running, "evaluating": &n.Evaluating,
		"completed": &n.Ended.Completed, "failed": &n.Ended.Failed, "cancelled": &n.Ended.Cancelled, "dead": &n.Ended.Dead,
	}
	err := s.tenant.read(ctx, "count scans", func(tx *tx) error {
		n = scan.StateCounts{}
		return tx.each(func(row func(...any) error) error {
			var status string
			var many, oldest int64
			if err := row(&status, &many, &oldest); err != nil {
				return err
			}
			*counts[status] = many
			if status == "pending" {
				n.OldestQueued = micros(oldest)
			}
			return nil
		}, `SELECT status, count(*), min(created_us) FROM scanner.scan_jobs WHERE tenant_id = $1 AND status IN ('pending', 'running', 'evaluating') GROUP BY status
			UNION ALL SELECT status, count(*), 0 FROM scanner.scan_jobs WHERE tenant_id = $1 AND updated_us > $2 AND status IN ('completed', 'failed', 'cancelled', 'dead') GROUP BY status`,
			tx.tenant, tx.now-(24*time.Hour).Microseconds())
	})
	if err != nil {
		return nil, err
	}
	return &n, nil
}
