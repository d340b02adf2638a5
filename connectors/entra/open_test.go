package entra_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	secret := entra.Config{TenantID: "contoso.example", ClientID: id(1), ClientSecret: "s3cret", ServicePrincipalID: appID}
	local := entra.Config{GraphURL: "http://127.0.0.1:4100", AccessToken: "t0ken", ServicePrincipalID: appID}
	with := func(cfg entra.Config, edit func(*entra.Config)) entra.Config { edit(&cfg); return cfg }
	other := func(edit func(*entra.Config)) func(*entra.Config) {
		return func(c *entra.Config) { c.ClientSecret = ""; edit(c) }
	}
	at := func(u string) func(*entra.Config) { return func(c *entra.Config) { c.GraphURL = u } }
	for name, tc := range map[string]struct {
		cfg  entra.Config
		want string // part of the error; empty: none
	}{
		"client secret":                      {secret, ""},
		"client secret, national cloud":      {with(secret, at("https://graph.microsoft.us/")), ""},
		"token, 127.0.0.1":                   {local, ""},
		"token, elsewhere in 127.0.0.0/8":    {with(local, at("http://127.9.9.9:4100")), ""},
		"token, ::1":                         {with(local, at("http://[::1]:4100")), ""},
		"token, localhost, with the version": {with(local, at("http://LOCALHOST/v1.0/")), ""},
		"token over https":                   {with(local, at("https://127.0.0.1:4100")), "access_token is allowed only"},
		"token off loopback":                 {with(local, at("http://graph.example")), "loopback"},
		"loopback by prefix only":            {with(local, at("http://127.0.0.1.example")), "loopback"},
		"any address is not loopback":        {with(local, at("http://0.0.0.0:4100")), "loopback"},
		"secret over plain http":             {with(secret, at("http://127.0.0.1:4100")), "set access_token"},
		"both":                               {with(local, func(c *entra.Config) { c.ClientSecret = "s3cret" }), "both set"},
		"neither":                            {with(secret, func(c *entra.Config) { c.ClientSecret = "" }), "client_secret is missing"},
		"federated token":                    {with(secret, other(func(c *entra.Config) { c.FederatedTokenFile = "/run/token" })), ""},
		"managed identity":                   {with(secret, other(func(c *entra.Config) { c.ManagedIdentity, c.ClientID = "system", "" })), ""},
		"federated token, no client":         {with(secret, other(func(c *entra.Config) { c.FederatedTokenFile, c.ClientID = "/run/token", "" })), "client_id is missing"},
		"secret and federated token":         {with(secret, func(c *entra.Config) { c.FederatedTokenFile = "/run/token" }), "client_secret and federated_token_file are two ways"},
		"secret and managed identity":        {with(secret, func(c *entra.Config) { c.ManagedIdentity = "system" }), "client_secret and managed_identity are two ways"},
		"managed identity on loopback":       {with(local, func(c *entra.Config) { c.ManagedIdentity = "system" }), "managed_identity and access_token are both set"},
		"no tenant":                          {with(secret, func(c *entra.Config) { c.TenantID = "" }), "tenant_id is missing"},
		"no client":                          {with(secret, func(c *entra.Config) { c.ClientID = "" }), "client_id is missing"},
		"no application":                     {with(secret, func(c *entra.Config) { c.ServicePrincipalID = "rosterd" }), "service_principal_id"},
		"user in the URL":                    {with(secret, at("https://u:s3cret@graph.microsoft.com")), "no user"},
		"no scheme":                          {with(secret, at("graph.microsoft.com")), "want a URL"},
		"ftp":                                {with(secret, at("ftp://graph.microsoft.com")), "want https"},
		"negative budget":                    {with(local, func(c *entra.Config) { c.MaxCalls = -1 }), "limit of calls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := entra.Open(tc.cfg, nil, nil)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Open = %v, want %q", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "t0ken")) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestLoopbackAddresses: the token goes out to each spelling of loopback that Open takes.
func TestLoopbackAddresses(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1:8099", "127.1.2.3:8099", "localhost", "[::1]:8099"} {
		sent := ""
		rt := transportFunc(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Authorization")
			w := httptest.NewRecorder()
			page()(w, r)
			return w.Result(), nil
		})
		c, err := entra.Open(entra.Config{GraphURL: "http://" + host, AccessToken: fakeToken, ServicePrincipalID: appID}, &http.Client{Transport: rt}, nil)
		must(t, err)
		if err := c.Pull(t.Context(), &connectortest.Recorder{}); err != nil || sent != "Bearer "+fakeToken {
			t.Errorf("%s: Pull = %v with Authorization %q", host, err, sent)
		}
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signIn answers as Entra's sign-in service and, behind it, as Graph.
type signIn struct {
	t         *testing.T
	authority string
	status    int
	answer    object
	graph     http.HandlerFunc
	auth      string // the Authorization that Graph got
	scope     string // the scope that the sign-in service was asked for
}

func (s *signIn) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch {
	case r.URL.Host == s.authority && strings.HasSuffix(r.URL.Path, "/token"):
		if err := r.ParseForm(); err != nil {
			s.t.Error(err)
		}
		s.scope = r.Form.Get("scope")
		raw, err := json.Marshal(s.answer)
		if err != nil {
			s.t.Error(err)
		}
		reply(s.status, string(raw))(w, r)
	case r.URL.Host == s.authority && strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		base := "https://" + s.authority + "/" + id(7)
		one(object{
			"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
		})(w, r)
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		one(object{
			"tenant_discovery_endpoint": "https://" + s.authority + "/" + id(7) + "/v2.0/.well-known/openid-configuration",
			"metadata":                  []object{{"preferred_network": s.authority, "preferred_cache": s.authority, "aliases": []string{s.authority}}},
		})(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		s.auth = r.Header.Get("Authorization")
		s.graph(w, r)
	default:
		s.t.Errorf("unexpected request to %s", r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

func openSignIn(t *testing.T, s *signIn, graphURL string) *entra.Connector {
	t.Helper()
	c, err := entra.Open(entra.Config{
		TenantID: id(7), ClientID: id(8), ClientSecret: "the-s3cret", ServicePrincipalID: appID, GraphURL: graphURL,
	}, &http.Client{Transport: s}, nil)
	must(t, err)
	return c
}

// TestClientSecret: the token comes from the authority that belongs to the Graph host, for that host's scope.
func TestClientSecret(t *testing.T) {
	t.Parallel()
	for graphURL, authority := range map[string]string{
		"":                                 "login.microsoftonline.com",
		"https://graph.microsoft.us":       "login.microsoftonline.us",
		"https://graph.microsoft.com:443/": "login.microsoftonline.com",
		"https://dod-graph.microsoft.us":   "login.microsoftonline.us",
		"https://microsoftgraph.chinacloudapi.cn/v1.0": "login.chinacloudapi.cn",
	} {
		s := &signIn{
			t: t, authority: authority, status: http.StatusOK, graph: page(),
			answer: object{"token_type": "Bearer", "expires_in": 3600, "access_token": "issued"},
		}
		if err := openSignIn(t, s, graphURL).Pull(t.Context(), &connectortest.Recorder{}); err != nil || s.auth != "Bearer issued" {
			t.Errorf("%s: Pull = %v with Authorization %q", graphURL, err, s.auth)
		}
		host := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(graphURL, "https://"), "/v1.0"), "/"), ":443")
		if host == "" {
			host = "graph.microsoft.com"
		}
		if !strings.Contains(s.scope, "https://"+host+"/.default") {
			t.Errorf("%s: scope %q", graphURL, s.scope)
		}
	}
}

// TestSignInRefused: the fault, the code of the sign-in service and what to do; never the secret.
func TestSignInRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		text   string
		fault  connectors.Fault
		want   string
	}{
		"wrong":   {http.StatusUnauthorized, "AADSTS7000215: Invalid client secret provided: the-s3cret.", connectors.BadCredentials, "AADSTS7000215"},
		"expired": {http.StatusUnauthorized, "AADSTS7000222: The provided client secret keys are expired.", connectors.BadCredentials, "expired"},
		"no app":  {http.StatusBadRequest, "AADSTS700016: Application was not found in the directory.", connectors.BadCredentials, "client_id"},
		"no code": {http.StatusBadRequest, "something else", connectors.BadCredentials, "client_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &signIn{
				t: t, authority: "login.microsoftonline.com", status: tc.status,
				answer: object{"error": "invalid_client", "error_description": tc.text},
				graph:  func(http.ResponseWriter, *http.Request) { t.Error("a request went out without a token") },
			}
			err := openSignIn(t, s, "").Pull(t.Context(), &connectortest.Recorder{})
			if connectors.FaultOf(err) != tc.fault || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "the-s3cret") {
				t.Errorf("Pull = %v", err)
			}
		})
	}
}
