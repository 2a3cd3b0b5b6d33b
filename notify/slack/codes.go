package slack

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// methodReply is what chat.postMessage answers.
type methodReply struct {
	OK          bool
	Error       string
	Channel, TS string
}

// read reports whether the body is such an answer. It reads as far as it can: an answer
// has the whole message after what matters, and may be cut.
func (r *methodReply) read(body []byte) (found bool) {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for {
		name, err := d.ReadToken()
		if err != nil || name.Kind() != '"' {
			return found
		}
		into := map[string]any{"ok": &r.OK, "error": &r.Error, "channel": &r.Channel, "ts": &r.TS}[name.String()]
		if into == nil {
			err = d.SkipValue()
		} else {
			found = found || name.String() == "ok"
			err = json.UnmarshalDecode(d, into)
		}
		if err != nil {
			return found && into == nil
		}
	}
}

// meaning is what follows from an error code. Codes that are not listed are judged by the
// status alone.
type meaning int

const (
	permanent meaning = iota // another attempt would be refused as well
	gone                     // nothing will ever be taken here
	passing                  // not taken now
	doubtful                 // nobody knows whether it was taken
)

// webhookErrors are those that docs.slack.dev, "Sending messages using incoming
// webhooks", lists.
func webhookErrors() map[string]meaning {
	return map[string]meaning{
		"action_prohibited":                       permanent, // by an administrator
		"channel_is_archived":                     gone,
		"channel_not_found":                       permanent, // deleted, or private to others now
		"invalid_blocks":                          permanent,
		"invalid_blocks_format":                   permanent,
		"invalid_payload":                         permanent,
		"invalid_token":                           gone,
		"invalid_attachments":                     permanent,
		"missing_text_or_fallback_or_attachments": permanent,
		"no_active_hooks":                         gone, // switched off
		"no_service":                              gone, // switched off, removed, or never there
		"no_service_id":                           gone,
		"no_team":                                 gone,
		"no_text":                                 permanent,
		"posting_to_general_channel_denied":       permanent,
		"rate_limited":                            passing,
		"ratelimited":                             passing,
		"rollup_error":                            doubtful,
		"team_disabled":                           gone,
		"token_is_not_specified":                  permanent,
		"too_many_attachments":                    permanent,
		"user_not_found":                          permanent,
	}
}

// methodErrors are those that docs.slack.dev, "chat.postMessage", lists. What is wrong
// with one channel is never gone: the app may write to others.
func methodErrors() map[string]meaning {
	return map[string]meaning{
		// the channel
		"channel_not_found": permanent, "not_in_channel": permanent, "is_archived": permanent,
		"restricted_action": permanent, "restricted_action_read_only_channel": permanent,
		"restricted_action_thread_only_channel": permanent, "restricted_action_non_threadable_channel": permanent,
		"restricted_action_thread_locked": permanent, "cannot_reply_to_message": permanent,
		"team_not_found": permanent, "messages_tab_disabled": permanent, "user_not_found": permanent,
		"slack_connect_file_link_sharing_blocked": permanent, "slack_connect_canvas_sharing_blocked": permanent,
		"slack_connect_blocked_file_type": permanent, "slack_connect_clip_sharing_blocked": permanent,
		"external_channel_migrating": passing,
		// the message
		"no_text": permanent, "msg_too_long": permanent, "msg_blocks_too_long": permanent, "markdown_text_conflict": permanent,
		"invalid_blocks": permanent, "invalid_blocks_format": permanent, "invalid_attachments": permanent,
		"attachment_payload_limit_exceeded": permanent, "too_many_attachments": permanent, "too_many_contact_cards": permanent,
		"duplicate_channel_not_found": permanent, "duplicate_message_not_found": permanent,
		"invalid_metadata_format": permanent, "invalid_metadata_schema": permanent, "metadata_must_be_sent_from_app": permanent,
		"metadata_too_large": permanent, "block_mismatch": permanent,
		// the app and its token; a token that ran out is changed by whoever keeps it
		"account_inactive": gone, "token_revoked": gone,
		"invalid_auth": permanent, "not_authed": permanent, "no_permission": permanent, "missing_scope": permanent,
		"not_allowed_token_type": permanent, "access_denied": permanent, "accesslimited": permanent,
		"as_user_not_supported": permanent, "ekm_access_denied": permanent, "enterprise_is_restricted": permanent,
		"method_deprecated": permanent, "deprecated_endpoint": permanent, "two_factor_setup_required": permanent,
		"access_token_wrong_team": permanent, "team_access_not_granted": permanent,
		"token_expired": passing,
		// the request
		"invalid_arguments": permanent, "invalid_arg_name": permanent, "invalid_array_arg": permanent,
		"invalid_charset": permanent, "invalid_form_data": permanent, "invalid_post_type": permanent,
		"missing_post_type": permanent, "json_not_object": permanent, "invalid_json": permanent, "unknown_method": permanent,
		"request_timeout": passing, // it did not arrive as a whole
		// the moment
		"ratelimited": passing, "rate_limited": passing, "message_limit_exceeded": passing,
		"org_login_required": passing, "team_added_to_org": passing, "service_unavailable": passing,
		"internal_error": doubtful, "fatal_error": doubtful,
	}
}
