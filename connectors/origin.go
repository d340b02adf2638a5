package connectors

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Origin is the one place that a connector's requests, and its credentials with them, may go to.
type Origin struct {
	Scheme string
	Host   string // lower case, without port
	Port   string // never empty for http and https
}

// ParseOrigin checks the value of a setting: https, or plain http on a loopback address. The example is for the error.
func ParseOrigin(setting, raw, example string) (Origin, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return Origin{}, fmt.Errorf("%s %q: want a URL such as %s", setting, raw, example)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Origin{}, fmt.Errorf("%s of host %s: want no user, query or fragment", setting, u.Hostname())
	}
	o := originOf(u)
	switch {
	case o.Scheme == "https", o.Plain() && loopback(o.Host):
		return o, nil
	case o.Plain():
		return Origin{}, fmt.Errorf("%s %s: plain http is allowed on a loopback address only", setting, raw)
	default:
		return Origin{}, fmt.Errorf("%s %s: want https", setting, raw)
	}
}

func originOf(u *url.URL) Origin {
	o := Origin{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Hostname()), Port: u.Port()}
	if o.Port == "" {
		o.Port = map[string]string{"http": "80", "https": "443"}[o.Scheme]
	}
	return o
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Plain reports whether requests go out without TLS.
func (o Origin) Plain() bool { return o.Scheme == "http" }

// Holds reports whether u is at this origin.
func (o Origin) Holds(u *url.URL) bool { return o == originOf(u) }

// Follow checks a link to a list's next page before it is followed: it is data from an answer.
func (o Origin) Follow(link string) error {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return &Error{Fault: Broken, Message: "The link to the next page cannot be read"}
	}
	if !o.Holds(u) {
		return &Error{
			Fault:   Broken,
			Message: fmt.Sprintf("The link to the next page leads to another place, %s://%s; it was not followed", u.Scheme, u.Host),
		}
	}
	return nil
}
