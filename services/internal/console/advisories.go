package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
)

var advisoryRoutes = []route{
	{pattern: "GET advisories", serve: advisoriesPage},
	{pattern: "GET advisories/{key}", serve: linksetPage},
	{pattern: "POST advisories/sources/{source}/approve", serve: approveRun},
	{pattern: "POST advisories/sources/{source}/sync", serve: syncSource},
	{pattern: "GET documents/{digest}", serve: documentPage},
	{pattern: "GET documents/{digest}/content", serve: documentContent},
}

// advisoriesView is how the advisory data stands, and what was looked for in it.
type advisoriesView struct {
	Head      section[*advisory.Head]
	Sources   section[[]advisory.SourceState]
	Ecosystem string
	Name      string
	Found     section[*advisoryhttp.Answer]
	Records   []recordView
	Asked     bool
	Next      string
	Manage    bool
	Now       time.Time
}

// recordView is one record of one source, as a page shows it.
type recordView struct {
	*advisory.Record
	Text     *advisory.Text
	Path     []string // of ids that lead from it to the key of a linkset
	Severity finding.Severity
	From     string // what the severity follows from
	Affected []affectedView
	More     int // affected packages that are not shown
	Disputed []string
}

// affectedView is what a record says about one package.
type affectedView struct {
	Ecosystem, Name, Stream, Rating string
	Status                          advisory.Status
	Ranges                          []string
	Fixed                           []string
	Versions                        []string // enumerated ones, the first of them
	MoreVersions                    int
}

// The bounds of what a page shows of one record.
const (
	shownAffected = 40
	shownVersions = 12
	shownRanges   = 20
)

// advisoriesPage shows the head and the sources, and what is known about a package.
func advisoriesPage(v *visit) error {
	if id := v.form("id"); id != "" {
		if strings.ContainsAny(id, "/\\;%") || strings.Trim(id, ".") == "" { // no address has them
			return &pageError{http.StatusBadRequest, "This is no id. One is such as CVE-2024-3094, GHSA-… or DSA-…."}
		}
		v.redirect(link("advisories", id))
		return nil
	}
	d := &advisoriesView{Now: v.c.Now().UTC(), Manage: v.Can(auth.AdvisoryManage), Ecosystem: v.form("ecosystem"), Name: v.form("name")}
	a := v.api.advisories
	reads := []func(){
		read(v, &d.Head, func(ctx context.Context) (*advisory.Head, error) { return a.Head(ctx, 0) }),
		read(v, &d.Sources, a.Sources),
	}
	if d.Ecosystem != "" || d.Name != "" {
		d.Asked = true
		reads = append(reads, read(v, &d.Found, func(ctx context.Context) (*advisoryhttp.Answer, error) {
			return v.api.packagePage(ctx, d.Ecosystem, d.Name, v.form("snapshot"), v.form("after"))
		}))
	}
	together(reads...)
	if found := d.Found.Value; found != nil {
		for i := range found.Records {
			r := viewRecord(&found.Records[i])
			r.Affected = slices.DeleteFunc(r.Affected, func(a affectedView) bool {
				return a.Name != d.Name && a.Name != advisory.CanonicalName(a.Ecosystem, d.Name)
			})
			d.Records = append(d.Records, r)
		}
		if found.Next > 0 {
			q := url.Values{"ecosystem": {d.Ecosystem}, "name": {d.Name}, "snapshot": {found.Snapshot}, "after": {strconv.Itoa(found.Next)}}
			d.Next = Root + "advisories?" + q.Encode()
		}
	}
	return v.show(http.StatusOK, "advisories", "Advisories", d)
}

// packagePage reads one page of what is known about a package, of the newest snapshot where
// none is named.
func (a *api) packagePage(ctx context.Context, ecosystem, name, snapshot, after string) (*advisoryhttp.Answer, error) {
	q := url.Values{"ecosystem": {ecosystem}, "name": {name}}
	for key, value := range map[string]string{"snapshot": snapshot, "after": after} {
		if value != "" {
			q.Set(key, value)
		}
	}
	out := new(advisoryhttp.Answer)
	c := httpjson.Call{What: "read advisories about " + clip(ecosystem, 60) + " " + clip(name, 100), Method: http.MethodGet, Query: q, Want: http.StatusOK, Again: true}
	err := a.caller("advisories", "/api/v1/advisories").Do(ctx, c, httpjson.Into(out, advisoryhttp.MaxAnswer, func(a *advisoryhttp.Answer) bool {
		return !slices.ContainsFunc(a.Records, func(k advisoryhttp.Known) bool { return k.Record == nil })
	}))
	return out, err
}

// viewRecord makes a record ready to be shown.
func viewRecord(k *advisoryhttp.Known) recordView {
	out := recordView{Record: k.Record, Text: k.Text}
	out.Severity, out.From = k.Record.Severity()
	if k.Text == nil {
		out.Text = new(advisory.Text)
	}
	for i := range out.Text.Affected {
		if len(out.Affected) == shownAffected {
			out.More = len(out.Text.Affected) - shownAffected
			break
		}
		out.Affected = append(out.Affected, viewAffected(&out.Text.Affected[i]))
	}
	return out
}

func viewAffected(a *advisory.Affected) affectedView {
	out := affectedView{Ecosystem: a.Ecosystem, Name: a.Name, Stream: a.Stream, Rating: a.Rating, Status: a.Status}
	for i := range a.Ranges {
		r := &a.Ranges[i]
		text, fixed := rangeText(r)
		if len(out.Ranges) < shownRanges {
			out.Ranges = append(out.Ranges, text)
		}
		if r.Type != advisory.RangeGit { // commits repair no package
			out.Fixed = append(out.Fixed, fixed...)
		}
	}
	for version := range a.Versions.All() {
		if len(out.Versions) == shownVersions {
			out.MoreVersions++
			continue
		}
		out.Versions = append(out.Versions, version)
	}
	slices.Sort(out.Fixed)
	out.Fixed = slices.Compact(out.Fixed)
	return out
}

// rangeText writes a range as its events say it, in their order, and lists the versions that
// repair it.
func rangeText(r *advisory.Range) (text string, fixed []string) {
	var b strings.Builder
	if r.Type == advisory.RangeGit {
		b.WriteString("commits of " + r.Repo + ": ")
	}
	for i, e := range r.Events {
		if i > 0 {
			b.WriteString(", ")
		}
		switch {
		case e.Introduced == "0":
			b.WriteString("all versions")
		case e.Introduced != "":
			b.WriteString("from " + e.Introduced)
		case e.Fixed != "":
			b.WriteString("before " + e.Fixed)
			fixed = append(fixed, e.Fixed)
		case e.LastAffected != "":
			b.WriteString("up to " + e.LastAffected)
		case e.Limit != "":
			b.WriteString("below the limit " + e.Limit)
		}
	}
	return b.String(), fixed
}

// linksetView is what all sources say about one vulnerability, side by side.
type linksetView struct {
	Key      string
	Snapshot string
	Linkset  *advisory.Linkset // the one of this key; nil where it has none
	Others   []*advisory.Linkset
	Records  []recordView
	Missing  []advisory.Member // members whose records could not be read now
	Signals  []advisory.Signal
	Aliases  []string // links to what else it is called
}

// The bounds of a linkset's page: how many records stand side by side, and how many that the
// first answer lacks are asked for at a time.
const (
	maxSide       = 40
	membersAtOnce = 4
)

// linksetPage shows what is known under an id.
func linksetPage(v *visit) error {
	key := v.r.PathValue("key")
	found, err := v.api.advisories.Advisory(v.ctx(), key)
	if err != nil {
		return err
	}
	d := &linksetView{Key: key, Snapshot: found.Snapshot, Signals: found.Signals}
	for _, l := range found.Linksets {
		if l.Key == key {
			d.Linkset = l
		} else {
			d.Others = append(d.Others, l)
		}
	}
	if d.Linkset == nil && len(d.Others) == 1 { // an alias of one vulnerability is that
		d.Linkset, d.Others = d.Others[0], nil
	}
	d.side(v, found.Records)
	return v.show(http.StatusOK, "linkset", clip(key, 100), d)
}

// side puts the records of the linkset side by side: those that the id leads to, and the
// other members, which are asked for.
func (d *linksetView) side(v *visit, known []advisoryhttp.Known) {
	type name struct{ source, id string }
	have := map[name]bool{}
	paths := map[name][]string{}
	if d.Linkset != nil {
		for _, m := range d.Linkset.Members {
			paths[name{m.Source, m.ID}] = m.Path
		}
	}
	add := func(k *advisoryhttp.Known) {
		n := name{k.Record.Source, k.Record.ID}
		if have[n] || len(d.Records) == maxSide {
			return
		}
		have[n] = true
		r := viewRecord(k)
		r.Path, r.Disputed = paths[n], disputes(d.Linkset, k.Record.ID)
		d.Records = append(d.Records, r)
	}
	for i := range known {
		add(&known[i])
	}
	if d.Linkset == nil {
		return
	}
	var lacking []advisory.Member
	for _, m := range d.Linkset.Members {
		if !have[name{m.Source, m.ID}] && len(d.Records)+len(lacking) < maxSide {
			lacking = append(lacking, m)
		}
	}
	answers := make([]*advisoryhttp.Answer, len(lacking))
	var wg sync.WaitGroup
	slots := make(chan struct{}, membersAtOnce)
	for i, m := range lacking {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if a, err := v.api.advisories.Advisory(v.ctx(), m.ID); err == nil {
				answers[i] = a
			} else if !errors.Is(err, fault.NotFound) {
				v.c.report(err)
			}
		})
	}
	wg.Wait()
	for i, m := range lacking {
		if answers[i] != nil {
			for j := range answers[i].Records {
				if k := &answers[i].Records[j]; k.Record.ID == m.ID && k.Record.Source == m.Source {
					add(k)
				}
			}
		}
		if !have[name{m.Source, m.ID}] {
			d.Missing = append(d.Missing, m)
		}
	}
}

// disputes are the fields about which a record contradicts others of its linkset.
func disputes(l *advisory.Linkset, id string) (out []string) {
	if l == nil {
		return nil
	}
	for _, c := range l.Conflicts {
		if slices.ContainsFunc(c.Values, func(s advisory.Stated) bool { return s.Record == id }) {
			out = append(out, words(string(c.Kind))+": "+c.Field)
		}
	}
	return out
}

// approveRun releases a run that is held.
func approveRun(v *visit) error {
	run, err := strconv.ParseInt(v.form("run"), 10, 64)
	if err != nil || run < 1 {
		return &pageError{http.StatusBadRequest, "Which run? Load the page of advisories again."}
	}
	if err := v.api.advisories.Approve(v.ctx(), v.r.PathValue("source"), run); err != nil {
		return err
	}
	v.redirect(Root + "advisories?done=approved")
	return nil
}

// syncSource asks for a source to be read soon.
func syncSource(v *visit) error {
	if err := v.api.advisories.Sync(v.ctx(), v.r.PathValue("source")); err != nil {
		return err
	}
	v.redirect(Root + "advisories?done=syncing")
	return nil
}
