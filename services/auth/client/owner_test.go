package client_test

import (
	"encoding/base64"
	"testing"

	"github.com/stella-ops/stella/services/auth/client"
)

func TestOwner(t *testing.T) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for access, want := range map[string]client.Owner{
		"x." + part(`{"sub":"ann","stella:tenant":"acme","client_id":"cli","scope":"a b","other":1}`) + ".y": {Subject: "ann", Tenant: "acme", Client: "cli", Scope: "a b"},
		"": {}, "opaque": {}, "a.b": {}, "a.!!.c": {}, "a." + part(`{"sub":1}`) + ".c": {}, "a." + part(`{"sub":"x"`) + ".c": {}, "a." + part(`[]`) + ".c": {},
	} {
		if got := (&client.Token{Access: access}).Owner(); *got != want {
			t.Errorf("%q: %+v, want %+v", access, *got, want)
		}
	}
}
