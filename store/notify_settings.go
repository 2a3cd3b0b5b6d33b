package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/crashpoint"
)

// standing chooses the newest number of each, also of those that were deleted.
const (
	newestSetting    = ` AND s.number = (SELECT max(n.number) FROM notify.settings n WHERE n.tenant_id = s.tenant_id AND n.kind = s.kind AND n.id = s.id)`
	newestPreference = ` AND s.number = (SELECT max(n.number) FROM notify.user_notification_preferences n WHERE n.tenant_id = s.tenant_id AND n.user_id = s.user_id AND n.channel = s.channel)`
	selectSetting    = `SELECT s.kind, s.id, '', '', s.number, s.body, s.by_whom, s.at_us FROM notify.settings s WHERE s.tenant_id = $1`
	selectPreference = `SELECT 'preference', s.id, s.user_id, s.channel, s.number, s.body, s.by_whom, s.at_us FROM notify.user_notification_preferences s WHERE s.tenant_id = $1`
)

func readSetting(row func(...any) error) (notify.Setting, error) {
	var s notify.Setting
	var at int64
	err := row(&s.Kind, &s.ID, &s.User, &s.Endpoint, &s.Number, &s.Body, &s.By, &at)
	s.At = micros(at)
	return s, err
}

// settings reads rows.
func (t *tx) settings(statement string, args ...any) (out []notify.Setting, err error) {
	return out, t.each(func(row func(...any) error) error {
		s, err := readSetting(row)
		out = append(out, s)
		return err
	}, statement, args...)
}

// Settings returns those that stand.
func (n *Notify) Settings(ctx context.Context) (*notify.Settings, error) {
	var out *notify.Settings
	err := n.tenant.root.readOnce(ctx, Scope{RoleTenant, n.tenant.name}, "read settings of notifications", func(tx *tx) (err error) {
		out = new(notify.Settings)
		if out.Revision, err = tx.notifyRevision(""); err != nil {
			return err
		}
		list, err := tx.settings(selectSetting+` AND s.body IS NOT NULL`+newestSetting+` ORDER BY s.kind, s.id`, tx.tenant)
		if err != nil {
			return err
		}
		preferences, err := tx.settings(selectPreference+` AND s.body IS NOT NULL`+newestPreference+` ORDER BY s.id`, tx.tenant)
		if err != nil {
			return err
		}
		for _, s := range append(list, preferences...) {
			if err := addSetting(out, &s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// addSetting reads the body of a setting.
func addSetting(out *notify.Settings, s *notify.Setting) error {
	if err := out.Read(s.Kind, s.Body); err != nil {
		return fmt.Errorf("%s %.80q as it is kept: %v: %w", s.Kind, s.ID, err, fault.Mismatch)
	}
	return nil
}

// setting returns the newest of one, also where it was deleted; nil for none.
func (t *tx) setting(kind notify.SettingKind, id string) (*notify.Setting, error) {
	statement, args := selectSetting+` AND s.kind = $2 AND s.id = $3 ORDER BY s.number DESC LIMIT 1`, []any{t.tenant, string(kind), id}
	if kind == notify.SettingPreference {
		statement, args = selectPreference+` AND s.id = $2 ORDER BY s.number DESC LIMIT 1`, []any{t.tenant, id}
	}
	list, err := t.settings(statement, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// endpoint returns one as it stands; nil for none.
func (t *tx) endpoint(id string) (*notify.Endpoint, error) {
	s, err := t.setting(notify.SettingEndpoint, id)
	if err != nil {
		return nil, err
	}
	return endpointOf(s)
}

// endpointOf reads the body of a setting; nil where there is none.
func endpointOf(s *notify.Setting) (*notify.Endpoint, error) {
	if s == nil || s.Body == nil {
		return nil, nil
	}
	var out notify.Settings
	if err := addSetting(&out, s); err != nil {
		return nil, err
	}
	return &out.Endpoints[0], nil
}

// Setting returns one as it stands.
func (n *Notify) Setting(ctx context.Context, kind notify.SettingKind, id string) (out *notify.Setting, err error) {
	err = n.tenant.read(ctx, fmt.Sprintf("read %s %.80q", kind, id), func(tx *tx) (err error) {
		if out, err = tx.setting(kind, clean(id)); err == nil && (out == nil || out.Body == nil) {
			err = fmt.Errorf("there is none: %w", fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListSettings lists those of a kind by id. A limit is 1 to 1000; 0 means 100.
func (n *Notify) ListSettings(ctx context.Context, kind notify.SettingKind, user, after string, limit int) (out []notify.Setting, err error) {
	if _, known := maxSettings[kind]; !known {
		return nil, fmt.Errorf("list settings: no kind is called %.40q: %w", kind, fault.Invalid)
	}
	if limit, err = pageLimit(limit); err != nil {
		return nil, fmt.Errorf("list settings: %w", err)
	}
	err = n.tenant.read(ctx, "list settings", func(tx *tx) (err error) {
		if kind == notify.SettingPreference {
			out, err = tx.settings(selectPreference+` AND s.body IS NOT NULL AND s.id > $2 AND (CAST($3 AS TEXT) = '' OR s.user_id = $3)`+newestPreference+` ORDER BY s.id LIMIT $4`,
				tx.tenant, clean(after), clean(user), limit)
		} else if user == "" {
			out, err = tx.settings(selectSetting+` AND s.kind = $2 AND s.body IS NOT NULL AND s.id > $3`+newestSetting+` ORDER BY s.id LIMIT $4`, tx.tenant, string(kind), clean(after), limit)
		}
		return err
	})
	return out, err
}

// maxSettings is how many of a kind a tenant has at most.
var maxSettings = map[notify.SettingKind]int{
	notify.SettingEndpoint: notify.MaxEndpoints, notify.SettingRule: notify.MaxRules, notify.SettingPreference: notify.MaxPreferences, notify.SettingTemplate: notify.MaxTemplates,
	notify.SettingMaintenance: notify.MaxWindows, notify.SettingInhibition: notify.MaxInhibitions,
}

func checkSetting(s *notify.Setting) error {
	if _, known := maxSettings[s.Kind]; !known {
		return fmt.Errorf("no kind is called %.40q: %w", s.Kind, fault.Invalid)
	}
	if s.Number < 1 {
		return fmt.Errorf("number %d: they begin with 1: %w", s.Number, fault.Invalid)
	}
	most := notify.MaxSetting
	if s.Kind == notify.SettingTemplate {
		most = notify.MaxTemplate
	}
	if n := len(s.Body); n > most {
		return &fault.LimitError{What: "bytes of a " + string(s.Kind), Where: s.ID, Max: int64(most), Seen: int64(n)}
	}
	if s.Body != nil && !jsontext.Value(s.Body).IsValid() {
		return fmt.Errorf("the body is not JSON: %w", fault.Invalid)
	}
	if s.Kind != notify.SettingPreference {
		return checkName("id", s.ID, notify.MaxID)
	}
	if s.ID != "user/"+s.User+"/"+s.Endpoint {
		return fmt.Errorf("preference %.80q of user %.80q at %.80q is not called so: %w", s.ID, s.User, s.Endpoint, fault.Invalid)
	}
	return errors.Join(checkName("user", s.User, maxName), checkName("endpoint", s.Endpoint, notify.MaxID))
}

// Set keeps a setting.
func (n *Notify) Set(ctx context.Context, s *notify.Setting) error {
	if err := checkSetting(s); err != nil {
		return fmt.Errorf("set %s %.80q: %w", s.Kind, s.ID, err)
	}
	again := false
	set := func() error {
		return n.tenant.write(ctx, fmt.Sprintf("set %s %s", s.Kind, s.ID), func(tx *tx) error {
			s.At = micros(tx.now)
			return tx.set(s, again)
		})
	}
	err := set()
	if errors.Is(err, errUnknown) {
		again = true
		err = set()
	}
	if err == nil {
		crashpoint.Hit(crashpoint.NotifySetDone)
	}
	return err
}

// set keeps a setting where it is the next one; again says that it may be kept already.
func (t *tx) set(s *notify.Setting, again bool) error {
	revision, err := t.lockRevision()
	if err != nil {
		return err
	}
	before, err := t.setting(s.Kind, s.ID)
	if err != nil {
		return err
	}
	stands := int64(0)
	if before != nil {
		stands = before.Number
	}
	if again && stands == s.Number && bytes.Equal(before.Body, s.Body) && before.By == cut(s.By) {
		s.At = before.At
		return nil
	}
	if stands != s.Number-1 {
		return fmt.Errorf("number %d stands, and this is number %d: %w", stands, s.Number, fault.Conflict)
	}
	if err := t.mayBeSet(before, s); err != nil {
		return err
	}
	if err := t.insertSetting(s, revision+1); err != nil {
		return err
	}
	if s.Kind == notify.SettingEndpoint {
		if err := t.useEndpoint(before, s, ""); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.NotifySetWritten)
	return nil
}

// lockRevision keeps out who decides by the settings, and who changes them. It is the
// first lock.
func (t *tx) lockRevision() (int64, error) {
	if _, err := t.exec(`INSERT INTO notify.revisions (tenant_id, number) VALUES ($1, 0) ON CONFLICT (tenant_id) DO NOTHING`, t.tenant); err != nil {
		return 0, err
	}
	return t.notifyRevision(forUpdate)
}

// insertSetting writes a setting that makes a revision.
func (t *tx) insertSetting(s *notify.Setting, revision int64) error {
	var err error
	if s.Kind == notify.SettingPreference {
		_, err = t.exec(`INSERT INTO notify.user_notification_preferences (tenant_id, user_id, channel, number, id, revision, body, by_whom, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.tenant, s.User, s.Endpoint, s.Number, s.ID, revision, s.Body, cut(s.By), t.now)
	} else {
		_, err = t.exec(`INSERT INTO notify.settings (tenant_id, kind, id, number, revision, body, by_whom, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.tenant, string(s.Kind), s.ID, s.Number, revision, s.Body, cut(s.By), t.now)
	}
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE notify.revisions SET number = $2 WHERE tenant_id = $1`, t.tenant, revision)
	return err
}

// mayBeSet holds the bounds, and keeps an endpoint that rules name.
func (t *tx) mayBeSet(before, s *notify.Setting) error {
	there := before != nil && before.Body != nil
	if s.Body == nil {
		if !there {
			return fmt.Errorf("there is none: %w", fault.NotFound)
		}
		if s.Kind == notify.SettingEndpoint {
			return t.unnamed(s.ID)
		}
		return nil
	}
	if there {
		return nil
	}
	n := 0
	statement, args := `SELECT count(*) FROM notify.settings s WHERE s.tenant_id = $1 AND s.kind = $2 AND s.body IS NOT NULL`+newestSetting, []any{t.tenant, string(s.Kind)}
	if s.Kind == notify.SettingPreference {
		statement, args = `SELECT count(*) FROM notify.user_notification_preferences s WHERE s.tenant_id = $1 AND s.body IS NOT NULL`+newestPreference, []any{t.tenant}
	}
	if err := t.get(statement, args, &n); err != nil {
		return err
	}
	if most := maxSettings[s.Kind]; n >= most {
		return &fault.LimitError{What: string(s.Kind) + "s", Where: "tenant " + t.tenant, Max: int64(most), Seen: int64(n + 1)}
	}
	return nil
}

// unnamed refuses where rules name an endpoint.
func (t *tx) unnamed(id string) error {
	rules, err := t.settings(selectSetting+` AND s.kind = 'rule' AND s.body IS NOT NULL`+newestSetting, t.tenant)
	if err != nil {
		return err
	}
	preferences, err := t.settings(selectPreference+` AND s.channel = $2 AND s.body IS NOT NULL`+newestPreference+` ORDER BY s.id LIMIT 1`, t.tenant, id)
	if err != nil {
		return err
	}
	for _, s := range preferences {
		return fmt.Errorf("%s %s names it: %w", s.Kind, s.ID, fault.Conflict)
	}
	for _, s := range rules {
		var list notify.Settings
		if err := addSetting(&list, &s); err != nil {
			return err
		}
		if names(&list.Rules[0], id) {
			return fmt.Errorf("%s %s names it: %w", s.Kind, s.ID, fault.Conflict)
		}
	}
	return nil
}

// names reports whether a rule names an endpoint.
func names(r *notify.Rule, endpoint string) bool {
	targets := r.To
	for _, s := range r.Escalation {
		targets = append(targets[:len(targets):len(targets)], s.To...)
	}
	for _, t := range targets {
		if t.Endpoint == endpoint {
			return true
		}
	}
	return false
}
