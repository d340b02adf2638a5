package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// tries500 is how often a request is sent that Okta answers with a plain 500.
const tries500 = 2

// newClient returns the SDK's client on our transport.
//
// The SDK begins with ~/.okta/okta.yaml, a file beside its own source and the OKTA_CLIENT_* of the environment, and lets
// options overwrite them: so every setting that it knows is given here. Its cache would answer with what was true five
// minutes ago.
func newClient(cfg Config, at connectors.Origin, base http.RoundTripper, log *slog.Logger) (*sdk.Client, error) {
	retry := &connectors.Retry{Next: base, Log: log, IdP: "Okta", Wait: untilReset, Tries500: tries500}
	hc := &http.Client{Transport: &gate{origin: at, next: &answers{token: cfg.APIToken, next: retry}}}
	_, client, err := sdk.NewClient(context.Background(),
		sdk.WithOrgUrl(cfg.OrgURL), sdk.WithToken(cfg.APIToken), sdk.WithAuthorizationMode("SSWS"),
		sdk.WithHttpClientPtr(hc), sdk.WithTestingDisableHttpsCheck(at.Plain()),
		sdk.WithCache(false), sdk.WithCacheManager(nil), sdk.WithCacheTtl(0), sdk.WithCacheTti(0),
		sdk.WithRequestTimeout(0), sdk.WithConnectionTimeout(0), sdk.WithRateLimitMaxRetries(0), sdk.WithRateLimitMaxBackOff(0),
		sdk.WithProxyHost(""), sdk.WithProxyPort(0), sdk.WithProxyUsername(""), sdk.WithProxyPassword(""),
		sdk.WithClientId(""), sdk.WithClientAssertion(""), sdk.WithScopes(nil),
		sdk.WithPrivateKey(""), sdk.WithPrivateKeyId(""), sdk.WithPrivateKeySigner(nil),
		sdk.WithUserAgentExtra("rosterd"),
	)
	if err != nil {
		return nil, fmt.Errorf("okta client: %w", err)
	}
	return client, nil
}

// gate lets a request out only to the configured origin and only with a token.
type gate struct {
	origin connectors.Origin
	next   http.RoundTripper
}

// RoundTrip passes the request on, or refuses it.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.origin.Holds(req.URL) {
		return nil, &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("A request to %s was not sent: it is not the configured org", req.URL.Host),
		}
	}
	if token, found := strings.CutPrefix(req.Header.Get("Authorization"), "SSWS "); !found || token == "" {
		return nil, &connectors.Error{
			Fault: connectors.BadCredentials, Message: "A request to Okta was not sent: there is no token for it", Fix: checkToken,
		}
	}
	return g.next.RoundTrip(req)
}

// answers lets only answers with something in them up to the SDK; whatever else came of a request is an error here. The
// SDK would hide a 429 without rate-limit headers, repeat a request for ever on io.EOF, and take an empty body for an
// empty list.
type answers struct {
	token string
	next  http.RoundTripper
}

// refusal is an answer that is an error (Okta documentation, "Okta error codes and descriptions").
type refusal struct {
	status        int
	code, summary string
	wait          time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("okta answered %d %s", r.status, r.code) }

// unsent is why a request got no answer. It hides its cause.
type unsent struct{ why string }

func (u *unsent) Error() string { return u.why }

// RoundTrip passes the request on, and the answer back if it is one.
func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := a.next.RoundTrip(req)
	if err != nil {
		if connectors.FaultOf(err) != "" {
			return nil, err
		}
		return nil, &unsent{strings.ReplaceAll(err.Error(), a.token, "…")}
	}
	if res.StatusCode == http.StatusOK && res.ContentLength > 0 {
		return res, nil
	}
	defer res.Body.Close()
	r := &refusal{status: res.StatusCode, wait: untilReset(res)}
	var body struct {
		Code    string `json:"errorCode"`
		Summary string `json:"errorSummary"`
	}
	if json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body) == nil {
		r.code, r.summary = strings.ReplaceAll(body.Code, a.token, "…"), strings.ReplaceAll(body.Summary, a.token, "…")
	}
	return nil, r
}

// untilReset reads how long a rate limit lasts: its end in seconds of the epoch, held against the same answer's date, not
// our clock (Okta documentation, "Rate limits", best practices). Every answer carries the header; only a 429 means it.
func untilReset(res *http.Response) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	reset, err := strconv.ParseInt(strings.TrimSpace(res.Header.Get("X-Rate-Limit-Reset")), 10, 64)
	if err != nil || reset <= 0 || reset > 1<<40 {
		return 0
	}
	now, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, time.Unix(reset, 0).Sub(now))
}
