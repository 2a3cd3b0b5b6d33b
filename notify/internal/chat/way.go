package chat

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// Way says which of the two ways an endpoint of a chat is, by the role of its secret: "url" is
// a webhook, whose address is the secret, "token" an app. hook and app are what errors call
// them. It returns the reference of the secret.
func Way(e *notify.Endpoint, hook, app string) (webhook bool, ref string, err error) {
	for role := range e.Secrets {
		if role != "url" && role != "token" {
			return false, "", fmt.Errorf("secret %.40q: the roles are \"url\" and \"token\": %w", role, fault.Invalid)
		}
	}
	for name := range e.Options {
		return false, "", fmt.Errorf("option %.40q: there is none: %w", name, fault.Invalid)
	}
	hooks, tokens := strings.Fields(e.Secrets["url"]), strings.Fields(e.Secrets["token"])
	switch {
	case len(hooks) > 0 && len(tokens) > 0:
		return false, "", fmt.Errorf("secrets \"url\" and \"token\": one of them says which way: %w", fault.Invalid)
	case len(hooks) > 0 && (e.To != "" || e.URL != ""):
		return false, "", fmt.Errorf("a %s has its own address and channel: to and url are none of its: %w", hook, fault.Invalid)
	case len(hooks) > 0:
		return true, hooks[0], nil
	case len(tokens) == 0:
		return false, "", fmt.Errorf("no secret \"url\" of a %s, nor \"token\" %s: %w", hook, app, fault.Invalid)
	}
	return false, tokens[0], nil
}
