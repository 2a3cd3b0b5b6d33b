package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/services/auth"
)

var scheduleRoutes = []route{
	{pattern: "GET schedules", serve: schedules},
	{pattern: "POST schedules", serve: addSchedule},
	{pattern: "GET schedules/{schedule}", serve: schedulePage},
	{pattern: "POST schedules/{schedule}", serve: putSchedule},
	{pattern: "POST schedules/{schedule}/run", serve: runSchedule},
	{pattern: "POST schedules/{schedule}/delete", serve: deleteSchedule},
	{pattern: "GET schedules/{schedule}/runs/{run}", serve: runPage},
}

// scheduleForm is a schedule as a form has it: texts, as a person wrote them.
type scheduleForm struct {
	ID, Kind, Cron, Zone, Images, Labels, Jitter, Priority string
	Disabled                                               bool
	Version                                                string
}

func formOf(p *schedule.Plan) scheduleForm {
	f := scheduleForm{ID: p.ID, Kind: string(p.Kind), Cron: p.Cron, Zone: p.Zone, Images: strings.Join(p.Selection.Images, "\n"), Disabled: p.Disabled, Version: strconv.FormatInt(p.Version, 10)}
	for _, name := range slices.Sorted(maps.Keys(p.Selection.Labels)) {
		f.Labels += name + "=" + p.Selection.Labels[name] + "\n"
	}
	if p.Jitter > 0 {
		f.Jitter = strconv.Itoa(p.Jitter)
	}
	if p.Priority != nil {
		f.Priority = strconv.Itoa(*p.Priority)
	}
	return f
}

// scheduleForm reads the form.
func (v *visit) scheduleForm() scheduleForm {
	return scheduleForm{ID: v.form("id"), Kind: v.form("kind"), Cron: v.form("cron"), Zone: v.form("zone"), Images: v.r.FormValue("images"), Labels: v.r.FormValue("labels"),
		Jitter: v.form("jitter"), Priority: v.form("priority"), Disabled: v.form("disabled") != "", Version: cmp.Or(v.form("version"), "0")}
}

// plan makes a plan of it, and the version that it follows. What a plan may be is for the API
// to say.
func (f *scheduleForm) plan() (p *schedule.Plan, version int64, err error) {
	p = &schedule.Plan{ID: f.ID, Kind: schedule.Kind(f.Kind), Cron: f.Cron, Zone: f.Zone, Disabled: f.Disabled}
	for line := range strings.Lines(f.Images) {
		if line = strings.TrimSpace(line); line != "" {
			p.Selection.Images = append(p.Selection.Images, line)
		}
	}
	for line := range strings.Lines(f.Labels) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if _, twice := p.Selection.Labels[name]; !ok || twice {
			return nil, 0, fmt.Errorf("label %.80q: want NAME=VALUE on a line, each name once: %w", line, fault.Invalid)
		}
		if p.Selection.Labels == nil {
			p.Selection.Labels = map[string]string{}
		}
		p.Selection.Labels[name] = value
	}
	if f.Jitter != "" {
		if p.Jitter, err = strconv.Atoi(f.Jitter); err != nil {
			return nil, 0, fmt.Errorf("spread %.20q: want seconds: %w", f.Jitter, fault.Invalid)
		}
	}
	if f.Priority != "" {
		n, err := strconv.Atoi(f.Priority)
		if err != nil {
			return nil, 0, fmt.Errorf("priority %.20q: want a number from 0 to 9: %w", f.Priority, fault.Invalid)
		}
		p.Priority = &n
	}
	if version, err = strconv.ParseInt(f.Version, 10, 64); err != nil || version < 0 {
		return nil, 0, fmt.Errorf("the form does not say what it changes; load the page again: %w", fault.Invalid)
	}
	if !schedule.IsPlanID(p.ID) {
		return nil, 0, fmt.Errorf("id %.80q: want up to %d letters, digits, '-', '_' and '.': %w", p.ID, schedule.MaxPlanID, fault.Invalid)
	}
	return p, version, nil
}

// scheduleView is the schedules of a tenant, or one with its runs, and the form.
type scheduleView struct {
	Plans    []schedule.Plan
	One      *schedule.Plan
	Coming   []time.Time // windows
	Runs     section[[]schedule.Run]
	Next     string
	Form     scheduleForm
	Kinds    []schedule.Kind
	Wrong    []string
	Operator bool
	Now      time.Time
}

func (v *visit) scheduleView() *scheduleView {
	return &scheduleView{Operator: v.Can(auth.SchedulerWrite), Now: v.c.Now().UTC(), Kinds: []schedule.Kind{schedule.Rescan, schedule.Evaluate, schedule.Watch}}
}

func schedules(v *visit) error {
	return v.schedules(http.StatusOK, scheduleForm{Kind: string(schedule.Rescan), Cron: "0 3 * * *", Version: "0"}, nil)
}

// schedules shows the list, with the form for a new one.
func (v *visit) schedules(status int, f scheduleForm, wrong []string) error {
	d := v.scheduleView()
	d.Form, d.Wrong = f, wrong
	var err error
	if d.Plans, err = v.api.schedules.List(v.ctx(), v.r.URL.Query().Get("after"), pageRows); err != nil {
		return err
	}
	if len(d.Plans) == pageRows {
		d.Next = v.onward(d.Plans[pageRows-1].ID)
	}
	return v.show(status, "schedules", "Schedules", d)
}

func addSchedule(v *visit) error {
	f := v.scheduleForm()
	f.Version = "0"
	if err := v.keep(&f); err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		return v.schedules(status, f, lines)
	}
	v.redirect(link("schedules", f.ID) + "?done=set")
	return nil
}

// keep keeps what a form says.
func (v *visit) keep(f *scheduleForm) error {
	p, version, err := f.plan()
	if err != nil {
		return err
	}
	return v.api.schedules.Set(v.ctx(), p, version, "")
}

func schedulePage(v *visit) error {
	p, err := v.api.schedules.Plan(v.ctx(), v.r.PathValue("schedule"))
	if err != nil {
		return err
	}
	return v.schedule(http.StatusOK, p, formOf(p), nil)
}

// schedule shows one with its runs and the form that changes it.
func (v *visit) schedule(status int, p *schedule.Plan, f scheduleForm, wrong []string) error {
	d := v.scheduleView()
	d.One, d.Form, d.Wrong = p, f, wrong
	if c, err := schedule.ParseCron(p.Cron, p.Zone); err == nil && !p.Disabled {
		const most = 3
		for at, ok := c.Next(d.Now); ok && len(d.Coming) < most; at, ok = c.Next(at) {
			d.Coming = append(d.Coming, at)
		}
	}
	read(v, &d.Runs, func(ctx context.Context) ([]schedule.Run, error) {
		list, err := v.api.schedules.Runs(ctx, p.ID, v.r.URL.Query().Get("after"), pageRows)
		if len(list) == pageRows {
			d.Next = v.onward(list[pageRows-1].ID)
		}
		return list, err
	})()
	return v.show(status, "schedule", p.ID, d)
}

func putSchedule(v *visit) error {
	f := v.scheduleForm()
	f.ID = v.r.PathValue("schedule")
	if err := v.keep(&f); err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		p, err := v.api.schedules.Plan(v.ctx(), f.ID)
		if err != nil {
			return err
		}
		return v.schedule(status, p, f, lines)
	}
	v.redirect(link("schedules", f.ID) + "?done=set")
	return nil
}

// runSchedule asks for a run. The form has a key of its own, so that one that is sent twice is
// one run.
func runSchedule(v *visit) error {
	r, _, err := v.api.schedules.Request(v.ctx(), v.r.PathValue("schedule"), v.form("key"), "")
	if err != nil {
		return err
	}
	v.redirect(link("schedules", r.Schedule, "runs", r.ID) + "?done=begun")
	return nil
}

func deleteSchedule(v *visit) error {
	version, err := strconv.ParseInt(v.form("version"), 10, 64)
	if err != nil || version < 1 {
		return &pageError{http.StatusBadRequest, "The form does not say what it deletes. Please load the page again."}
	}
	if err := v.api.schedules.Delete(v.ctx(), v.r.PathValue("schedule"), version); err != nil {
		return err
	}
	v.redirect(link("schedules") + "?done=deleted")
	return nil
}

func runPage(v *visit) error {
	r, err := v.api.schedules.Run(v.ctx(), v.r.PathValue("schedule"), v.r.PathValue("run"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "schedulerun", "Run of "+r.Schedule, r)
}
