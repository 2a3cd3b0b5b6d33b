package notifyhttp

import (
	"fmt"
	"net/url"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
)

// user is whose preferences a request is about: the path's, else the caller's own.
func (c *call) user() (string, error) {
	if user := c.r.PathValue("user"); user != "" {
		return user, nil
	}
	if c.who.Subject == "" {
		return "", fmt.Errorf("the identity has no subject, and so no preferences: %w", fault.Forbidden)
	}
	return c.who.Subject, nil
}

// preferences lists those of a user.
func (h *Handler) preferences(c *call) error {
	user, err := c.user()
	if err != nil {
		return err
	}
	if after := c.query.Get("after"); after != "" { // the endpoint's id, as the page before had it
		c.query.Set("after", notify.PreferenceID(user, after))
	}
	return c.settings(notify.SettingPreference, user)
}

func (h *Handler) preference(c *call) error {
	user, err := c.user()
	if err != nil {
		return err
	}
	return c.setting(notify.SettingPreference, notify.PreferenceID(user, c.r.PathValue("endpoint_id")))
}

// prefer keeps a preference. What it says of owner and endpoint is that of the path, or
// nothing.
func (h *Handler) prefer(c *call) error {
	user, err := c.user()
	if err != nil {
		return err
	}
	number, err := httpjson.Revision(c.r.Header, "the setting")
	if err != nil {
		return err
	}
	endpoint := c.r.PathValue("endpoint_id")
	id := notify.PreferenceID(user, endpoint)
	r, err := body(c, notify.MaxSetting, id, func(r *notify.Rule) *string { return &r.ID })
	if err != nil {
		return err
	}
	if len(r.To) == 0 {
		r.To = []notify.Target{{Endpoint: endpoint}}
	}
	if r.Owner != "" && r.Owner != user || len(r.To) != 1 || r.To[0].Endpoint != endpoint {
		return fmt.Errorf("want the owner and the one endpoint that the path says: %w", fault.Invalid)
	}
	r.Owner = user
	text, err := checked(notify.SettingPreference, r)
	if err != nil {
		return err
	}
	if err := c.reachable(r); err != nil {
		return err
	}
	s := &notify.Setting{Kind: notify.SettingPreference, ID: id, User: user, Endpoint: endpoint, Number: number + 1, Body: text, By: c.who.Subject}
	location := preferences
	if c.r.PathValue("user") != "" {
		location = root + "/notify/users/" + url.PathEscape(user) + "/preferences"
	}
	return c.keep(s, location+"/"+url.PathEscape(endpoint))
}

func (h *Handler) forget(c *call) error {
	user, err := c.user()
	if err != nil {
		return err
	}
	number, err := httpjson.Revision(c.r.Header, "the setting")
	if err != nil {
		return err
	}
	endpoint := c.r.PathValue("endpoint_id")
	return c.remove(&notify.Setting{Kind: notify.SettingPreference, ID: notify.PreferenceID(user, endpoint), User: user, Endpoint: endpoint, Number: number + 1, By: c.who.Subject})
}
