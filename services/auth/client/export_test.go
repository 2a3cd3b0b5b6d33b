package client

import (
	"context"
	"time"
)

// SetSleep replaces how a client waits.
func (c *Client) SetSleep(f func(context.Context, time.Duration) error) { c.sleep = f }

// DecodeSession reads the file of a session.
func DecodeSession(text []byte) (*Session, error) { return decodeSession(text, "file") }
