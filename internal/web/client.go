package web

import (
	"net"
	"net/http"
	"strings"
)

// LocalClient stands for a client that came over the unix socket.
const LocalClient = "local"

// ClientAddr returns the address of the client, without its port: that of the connection's other end.
func ClientAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err == nil {
		return host
	}
	if r.RemoteAddr == "" || strings.HasPrefix(r.RemoteAddr, "@") || strings.HasPrefix(r.RemoteAddr, "/") {
		return LocalClient
	}
	return r.RemoteAddr
}
