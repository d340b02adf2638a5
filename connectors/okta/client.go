package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
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
//
// The service, which signs requests with access tokens, is nil where an API token does.
func newClient(cfg Config, at connectors.Origin, base http.RoundTripper, log *slog.Logger) (*sdk.Client, *service, error) {
	var next http.RoundTripper = &connectors.Retry{
		Next: base, Log: log, IdP: "Okta", Wait: untilReset, Tries500: tries500, Bucket: bucket, Reserve: reserve,
		Tenant: cfg.Limits.Tenant(strings.ToLower(cfg.OrgURL), "Okta"),
	}
	mode, token := "SSWS", cfg.APIToken
	secret := func() string { return cfg.APIToken }
	var signed *service
	if !cfg.byToken() {
		var err error
		if signed, err = newService(cfg, at, next); err != nil {
			return nil, nil, err
		}
		next, mode, token = signed, "Bearer", "held-below"
		secret = func() string {
			if t := signed.token.Load(); t != nil {
				return *t
			}
			return ""
		}
	}
	hc := &http.Client{Transport: &gate{origin: at, scheme: mode, next: &answers{secret: secret, service: signed != nil, next: next}}}
	_, client, err := sdk.NewClient(context.Background(),
		sdk.WithOrgUrl(cfg.OrgURL), sdk.WithToken(token), sdk.WithAuthorizationMode(mode),
		sdk.WithHttpClientPtr(hc), sdk.WithTestingDisableHttpsCheck(at.Plain()),
		sdk.WithCache(false), sdk.WithCacheManager(nil), sdk.WithCacheTtl(0), sdk.WithCacheTti(0),
		sdk.WithRequestTimeout(0), sdk.WithConnectionTimeout(0), sdk.WithRateLimitMaxRetries(0), sdk.WithRateLimitMaxBackOff(0),
		sdk.WithProxyHost(""), sdk.WithProxyPort(0), sdk.WithProxyUsername(""), sdk.WithProxyPassword(""),
		sdk.WithClientId(""), sdk.WithClientAssertion(""), sdk.WithScopes(nil),
		sdk.WithPrivateKey(""), sdk.WithPrivateKeyId(""), sdk.WithPrivateKeySigner(nil),
		sdk.WithUserAgentExtra("rosterd"),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("okta client: %w", err)
	}
	return client, signed, nil
}

// gate lets a request out only to the configured origin and only with a token.
type gate struct {
	origin connectors.Origin
	scheme string // of the Authorization header
	next   http.RoundTripper
}

// RoundTrip passes the request on, or refuses it.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.origin.Holds(req.URL) {
		return nil, elsewhere(req.URL)
	}
	if token, found := strings.CutPrefix(req.Header.Get("Authorization"), g.scheme+" "); !found || token == "" {
		return nil, &connectors.Error{
			Fault: connectors.BadCredentials, Message: "A request to Okta was not sent: there is no token for it", Fix: checkToken,
		}
	}
	return g.next.RoundTrip(req)
}

func elsewhere(u *url.URL) error {
	return &connectors.Error{
		Fault:   connectors.Broken,
		Message: fmt.Sprintf("A request to %s was not sent: it is not the configured org", u.Host),
	}
}

// answers lets only answers with something in them up to the SDK; whatever else came of a request is an error here. The
// SDK would hide a 429 without rate-limit headers, repeat a request for ever on io.EOF, and take an empty body for an
// empty list.
type answers struct {
	secret  func() string // what no error may show
	service bool          // the requests are a service application's
	next    http.RoundTripper
}

// refusal is an answer that is an error (Okta documentation, "Okta error codes and descriptions").
type refusal struct {
	status        int
	code, summary string
	wait          time.Duration
	service       bool   // it was a service application that asked
	scope         string // the scope that its token lacks, where Okta names it
}

func (r *refusal) Error() string { return fmt.Sprintf("okta answered %d %s", r.status, r.code) }

// unsent is why a request got no answer. It hides its cause.
type unsent struct{ why string }

func (u *unsent) Error() string { return u.why }

// RoundTrip passes the request on, and the answer back if it is one.
func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := a.next.RoundTrip(req)
	if err != nil {
		var n *notGranted
		var u *unsent
		if connectors.FaultOf(err) != "" || errors.As(err, &n) || errors.As(err, &u) {
			return nil, err
		}
		return nil, &unsent{a.masked(err.Error())}
	}
	if res.StatusCode == http.StatusOK && res.ContentLength > 0 {
		return res, nil
	}
	defer res.Body.Close()
	r := &refusal{status: res.StatusCode, wait: untilReset(res), service: a.service, scope: scopeOf(res.Header)}
	var body struct {
		Code    string `json:"errorCode"`
		Summary string `json:"errorSummary"`
	}
	if json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&body) == nil {
		r.code, r.summary = a.masked(body.Code), a.masked(body.Summary)
	}
	return nil, r
}

func (a *answers) masked(text string) string {
	if s := a.secret(); s != "" {
		return strings.ReplaceAll(text, s, "…")
	}
	return text
}

// scopeOf reads which scope an access token lacks (RFC 6750, section 3; Okta support, "insufficient_scope error").
func scopeOf(h http.Header) string {
	challenge := h.Get("WWW-Authenticate")
	if !strings.Contains(challenge, "insufficient_scope") {
		return ""
	}
	found := regexp.MustCompile(`scope="([a-zA-Z0-9._ ]{1,200})"`).FindStringSubmatch(challenge)
	if found == nil {
		return ""
	}
	return found[1]
}

// untilReset reads how long a rate limit lasts: its end in seconds of the epoch, held against the same answer's date, not
// our clock (Okta documentation, "Rate limits", best practices). Every answer carries the header; only a 429 means it.
func untilReset(res *http.Response) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	return resetOf(res.Header)
}
