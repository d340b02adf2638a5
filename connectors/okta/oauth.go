package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

const (
	tokenPath  = "/oauth2/v1/token" //nolint:gosec // an address
	tokenTries = 4
	maxAnswer  = 1 << 20
	// ahead is how long before its end a token is not used any more.
	ahead = time.Minute
)

// service signs requests with the access token of a service application (Okta documentation, "Implement OAuth for Okta with
// a service app").
//
// The SDK's own mode PrivateKey is not used. It asks for tokens outside of the request's context, so beyond any budget and
// deadline, puts the assertion into the address, where proxies log it, takes PKCS #1 keys only, never renews a token that
// was revoked, and keeps one that lives for two seconds or less for ever. So the SDK is told that it has a bearer token,
// and this puts the true one in its place.
type service struct {
	origin   connectors.Origin
	address  string // of the token endpoint
	clientID string
	scopes   []string
	key      *signingKey
	next     http.RoundTripper

	turn chan struct{} // whoever holds it may read and change what follows
	// token is what was last given out, for masking it; it may be read by anybody.
	token   atomic.Pointer[string]
	until   time.Time
	missing []string      // scopes that were asked for and not given
	skew    time.Duration // by how much Okta's clock is ahead of ours, where that kept us from signing in
}

func newService(cfg Config, at connectors.Origin, next http.RoundTripper) (*service, error) {
	key, err := parseKey(cfg.PrivateKey, cfg.KeyID)
	if err != nil {
		return nil, err
	}
	s := &service{
		origin: at, address: cfg.OrgURL + tokenPath, clientID: cfg.ClientID, scopes: cfg.Scopes, key: key, next: next,
		turn: make(chan struct{}, 1),
	}
	return s, nil
}

// RoundTrip sends the request with an access token; once more with a new one where Okta takes that one no longer.
func (s *service) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := s.access(req.Context(), "")
	if err != nil {
		return nil, err
	}
	res, err := s.send(req, token)
	if err != nil || res.StatusCode != http.StatusUnauthorized || req.Body != nil && req.Body != http.NoBody {
		return res, err
	}
	_ = res.Body.Close()
	if token, err = s.access(req.Context(), token); err != nil {
		return nil, err
	}
	return s.send(req, token)
}

func (s *service) send(req *http.Request, token string) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return s.next.RoundTrip(req)
}

// access returns an access token that is good for a while, and is another than the one that was refused. One request for
// it is under way at a time.
func (s *service) access(ctx context.Context, refused string) (string, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.turn }()
	if token := s.token.Load(); token != nil && *token != refused && time.Now().Before(s.until) {
		return *token, nil
	}
	given, err := s.ask(ctx, s.scopes)
	if err != nil && refusesScopes(err) && len(s.scopes) > 1 {
		given, err = s.askForEach(ctx, err)
	}
	if err != nil {
		return "", err
	}
	s.missing = without(s.scopes, strings.Fields(given.Scope))
	s.token.Store(&given.Token)
	s.until = time.Now().Add(max(given.lifetime-ahead, given.lifetime/2))
	return given.Token, nil
}

// askForEach finds out which of the scopes are not to be had, and asks for the others. The requests that need the missing
// ones then fail, and say so.
func (s *service) askForEach(ctx context.Context, all error) (*granted, error) {
	var have []string
	for _, scope := range s.scopes {
		switch _, err := s.ask(ctx, []string{scope}); {
		case err == nil:
			have = append(have, scope)
		case !refusesScopes(err):
			return nil, err
		}
	}
	if len(have) == 0 {
		return nil, all
	}
	return s.ask(ctx, have)
}

// lacks returns the scopes that were asked for and that the token in use has not.
func (s *service) lacks(ctx context.Context) ([]string, error) {
	if _, err := s.access(ctx, ""); err != nil {
		return nil, err
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return slices.Clone(s.missing), nil
}

// granted is an answer of the token endpoint.
type granted struct {
	Token    string `json:"access_token"`
	Type     string `json:"token_type"`
	Expires  int64  `json:"expires_in"`
	Scope    string `json:"scope"`
	lifetime time.Duration
}

// notGranted is a refusal of the token endpoint (RFC 6749, section 5.2).
type notGranted struct {
	status            int
	code, description string
	wait              time.Duration
	date              time.Time // by Okta's clock; zero: not known
}

func (n *notGranted) Error() string {
	return fmt.Sprintf("okta gave no access token: %d %s", n.status, n.code)
}

// refusesScopes reports whether a scope is what the refusal is about.
func refusesScopes(err error) bool {
	var n *notGranted
	return errors.As(err, &n) && slices.Contains([]string{"invalid_scope", "consent_required", "access_denied"}, n.code)
}

// ask asks for an access token with scopes, again where that can help.
func (s *service) ask(ctx context.Context, scopes []string) (*granted, error) {
	for try := 1; ; try++ {
		given, err := s.askOnce(ctx, scopes)
		wait := time.Second<<(try-1) + rand.N(time.Second/2)
		var n *notGranted
		var u *unsent
		switch {
		case err == nil || ctx.Err() != nil || try == tokenTries:
			return given, err
		case errors.As(err, &u):
		case errors.As(err, &n) && (n.status == http.StatusTooManyRequests || n.status >= 500):
			wait = max(wait, n.wait)
		case n != nil && s.adjust(n):
			wait = 0
		default:
			return nil, err
		}
		if deadline, limited := ctx.Deadline(); wait > time.Minute+time.Second || limited && time.Until(deadline) < wait {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// adjust follows Okta's clock where the assertion may have been refused because ours is off, and reports whether that
// changes anything. Okta's own time stands in its answer.
func (s *service) adjust(n *notGranted) bool {
	if n.code != "invalid_client" || n.date.IsZero() {
		return false
	}
	skew := time.Until(n.date)
	if (skew - s.skew).Abs() < assertionTime/2 {
		return false
	}
	s.skew = skew
	return true
}

func (s *service) askOnce(ctx context.Context, scopes []string) (*granted, error) {
	assertion, err := s.key.assert(s.clientID, s.address, time.Now().Add(s.skew))
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("ask for an access token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !s.origin.Holds(req.URL) {
		return nil, elsewhere(req.URL)
	}
	res, err := s.next.RoundTrip(req)
	if err != nil {
		if connectors.FaultOf(err) != "" || ctx.Err() != nil {
			return nil, err
		}
		return nil, &unsent{why: strings.ReplaceAll(err.Error(), assertion, "…")}
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, &unsent{why: "the answer of the token endpoint broke off"}
	}
	if res.StatusCode != http.StatusOK {
		return nil, readRefusal(res, raw, assertion)
	}
	return readGrant(raw)
}

func readRefusal(res *http.Response, raw []byte, assertion string) error {
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Code        string `json:"errorCode"` // where the API answers instead of the authorization server
		Summary     string `json:"errorSummary"`
	}
	_ = json.Unmarshal(raw, &body) // whatever it is, the status says enough
	clean := func(texts ...string) string {
		for _, t := range texts {
			if t != "" {
				return strings.ReplaceAll(t, assertion, "…")
			}
		}
		return ""
	}
	date, _ := http.ParseTime(res.Header.Get("Date")) // zero where there is none
	return &notGranted{
		date: date, status: res.StatusCode, code: clean(body.Error, body.Code), description: clean(body.Description, body.Summary), wait: untilReset(res),
	}
}

func readGrant(raw []byte) (*granted, error) {
	var g granted
	broken := ask{what: "an access token"}
	err := json.Unmarshal(raw, &g)
	switch unfit := func(r rune) bool { return r <= ' ' || r > '~' }; {
	case err != nil || g.Token == "" || strings.ContainsFunc(g.Token, unfit):
		return nil, broken.broken("an answer that holds none")
	case !strings.EqualFold(g.Type, "Bearer"):
		return nil, explainNotGranted(&notGranted{status: http.StatusOK, code: "invalid_dpop_proof"})
	}
	const hour = 3600 // what the org's authorization server gives (Okta documentation, "OAuth 2.0 and OpenID Connect", token lifetime)
	if g.Expires <= 0 || g.Expires > 24*hour {
		g.Expires = hour
	}
	g.lifetime = time.Duration(g.Expires) * time.Second
	return &g, nil
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(gone, s) })
}

const (
	checkService = "Check client_id, key_id and private_key: in the Admin Console under Applications > the API service " +
		"application > General, the client authentication has to be \"Public key / Private key\" with this key, active. Check this machine's clock too."
	dropDPoP = "In the Admin Console, under Applications > the API service application > General, take out \"Require Demonstrating " +
		"Proof of Possession (DPoP) header in token requests\"."
)

// explainNotGranted maps a refusal of the token endpoint.
func explainNotGranted(n *notGranted) error {
	e := &connectors.Error{Status: n.status, Err: n, Fault: connectors.BadCredentials, Fix: checkService}
	reason := (&refusal{status: n.status, code: n.code, summary: n.description}).reason()
	e.Message = fmt.Sprintf("Okta gave no access token (%s)", reason)
	switch {
	case refusesScopes(n):
		e.Fault, e.Fix = connectors.MissingPermission, ""
	case n.code == "invalid_dpop_proof" || n.code == "use_dpop_nonce":
		e.Message, e.Fix = "Okta wants a proof of possession (DPoP) with the request for an access token, which rosterd does not send", dropDPoP
	case n.status == http.StatusTooManyRequests:
		e.Fault, e.Fix, e.RetryAfter = connectors.Throttled, "", n.wait
	case n.status >= 500:
		e.Fault, e.Fix = connectors.Unreachable, ""
	case n.status == http.StatusNotFound || n.status >= 300 && n.status < 400:
		e.Fault, e.Fix = connectors.Broken, "Check org_url, and whether a proxy stands in between."
	}
	return e
}
