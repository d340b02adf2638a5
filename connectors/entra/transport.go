package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// gate lets a request out only to the configured origin and only with a bearer token. The SDK sends a request to a host
// off its list without Authorization, and does not call that an error.
type gate struct {
	origin origin
	next   http.RoundTripper
}

// RoundTrip passes the request on, or refuses it.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.origin.Holds(req.URL) {
		return nil, &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("A request to %s was not sent: it is not the configured Graph", req.URL.Host),
		}
	}
	if token, found := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); !found || token == "" {
		return nil, &connectors.Error{
			Fault:   connectors.BadCredentials,
			Message: "A request to Graph was not sent: there is no token for it",
			Fix:     checkCredentials,
		}
	}
	return g.next.RoundTrip(req)
}

// odataErrors gives every error an OData body; without one the SDK's error would panic when it is printed.
type odataErrors struct {
	next http.RoundTripper
}

// RoundTrip passes the request on, and the answer back.
func (o odataErrors) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := o.next.RoundTrip(req)
	if err != nil || res.StatusCode < http.StatusBadRequest {
		return res, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	body = odataError(res.StatusCode, body)
	res.Header.Set("Content-Type", "application/json")
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

// odataError returns an error body of the documented form (Graph documentation, "Microsoft Graph error responses and
// resource types"). Without an error member the SDK's error would panic when it is printed, which the SDK does itself
// for tracing; and a body that is not JSON would hide the status.
func odataError(status int, body []byte) []byte {
	var got struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &got) != nil || got.Error.Message == "" {
		got.Error.Message = http.StatusText(status)
	}
	clean, err := json.Marshal(got)
	if err != nil {
		return []byte(`{"error":{"code":"","message":""}}`)
	}
	return clean
}
