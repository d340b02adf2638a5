package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

const (
	checkToken = "Check api_token: it has to be of this org, is revoked when unused for 30 days, and dies with the account of the " +
		"administrator who made it."
	checkNetwork = "Check org_url, DNS, proxy and firewall."
	checkApp     = "Check app_id: it is the application's id, such as 0oa1gjh63g214q0Hq0g4, not its label or client id."
)

// The permissions, by the names of their OAuth scopes (Okta documentation, "OAuth 2.0 scopes").
const (
	readApps   = "okta.apps.read"
	readGroups = "okta.groups.read"
	readUsers  = "okta.users.read"
	readLogs   = "okta.logs.read"
)

// ask describes a request, for the words of its errors.
type ask struct {
	what    string // what was asked for, as in "Okta refused to give WHAT"
	grant   string // the permission it needs
	missing string // what to do about a 404, where that is a mistake of configuration
}

// call runs one SDK call and turns what comes back into a value or a connectors.Error. A panic inside the SDK is an
// answer that makes no sense: it panics on a Link header that it cannot parse.
func call[T any](ctx context.Context, a ask, send func() (T, error)) (result T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = a.broken("an answer that the SDK cannot read")
		}
	}()
	result, err = send()
	if err == nil {
		return result, nil
	}
	if ctx.Err() != nil {
		return result, fmt.Errorf("ask Okta for %s: %w", a.what, ctx.Err())
	}
	return result, explain(a, err)
}

func (a ask) broken(what string) error {
	return &connectors.Error{
		Fault:   connectors.Broken,
		Message: fmt.Sprintf("Asked for %s, Okta gave %s", a.what, what),
		Fix:     "Check org_url, and whether a proxy stands in between.",
	}
}

// explain maps an error of the SDK or of our transport.
func explain(a ask, err error) error {
	var ours *connectors.Error
	if errors.As(err, &ours) {
		return ours
	}
	var r *refusal
	if errors.As(err, &r) {
		return explainRefusal(a, r)
	}
	var n *notGranted
	if errors.As(err, &n) {
		e := explainNotGranted(n)
		if n := new(connectors.Error); errors.As(e, &n) && n.Fault == connectors.MissingPermission {
			n.Fix = grantScope(a.grant)
		}
		return e
	}
	var u *unsent
	if errors.As(err, &u) {
		return &connectors.Error{Fault: connectors.Unreachable, Message: "Okta cannot be reached: " + u.why, Fix: checkNetwork}
	}
	return a.broken("an answer that is not JSON of the documented form")
}

// explainRefusal maps an HTTP status (Okta documentation, "Okta error codes and descriptions").
func explainRefusal(a ask, r *refusal) error {
	e := &connectors.Error{Status: r.status, Err: r, Message: fmt.Sprintf("Okta refused to give %s (%s)", a.what, r.reason())}
	switch {
	case r.status < 300:
		return a.broken("an answer without content")
	case r.status < 400:
		return a.broken("a redirect, which Okta's API does not do")
	case r.status == http.StatusUnauthorized:
		e.Fault, e.Fix = connectors.BadCredentials, checkToken
		e.Message = fmt.Sprintf("Okta did not accept the API token (%s)", r.reason())
		if r.service {
			e.Fix, e.Message = checkService, fmt.Sprintf("Okta did not accept the access token that it gave (%s)", r.reason())
		}
	case r.status == http.StatusForbidden && r.service:
		e.Fault, e.Fix = connectors.MissingPermission, grantRole(a.grant)
		if r.scope != "" {
			e.Fix = grantScope(r.scope)
			e.Message = fmt.Sprintf("Okta refused to give %s: the access token lacks the scope %s", a.what, r.scope)
		}
	case r.status == http.StatusForbidden:
		e.Fault, e.Fix = connectors.MissingPermission, grantFix(a.grant)
	case r.status == http.StatusNotFound:
		e.Fault, e.Fix = connectors.NotFound, a.missing
		e.Message = fmt.Sprintf("Okta does not know %s (%s)", a.what, r.reason())
	case r.status == http.StatusTooManyRequests:
		e.Fault, e.RetryAfter = connectors.Throttled, r.wait
		e.Message = fmt.Sprintf("Okta limits the rate of requests, and refused the last when asked for %s", a.what)
	case r.status >= 500:
		e.Fault = connectors.Unreachable
		e.Message = fmt.Sprintf("Okta could not give %s (%s)", a.what, r.reason())
	default:
		e.Fault = connectors.Broken
	}
	return e
}

// grantFix says what to grant, by how the connector signs in.
func (c *Connector) grantFix(permission string) string {
	if c.signed != nil {
		return grantRole(permission)
	}
	return grantFix(permission)
}

// grantFix says what to grant: an API token can do what the administrator can who made it.
func grantFix(permission string) string {
	return fmt.Sprintf("Give the administrator who made the API token a role that can do what the scope %s stands for, "+
		"such as Read-only Administrator.", permission)
}

// grantScope says how a service application gets a scope.
func grantScope(scope string) string {
	return fmt.Sprintf("Grant %s under Applications > the API service application > Okta API Scopes, and see that scopes names it.", scope)
}

// grantRole is for a service application whose scopes do not suffice: it can do no more than its admin role either.
func grantRole(scope string) string {
	return fmt.Sprintf("Give the API service application an admin role that can do what the scope %s stands for, such as "+
		"Read-only Administrator (Applications > the application > Admin roles), and grant it that scope (Okta API Scopes).", scope)
}

func (r *refusal) reason() string {
	parts := []string{fmt.Sprint(r.status)}
	for _, s := range []string{r.code, r.summary} {
		if s = strings.TrimRight(s, ". "); s != "" {
			parts = append(parts, strings.ToValidUTF8(s[:min(len(s), 200)], ""))
		}
	}
	return strings.Join(parts, ": ")
}
