//go:build !unix

package gateway

import "net"

// quiet cannot be known here: a request on a connection that has ended fails, and is not
// sent again.
func quiet(net.Conn) bool { return true }
