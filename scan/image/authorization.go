package image

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Authorization is a lookup of what one header Authorization says (RFC 9110 §11.6.2),
// whatever registry asks: "Basic …" is a name and a password, which a registry with tokens
// gets exchanged at its realm; the token of "Bearer …" is sent as it is. It is for an image
// whose submitter sent the header along. Other schemes are ErrUnsupported. No error has
// the value in its text.
func Authorization(value string) (Credentials, error) {
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimSpace(rest)
	var c Credential
	switch {
	case rest == "":
		return nil, fmt.Errorf("authorization of a registry: nothing follows its scheme: %w", fault.Invalid)
	case strings.EqualFold(scheme, "basic"):
		text, err := base64.StdEncoding.DecodeString(rest)
		name, password, ok := strings.Cut(string(text), ":")
		if err != nil || !ok {
			return nil, fmt.Errorf("authorization of a registry: Basic is not followed by name:password in base64: %w", fault.Invalid)
		}
		c = Credential{Username: name, Password: password}
	case strings.EqualFold(scheme, "bearer"):
		c = Credential{RegistryToken: rest}
	default:
		return nil, fmt.Errorf("authorization of a registry: its scheme is neither Basic nor Bearer: %w", fault.Unsupported)
	}
	return func(context.Context, string, string) (Credential, error) { return c, nil }, nil
}
