package scim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

const (
	checkToken   = "Check token: it may have been revoked, or be of another server."
	checkNetwork = "Check url, DNS, proxy and firewall."
	checkURL     = "Check url: it is the SCIM base URL, to which /Users and /Groups are appended."
)

// ask describes a request, for the words of its errors.
type ask struct {
	what  string // what was asked for, as in "The SCIM server refused to give WHAT"
	grant string // what the token has to be allowed to read
	list  bool   // a 404 is a mistake in the configuration
}

func (a ask) broken(what string) error {
	return &connectors.Error{
		Fault:   connectors.Broken,
		Message: fmt.Sprintf("Asked for %s, the SCIM server gave %s", a.what, what),
		Fix:     "Check url, and whether a proxy stands in between.",
	}
}

// refused maps an answer that is an error (RFC 7644 section 3.12).
func (c *Connector) refused(a ask, res *http.Response) error {
	reason := c.reason(res)
	e := &connectors.Error{Status: res.StatusCode, Message: fmt.Sprintf("The SCIM server refused to give %s (%s)", a.what, reason)}
	switch {
	case res.StatusCode < 300:
		return a.broken(fmt.Sprintf("the status %d", res.StatusCode))
	case res.StatusCode < 400:
		e := &connectors.Error{Fault: connectors.Broken, Status: res.StatusCode, Fix: checkURL}
		e.Message = fmt.Sprintf("Asked for %s, the SCIM server redirects elsewhere; that was not followed", a.what)
		return e
	case res.StatusCode == http.StatusUnauthorized:
		e.Fault, e.Fix = connectors.BadCredentials, checkToken
		e.Message = fmt.Sprintf("The SCIM server did not accept the token (%s)", reason)
	case res.StatusCode == http.StatusForbidden:
		e.Fault, e.Fix = connectors.MissingPermission, fmt.Sprintf("Allow the token's owner to read %s.", a.grant)
	case res.StatusCode == http.StatusNotFound:
		e.Fault = connectors.NotFound
		e.Message = fmt.Sprintf("The SCIM server does not know %s (%s)", a.what, reason)
		if a.list {
			e.Fault, e.Fix = connectors.Broken, checkURL
		}
	case res.StatusCode == http.StatusTooManyRequests:
		e.Fault, e.RetryAfter = connectors.Throttled, connectors.RetryAfter(res.Header)
		e.Message = fmt.Sprintf("The SCIM server limits the rate of requests, and refused the last when asked for %s", a.what)
	case res.StatusCode >= 500:
		e.Fault = connectors.Unreachable
		e.Message = fmt.Sprintf("The SCIM server could not give %s (%s)", a.what, reason)
	default:
		e.Fault = connectors.Broken
	}
	return e
}

// reason is the status, with the scimType and detail of the error body.
func (c *Connector) reason(res *http.Response) string {
	var body struct {
		ScimType string `json:"scimType"`
		Detail   string `json:"detail"`
	}
	parts := []string{fmt.Sprint(res.StatusCode)}
	if json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body) == nil {
		for _, s := range []string{body.ScimType, body.Detail} {
			if s = strings.TrimRight(strings.ReplaceAll(s, c.cfg.Token, "…"), ". "); s != "" {
				parts = append(parts, strings.ToValidUTF8(s[:min(len(s), 200)], ""))
			}
		}
	}
	return strings.Join(parts, ": ")
}
