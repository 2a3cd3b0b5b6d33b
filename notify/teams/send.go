package teams

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
	"github.com/stella-ops/stella/notify/internal/post"
	"github.com/stella-ops/stella/notify/internal/secret"
)

// Send sends a payload and reads what the receiver says of it.
func (c *channel) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	to := cmp.Or(d.To, c.to)
	if !c.webhook && !isChannel(to) {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: "the receiver is not of form TEAM/CHANNEL", Err: ErrInvalid}
	}
	role := "token"
	if c.webhook {
		role = "url"
	}
	word, err := (&secret.Reader{Read: c.read, Refs: map[string]string{role: c.secret}}).One(ctx, role)
	if err != nil {
		return nil, err
	}
	r := &post.Request{Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: d.Payload.Body}
	if c.webhook {
		r.URL = word
	} else {
		r.URL, r.ShowHost = c.messages(to), true
		r.Header.Set("Authorization", "Bearer "+word)
	}
	a, err := c.client.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if c.webhook {
		return c.workflowAnswer(a)
	}
	return c.graphAnswer(a)
}

// workflowAnswer reads the answer of a workflow: 202, or 200 where it answers itself.
func (c *channel) workflowAnswer(a *post.Answer) (*notify.Receipt, error) {
	if f := c.client.Judge(a, true); f != nil {
		code := errorCode(a.Body)
		if code != "" {
			f.Reason = "the workflow refused: " + code
		}
		if code == "WorkflowNotFound" {
			f.Gone = true
		}
		return nil, f
	}
	if f := connectorFailure(a); f != nil {
		return nil, f
	}
	return &notify.Receipt{Status: a.Status, Answer: a.Digest}, nil
}

// connectorFailure finds the failure in the answer of a webhook of the older kind, which
// is 200 whatever came of the message.
func connectorFailure(a *post.Answer) *notify.Failure {
	text := string(a.Body[:min(len(a.Body), 500)])
	if !strings.Contains(text, "Webhook message delivery failed") && !strings.Contains(text, "returned HTTP error ") {
		return nil
	}
	f := &notify.Failure{Sent: notify.No, Status: a.Status, Answer: a.Digest, Reason: "the webhook could not deliver to Teams"}
	_, after, _ := strings.Cut(text, "returned HTTP error ")
	if code := after[:min(len(after), 3)]; len(code) == 3 && strings.Trim(code, "0123456789") == "" {
		f.Reason += ": it got status " + code
		f.Permanent = code[0] == '4' && code != "408" && code != "429"
	}
	return f
}

// graphAnswer reads the answer of Microsoft Graph: 201 with the message.
func (c *channel) graphAnswer(a *post.Answer) (*notify.Receipt, error) {
	if f := c.client.Judge(a, true); f != nil {
		if code := errorCode(a.Body); code != "" {
			f.Reason = "Microsoft Graph refused: " + code
		}
		f.Permanent = f.Permanent || f.Gone
		f.Gone = false // the channel is; the token may serve for others
		return nil, f
	}
	// Graph says 201. Something in between may say 200 for what it did not pass on.
	if a.Status != http.StatusCreated {
		return nil, &notify.Failure{Status: a.Status, Answer: a.Digest, Reason: "the answer is not that of Microsoft Graph"}
	}
	out := &notify.Receipt{Status: a.Status, Answer: a.Digest}
	var message struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(a.Body, &message) == nil { // else it is cut, and made all the same
		out.Reference, _ = chat.Line(message.ID, 128)
	}
	return out, nil
}

// errorCode returns the code of an error of Microsoft's services, "" for another answer.
// Codes that are not known here and messages are not shown: they can hold anything.
func errorCode(body []byte) string {
	var answer struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || !slices.Contains(codes(), answer.Error.Code) {
		return ""
	}
	return answer.Error.Code
}

// codes are those of Microsoft Graph (learn.microsoft.com, "Microsoft Graph error
// responses") and of workflows ("Logic Apps", "Power Automate").
func codes() []string {
	return []string{
		"accessDenied", "activityLimitReached", "badRequest", "generalException", "invalidRequest", "itemNotFound", "notAllowed",
		"notSupported", "quotaLimitReached", "resourceModified", "serviceNotAvailable", "unauthenticated", "unsupported",
		"AuthorizationFailed", "Authorization_RequestDenied", "BadGateway", "BadRequest", "Conflict", "Forbidden", "GatewayTimeout",
		"InternalServerError", "InvalidAuthenticationToken", "InvalidRequest", "MessageSizeExceeded", "NotFound", "PreconditionFailed",
		"RequestEntityTooLarge", "ServiceUnavailable", "TooManyRequests", "Unauthorized", "UnknownError",
		"DirectApiAuthorizationRequired", "DirectApiInvalidAuthorizationScheme", "DirectApiRequestHasMoreThanOneAuthorization", "ExpiredAuthenticationToken",
		"TriggerInputSchemaMismatch", "WorkflowDisabled", "WorkflowNotFound", "WorkflowTriggerIsNotEnabled", "WorkflowTriggerNotFound",
		"WorkflowTriggerRequestBodyTooLarge", "ActionRequestSizeLimitExceeded",
	}
}
