package idpsim

import (
	"cmp"
	"crypto"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OktaService is an API service application of the org: what a daemon signs in as without an administrator's token (page
// "Implement OAuth for Okta with a service app").
type OktaService struct {
	ClientID string
	// Keys are its public keys by their key ids: *rsa.PublicKey or *ecdsa.PublicKey on P-256.
	Keys map[string]crypto.PublicKey
	// Scopes are those granted under "Okta API Scopes".
	Scopes []OktaPermission
	// RequireDPoP is the application's "Require Demonstrating Proof of Possession (DPoP) header in token requests", which new
	// applications have.
	RequireDPoP bool
	// Lifetime is how long an access token lives; an hour when 0, as in Okta's org authorization server.
	Lifetime time.Duration
}

// oktaAccess is an access token that was given out.
type oktaAccess struct {
	client  string
	scopes  []OktaPermission
	expires time.Time
}

// SetService adds a service application, or changes the one with that client id. What it was given before stays valid.
func (t *OktaTenant) SetService(s OktaService) {
	t.state.Lock()
	defer t.state.Unlock()
	t.services[s.ClientID] = s
}

// RevokeAccess makes every access token that was given out invalid before its time.
func (t *OktaTenant) RevokeAccess() {
	t.state.Lock()
	defer t.state.Unlock()
	clear(t.access)
}

const oktaTokenPath = "/oauth2/v1/token" //nolint:gosec // an address

// serveToken answers the org authorization server's token endpoint (page "OpenID Connect & OAuth 2.0 API", "/token").
func (t *OktaTenant) serveToken(w http.ResponseWriter, req *http.Request) {
	t.counts.add(req.Method + " " + oktaTokenPath)
	r := &request{method: req.Method, path: oktaTokenPath, query: req.URL.Query(), header: req.Header, base: origin(req),
		gone: req.Context().Done(), outer: true}
	var struck []Fault
	rep := oktaOAuthError(http.StatusMethodNotAllowed, "invalid_request", "The endpoint does not support the provided HTTP method")
	if req.Method == http.MethodPost {
		struck = t.faults.strikes(r)
		for _, f := range struck {
			f.pause(r.gone)
		}
		if i := slices.IndexFunc(struck, func(f Fault) bool { return f.Status != 0 }); i >= 0 {
			rep = struck[i].oktaFailure()
		} else {
			rep = t.grant(req, r)
		}
	}
	t.send(w, r, rep, struck)
}

func oktaOAuthError(status int, code, description string) oktaReply {
	return oktaReply{status: status, body: object{"error": code, "error_description": description}}
}

// grant gives out an access token, or says why not. Parameters may stand in the body or, as the SDK sends them, in the query.
func (t *OktaTenant) grant(req *http.Request, r *request) oktaReply {
	body, err := readBody(req)
	form, e := parseForm(string(body))
	if err != nil || e != nil {
		return oktaOAuthError(http.StatusBadRequest, "invalid_request", "The request body could not be read.")
	}
	for k, v := range r.query {
		form[k] = append(form[k], v...)
	}
	if form.Get("grant_type") != "client_credentials" {
		return oktaOAuthError(http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
	}
	service, refused := t.client(form, r.base)
	switch {
	case refused != nil:
		return *refused
	case service.RequireDPoP && r.header.Get("DPoP") == "":
		return oktaOAuthError(http.StatusBadRequest, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
	}
	scopes, refused := service.allowed(strings.Fields(form.Get("scope")))
	if refused != nil {
		return *refused
	}
	lifetime := cmp.Or(service.Lifetime, time.Hour)
	t.state.Lock()
	defer t.state.Unlock()
	token := "eyJ." + strconv.Itoa(len(t.access)) + oktaID("", t.tokenIDs)
	t.access[token] = oktaAccess{client: service.ClientID, scopes: scopes, expires: t.cfg.Now().Add(lifetime)}
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return oktaReply{status: http.StatusOK, body: object{
		"token_type": "Bearer", "expires_in": int(lifetime / time.Second), "access_token": token, "scope": strings.Join(words, " "),
	}}
}

// allowed returns those of the scopes that are granted to the application.
func (s *OktaService) allowed(asked []string) ([]OktaPermission, *oktaReply) {
	refuse := func(code, description string) ([]OktaPermission, *oktaReply) {
		rep := oktaOAuthError(http.StatusBadRequest, code, description)
		return nil, &rep
	}
	if len(asked) == 0 {
		return refuse("invalid_scope", "The authorization server resource does not have any configured default scopes, 'scope' must be provided.")
	}
	var out []OktaPermission
	for _, word := range asked {
		p := OktaPermission(word)
		if !slices.Contains([]OktaPermission{OktaUsersRead, OktaGroupsRead, OktaAppsRead, OktaLogsRead}, p) {
			return refuse("invalid_scope", "One or more scopes are not configured for the authorization server resource.")
		}
		if slices.Contains(s.Scopes, p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return refuse("consent_required", "You are not allowed any of the requested scopes.")
	}
	return out, nil
}

// client checks the client's assertion (page "Client authentication methods", "JWT with private key").
func (t *OktaTenant) client(form url.Values, base string) (*OktaService, *oktaReply) {
	refuse := func(description string) (*OktaService, *oktaReply) {
		rep := oktaOAuthError(http.StatusUnauthorized, "invalid_client", description)
		return nil, &rep
	}
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return refuse("Client authentication failed. Either the client or the client credentials are invalid.")
	}
	jwt, err := readJWT(form.Get("client_assertion"))
	if err != nil {
		return refuse("The client_assertion token is malformed: " + err.Error())
	}
	t.state.Lock()
	defer t.state.Unlock()
	service, known := t.services[jwt.claims.Issuer]
	now := t.cfg.Now()
	switch expires := time.Unix(int64(math.Min(jwt.claims.Expires, 1<<40)), 0); {
	case jwt.claims.Issuer == "" || jwt.claims.Issuer != jwt.claims.Subject:
		return refuse("The issuer and the subject of the client_assertion must both be the client_id.")
	case !known:
		return refuse("Invalid value for 'client_id' parameter.")
	case !jwt.audience(base+oktaTokenPath) && !jwt.audience(base):
		return refuse("The audience claim for client_assertion must be the endpoint invoked for the request.")
	case !jwt.signedBy(service.Keys):
		return refuse("The client_assertion signature is invalid.")
	case jwt.claims.Expires == 0 || !now.Before(expires):
		return refuse("The client_assertion token has expired.")
	case expires.After(now.Add(time.Hour + time.Minute)):
		return refuse("The client_assertion token has an expiration too far into the future.")
	case jwt.claims.IssuedAt > float64(now.Add(5*time.Minute).Unix()):
		return refuse("The client_assertion token was issued in the future.")
	case jwt.claims.ID != "" && t.assertions[jwt.claims.ID]:
		return refuse("The client_assertion token has already been used.")
	}
	if jwt.claims.ID != "" {
		t.assertions[jwt.claims.ID] = true
	}
	return &service, nil
}

// admit says who asks: nil, nothing where it is an administrator's API token, and the scopes where it is an access token.
func (t *OktaTenant) admit(header string) (refused *oktaReply, access *oktaAccess) {
	if header == "SSWS "+t.cfg.APIToken {
		return nil, nil
	}
	invalid := oktaError(http.StatusUnauthorized, "E0000011", "Invalid token provided")
	token, isBearer := strings.CutPrefix(header, "Bearer ")
	if !isBearer {
		return &invalid, nil
	}
	t.state.Lock()
	defer t.state.Unlock()
	found, known := t.access[token]
	if !known || !t.cfg.Now().Before(found.expires) {
		invalid.challenge = `Bearer error="invalid_token", error_description="The access token is invalid or has expired."`
		return &invalid, nil
	}
	return nil, &found
}

// covers returns the refusal where an access token has not the scopes that a route needs.
func (a *oktaAccess) covers(rt *oktaRoute, r *request) *oktaReply {
	if a == nil {
		return nil
	}
	for _, need := range rt.needs {
		if slices.Contains(a.scopes, need) {
			continue
		}
		org := strings.TrimSuffix(r.base, "/api/v1")
		rep := oktaError(http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
		rep.challenge = fmt.Sprintf(`Bearer authorization_uri=%q, realm=%q, scope=%q, error="insufficient_scope", `+
			`error_description="The access token provided does not contain the required scopes.", resource=%q`,
			org+"/oauth2/v1/authorize", org, need, "/api/v1"+r.path)
		return &rep
	}
	return nil
}

// claimSet is what an assertion says (RFC 7519, section 4.1).
type claimSet struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Expires  float64         `json:"exp"`
	IssuedAt float64         `json:"iat"`
	ID       string          `json:"jti"`
}
