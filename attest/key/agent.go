package key

import (
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// openAgent finds a key of the SSH agent by fingerprint or comment.
func openAgent(ctx context.Context, which string, o *Options) (*Key, error) {
	if which == "" {
		return nil, fmt.Errorf("open key agent: no fingerprint and no comment is given: %w", fault.Invalid)
	}
	name := "key agent:" + redact(which)
	var found ssh.PublicKey
	err := o.withAgent(ctx, func(a agent.ExtendedAgent) error {
		keys, err := a.List()
		if err != nil {
			return fmt.Errorf("list its keys: %v: %w", err, fault.Unavailable)
		}
		found, err = choose(keys, which)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	public, err := publicOf(found)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	edwards := found.Type() == ssh.KeyAlgoED25519
	return &Key{public: public, where: name, deterministic: edwards, sign: func(ctx context.Context, message []byte) ([]byte, error) {
		if len(message) > MaxAgentMessage {
			return nil, &fault.LimitError{What: "bytes for an SSH agent to sign", Where: name, Max: MaxAgentMessage, Seen: int64(len(message))}
		}
		var sig []byte
		err := o.withAgent(ctx, func(a agent.ExtendedAgent) error {
			s, err := a.Sign(found, message)
			if err != nil {
				return fmt.Errorf("the agent does not sign: %v: %w", err, fault.Unavailable)
			}
			sig, err = signatureOf(found, s)
			return err
		})
		return sig, err
	}}, nil
}

// choose returns the one key that is meant.
func choose(keys []*agent.Key, which string) (ssh.PublicKey, error) {
	if len(keys) > MaxAgentKeys {
		return nil, &fault.LimitError{What: "keys", Where: "SSH agent", Max: MaxAgentKeys, Seen: int64(len(keys))}
	}
	var found ssh.PublicKey
	var there []string
	for _, k := range keys {
		public, err := ssh.ParsePublicKey(k.Blob)
		if err != nil {
			continue // a kind that the library does not know
		}
		fingerprint := ssh.FingerprintSHA256(public)
		there = append(there, fmt.Sprintf("%s (%s, %.80q)", fingerprint, public.Type(), k.Comment))
		if fingerprint != which && k.Comment != which {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("more than one key of the agent is called that; take a fingerprint of %s: %w", strings.Join(there, ", "), fault.Invalid)
		}
		found = public
	}
	if found == nil && len(there) == 0 {
		return nil, fmt.Errorf("the agent has no keys: %w", fault.NotFound)
	}
	if found == nil {
		return nil, fmt.Errorf("the agent has no such key, but %s: %w", strings.Join(there[:min(len(there), 8)], ", "), fault.NotFound)
	}
	return found, nil
}

// publicOf returns a key of the agent as one that verifies. An agent signs with
// RSA by PKCS #1 v1.5 alone, and with security keys over more than the message.
func publicOf(k ssh.PublicKey) (*dsse.PublicKey, error) {
	crypto, ok := k.(ssh.CryptoPublicKey)
	switch {
	case ok && (k.Type() == ssh.KeyAlgoED25519 || k.Type() == ssh.KeyAlgoECDSA256 || k.Type() == ssh.KeyAlgoECDSA384):
		return dsse.NewPublicKey(crypto.CryptoPublicKey())
	default:
		return nil, fmt.Errorf("a key %s, want ssh-ed25519, ecdsa-sha2-nistp256 or -nistp384: %w", k.Type(), fault.Unsupported)
	}
}

// signatureOf returns an agent's signature as everybody else writes it: of ECDSA
// an agent gives r and s as numbers of SSH (RFC 5656, section 3.1.2).
func signatureOf(k ssh.PublicKey, s *ssh.Signature) ([]byte, error) {
	if s.Format != k.Type() {
		return nil, fmt.Errorf("the agent signed by %.40q, want %s: %w", s.Format, k.Type(), fault.Invalid)
	}
	if s.Format == ssh.KeyAlgoED25519 {
		return s.Blob, nil
	}
	var n struct{ R, S *big.Int }
	if err := ssh.Unmarshal(s.Blob, &n); err != nil || n.R.Sign() <= 0 || n.S.Sign() <= 0 {
		return nil, fmt.Errorf("the agent's signature is not two numbers: %w", fault.Invalid)
	}
	return asn1.Marshal(n)
}

// withAgent talks to the agent over a new connection, which ends with the
// context and after the time that a call may take.
func (o *Options) withAgent(ctx context.Context, talk func(agent.ExtendedAgent) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	conn, err := o.dialAgent(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err = talk(agent.NewClient(struct{ io.ReadWriter }{conn}))
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("the agent did not answer in time: %w: %w", context.Cause(ctx), fault.Unavailable)
	}
	return err
}

func (o *Options) dialAgent(ctx context.Context) (net.Conn, error) {
	var conn net.Conn
	var err error
	if o.DialAgent != nil {
		conn, err = o.DialAgent(ctx)
	} else {
		socket, ok := o.lookup("SSH_AUTH_SOCK")
		if !ok || socket == "" {
			return nil, fmt.Errorf("there is no SSH agent: SSH_AUTH_SOCK is not set: %w", fault.NotFound)
		}
		conn, err = new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the SSH agent: %w: %w", err, fault.Unavailable)
	}
	if conn == nil {
		return nil, fmt.Errorf("connect to the SSH agent: %w: %w", errors.ErrUnsupported, fault.Unavailable)
	}
	return conn, nil
}
