package client

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
)

// Owner is whom an access token says that it is of.
type Owner struct {
	Subject string `json:"sub"`
	Tenant  string `json:"stella:tenant"`
	Client  string `json:"client_id"`
	Scope   string `json:"scope"` // rights, separated by spaces
}

// Owner reads what the access token says, for people to see: nobody has verified it here,
// which is for the service that the token is sent to. What cannot be read is empty.
func (t *Token) Owner() *Owner {
	o := new(Owner)
	parts := strings.Split(t.Access, ".")
	if len(parts) != 3 {
		return o
	}
	if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(text, o) != nil {
		return new(Owner)
	}
	return o
}
