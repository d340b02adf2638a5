package entra

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// origin is the one place that requests, and the token with them, may go to.
type origin struct {
	scheme string
	host   string // lower case, without port
	port   string // never empty
	base   string // scheme, host and path up to the API version
}

const apiVersion = "/v1.0"

// parseGraphURL checks graph_url: https, or plain http on a loopback address.
func parseGraphURL(raw string) (origin, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return origin{}, fmt.Errorf("graph_url %q: want a URL such as %s", raw, DefaultGraphURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, fmt.Errorf("graph_url of host %s: want no user, query or fragment", u.Hostname())
	}
	at := originOf(u)
	switch {
	case at.scheme == "https":
	case at.scheme == "http" && loopback(at.host):
	case at.scheme == "http":
		return origin{}, fmt.Errorf("graph_url %s: plain http is allowed on a loopback address only", raw)
	default:
		return origin{}, fmt.Errorf("graph_url %s: want https", raw)
	}
	at.base = strings.TrimSuffix(strings.TrimSuffix(raw, "/"), apiVersion) + apiVersion
	return at, nil
}

func originOf(u *url.URL) origin {
	o := origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: u.Port()}
	if o.port == "" {
		o.port = map[string]string{"http": "80", "https": "443"}[o.scheme]
	}
	return o
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// holds reports whether u is at this origin.
func (o origin) holds(u *url.URL) bool {
	other := originOf(u)
	return o.scheme == other.scheme && o.host == other.host && o.port == other.port
}

// scope returns the OAuth scope for all permissions granted to the application (Graph documentation, "Get access
// without a user").
func (o origin) scope() string { return o.scheme + "://" + o.host + "/.default" }

// follow checks a next link before it is followed: it is absolute, the SDK sends it verbatim, and it is data from an
// answer (Graph documentation, "Paging Microsoft Graph data in your app").
func (o origin) follow(link string) error {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return &connectors.Error{Fault: connectors.Broken, Message: "Graph's link to the next page cannot be read"}
	}
	if !o.holds(u) {
		return &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("Graph's link to the next page leads to another place, %s://%s; it was not followed", u.Scheme, u.Host),
		}
	}
	return nil
}
