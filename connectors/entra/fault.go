package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"

	"github.com/rosterd/rosterd/connectors"
)

const (
	checkCredentials = "Check the connection's credentials: tenant_id, client_id, and client_secret or certificate with its expiry date."
	checkNetwork     = "Check graph_url, DNS, proxy and firewall."
	fullRun          = "A full run reads everything and begins a new cursor."
)

// ask describes a request, for the words of its errors.
type ask struct {
	what    string // what was asked for, as in "Graph refused to give WHAT"
	grant   string // the application permission it needs
	missing string // what to do about a 404, where that is a mistake of configuration
	cursor  bool   // it goes on from a delta link, which expires
}

// call runs one SDK call and turns what comes back into a value or a connectors.Error. A panic inside the SDK is an
// answer that makes no sense: it panics on a challenge or an error body that it does not expect.
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
		return result, fmt.Errorf("ask Graph for %s: %w", a.what, ctx.Err())
	}
	return result, explain(a, err)
}

func (a ask) broken(what string) error {
	return &connectors.Error{
		Fault:   connectors.Broken,
		Message: fmt.Sprintf("Asked for %s, Graph gave %s", a.what, what),
		Fix:     "Check graph_url, and whether a proxy stands in between.",
	}
}

// explain maps an error of the SDK or of our transport; one of azidentity was mapped where the token was asked for. It never calls Error on what the SDK made: that
// can panic, or print a whole answer of the sign-in service.
func explain(a ask, err error) error {
	var ours *connectors.Error
	if errors.As(err, &ours) {
		return ours
	}
	var odata *odataerrors.ODataError
	if errors.As(err, &odata) {
		code, message := "", ""
		if e := odata.GetErrorEscaped(); e != nil {
			code, message = text(e.GetCode()), text(e.GetMessage())
		}
		return explainStatus(a, odata.ResponseStatusCode, odata.ResponseHeaders, code, message)
	}
	var api *abs.ApiError
	if errors.As(err, &api) {
		return explainStatus(a, api.ResponseStatusCode, api.ResponseHeaders, "", "")
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		return &connectors.Error{
			Fault: connectors.Unreachable, Message: "Graph cannot be reached: " + sent.Err.Error(), Fix: checkNetwork, Err: sent.Err,
		}
	}
	return a.broken("an answer that is not JSON of the documented form")
}

// explainStatus maps an HTTP status (Graph documentation, "Microsoft Graph error responses and resource types").
func explainStatus(a ask, status int, headers *abs.ResponseHeaders, code, message string) error {
	e := &connectors.Error{Status: status, Message: fmt.Sprintf("Graph refused to give %s (%s)", a.what, reason(status, code, message))}
	switch {
	case a.cursor && expired(status, code):
		e.Fault, e.Fix = connectors.LostCursor, fullRun
		e.Message = fmt.Sprintf("Graph does not take the cursor for %s any more (%s)", a.what, reason(status, code, message))
	case status == http.StatusUnauthorized:
		e.Fault, e.Fix = connectors.BadCredentials, checkCredentials
		e.Message = fmt.Sprintf("Graph did not accept the credentials (%s)", reason(status, code, ""))
	case status == http.StatusForbidden:
		e.Fault, e.Fix = connectors.MissingPermission, grantFix(a.grant)
		if strings.Contains(code, "NonPremiumTenant") { // the logs are part of a licence, whatever is granted
			e.Fix = "The tenant needs a Microsoft Entra ID P1 or P2 licence for it."
		}
	case status == http.StatusNotFound:
		e.Fault, e.Fix = connectors.NotFound, a.missing
		e.Message = fmt.Sprintf("Graph does not know %s (%s)", a.what, reason(status, code, ""))
	case status == http.StatusTooManyRequests:
		e.Fault, e.RetryAfter = connectors.Throttled, connectors.RetryAfter(headerOf(headers))
		e.Message = fmt.Sprintf("Graph throttles requests, and did so to the last when asked for %s", a.what)
	case status >= 500:
		e.Fault = connectors.Unreachable
		e.Message = fmt.Sprintf("Graph could not give %s (%s)", a.what, reason(status, code, message))
	default:
		e.Fault = connectors.Broken
	}
	return e
}

// expired reports whether an answer says that a delta link is too old (Graph documentation, "Use delta query to track
// changes in Microsoft Graph data", "Duration of change tracking tokens").
func expired(status int, code string) bool {
	return status == http.StatusGone || strings.EqualFold(code, "syncStateNotFound") || strings.EqualFold(code, "resyncRequired")
}

func grantFix(permissions ...string) string {
	return fmt.Sprintf("Grant the app registration the application permission %s, with admin consent.", strings.Join(permissions, " and "))
}

func reason(status int, code, message string) string {
	parts := []string{fmt.Sprint(status)}
	for _, s := range []string{code, message} {
		if s = strings.TrimRight(s, ". "); s != "" {
			parts = append(parts, strings.ToValidUTF8(s[:min(len(s), 200)], ""))
		}
	}
	return strings.Join(parts, ": ")
}

func headerOf(headers *abs.ResponseHeaders) http.Header {
	h := http.Header{}
	if headers != nil {
		for _, name := range []string{"Retry-After", "Date"} {
			for _, v := range headers.Get(name) {
				h.Add(name, v)
			}
		}
	}
	return h
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
