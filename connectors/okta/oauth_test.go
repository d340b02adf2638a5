package okta_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
)

const clientID = "0oaServiceApp0000001"

var allScopes = []idpsim.OktaPermission{idpsim.OktaUsersRead, idpsim.OktaGroupsRead, idpsim.OktaAppsRead}

// newKey makes a key pair once for all tests: it takes long.
var newKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pemOf("PRIVATE KEY", der)
}

// asService gives a tenant a service application with these scopes, and returns how to sign in as it.
func asService(t *testing.T, o *idpsim.OktaTenant, scopes ...idpsim.OktaPermission) func(*okta.Config) {
	t.Helper()
	o.SetService(idpsim.OktaService{ClientID: clientID, Keys: map[string]crypto.PublicKey{"k1": &newKey().PublicKey}, Scopes: scopes})
	return func(c *okta.Config) {
		c.APIToken, c.ClientID, c.KeyID, c.PrivateKey = "", clientID, "k1", pkcs8(t, newKey())
	}
}

// signedIn is a tenant with a service application, and a connector that signs in as it.
func signedIn(t *testing.T, scopes ...idpsim.OktaPermission) (*idpsim.OktaTenant, *okta.Connector) {
	t.Helper()
	o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 3, Members: 20, Groups: 2})
	return o, openService(t, o, asService(t, o, scopes...))
}

func openService(t *testing.T, o *idpsim.OktaTenant, edits ...func(*okta.Config)) *okta.Connector {
	t.Helper()
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	cfg := okta.Config{OrgURL: srv.URL, AppID: o.AppID()}
	for _, edit := range edits {
		edit(&cfg)
	}
	c, err := okta.Open(cfg, nil, nil)
	must(t, err)
	return c
}

// TestContractAsAService runs the suite of all connectors with access tokens in place of an API token.
func TestContractAsAService(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, func(t *testing.T, d connectortest.Directory) connectortest.Tenant {
		t.Helper()
		started, ok := startTenant(t, d).(*tenant)
		if !ok {
			t.Fatal("another tenant")
		}
		return &serviceTenant{started}
	})
}

type serviceTenant struct{ *tenant }

func (s *serviceTenant) Open(t *testing.T, a connectortest.Access) connectortest.Connector {
	t.Helper()
	permissions := map[connectors.CollectionKind]idpsim.OktaPermission{
		connectors.Assignments: idpsim.OktaAppsRead, connectors.Users: idpsim.OktaAppsRead, connectors.Members: idpsim.OktaGroupsRead,
	}
	granted := slices.DeleteFunc(slices.Clone(allScopes), func(p idpsim.OktaPermission) bool { return p == permissions[a.Without] })
	edit := asService(t, s.OktaTenant, granted...)
	cfg := okta.Config{OrgURL: s.url, AppID: s.AppID()}
	edit(&cfg)
	if a.Secret != "" {
		cfg.ClientID = "0oaSomebodyElse00001"
	}
	c, err := okta.Open(cfg, nil, nil)
	must(t, err)
	return c
}

// TestTheSDKsOwnWay shows that the simulated org takes what the SDK itself sends for its mode PrivateKey.
func TestTheSDKsOwnWay(t *testing.T) {
	t.Parallel()
	o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 3, Members: 5, Groups: 1})
	asService(t, o, idpsim.OktaUsersRead)
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	ctx, c, err := sdk.NewClient(context.Background(), sdk.WithOrgUrl(srv.URL), sdk.WithTestingDisableHttpsCheck(true), sdk.WithCache(false),
		sdk.WithAuthorizationMode("PrivateKey"), sdk.WithClientId(clientID), sdk.WithPrivateKeyId("k1"), sdk.WithScopes([]string{"okta.users.read"}),
		sdk.WithPrivateKey(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(newKey()))))
	must(t, err)
	if users, _, err := c.User.ListUsers(ctx, nil); err != nil || len(users) == 0 {
		t.Errorf("%d users, %v", len(users), err)
	}
	if _, _, err := c.Group.ListGroups(ctx, nil); err == nil {
		t.Error("groups without the scope")
	}
}

func TestAServiceReadsWithOneTokenUntilItsEnd(t *testing.T) {
	t.Parallel()
	o, c := signedIn(t, allScopes...)
	budget := connectors.NewBudget(1000)
	ctx := connectors.WithBudget(t.Context(), budget)
	must(t, c.Test(ctx))
	must(t, c.Pull(ctx, &connectortest.Recorder{}))
	calls := 0
	for _, n := range o.Requests() {
		calls += n
	}
	if tokens := o.Requests()["POST /oauth2/v1/token"]; tokens != 1 || budget.Spent() != calls {
		t.Errorf("%d tokens were asked for; %d calls of %d were counted", tokens, budget.Spent(), calls)
	}
	o.RevokeAccess()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := c.Pull(ctx, &connectortest.Recorder{}); err != nil {
				t.Errorf("after the token was revoked: %v", err)
			}
		})
	}
	all.Wait()
	if tokens := o.Requests()["POST /oauth2/v1/token"]; tokens != 2 {
		t.Errorf("%d tokens were asked for", tokens)
	}
}

func TestATokenIsAskedForWithinTheBudget(t *testing.T) {
	t.Parallel()
	_, c := signedIn(t, allScopes...)
	if err := c.Test(connectors.WithBudget(t.Context(), connectors.NewBudget(0))); connectors.FaultOf(err) != connectors.OverBudget {
		t.Errorf("Test = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Test(ctx); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTheTestOfAServiceNamesWhatToMend(t *testing.T) {
	t.Parallel()
	another, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for name, tc := range map[string]struct {
		scopes []idpsim.OktaPermission
		tenant func(*idpsim.OktaTenant)
		edit   func(*okta.Config)
		fault  connectors.Fault
		want   []string
	}{
		"everything is granted": {scopes: allScopes},
		"one scope is not": {scopes: []idpsim.OktaPermission{idpsim.OktaUsersRead, idpsim.OktaAppsRead}, fault: connectors.MissingPermission,
			want: []string{"lacks the scope okta.groups.read", "Grant okta.groups.read under", "Okta API Scopes"}},
		"no scope is": {fault: connectors.MissingPermission,
			want: []string{"Grant okta.apps.read under", "Grant okta.users.read under", "Grant okta.groups.read under", "consent_required"}},
		"one is that nobody knows": {scopes: allScopes, edit: func(c *okta.Config) { c.Scopes = append(okta.DefaultScopes(), "okta.nosuch.read") },
			fault: connectors.MissingPermission, want: []string{"okta.nosuch.read"}},
		"one is not asked for": {scopes: allScopes, edit: func(c *okta.Config) { c.Scopes = []string{"okta.apps.read", "okta.users.read"} },
			fault: connectors.MissingPermission, want: []string{"okta.groups.read", "see that scopes names it"}},
		"the admin role is missing": {scopes: allScopes, tenant: func(o *idpsim.OktaTenant) { o.Deny(idpsim.OktaGroupsRead) },
			fault: connectors.MissingPermission, want: []string{"admin role", "okta.groups.read", "Admin roles"}},
		"another key": {scopes: allScopes, edit: func(c *okta.Config) { c.PrivateKey = pkcs8(t, another) },
			fault: connectors.BadCredentials, want: []string{"401: invalid_client: The client_assertion signature is invalid", "key_id and private_key"}},
		"another client": {scopes: allScopes, edit: func(c *okta.Config) { c.ClientID = "0oaElse" },
			fault: connectors.BadCredentials, want: []string{"client_id"}},
		"DPoP": {scopes: allScopes, tenant: func(o *idpsim.OktaTenant) {
			o.SetService(idpsim.OktaService{ClientID: clientID, Keys: map[string]crypto.PublicKey{"k1": &newKey().PublicKey}, Scopes: allScopes, RequireDPoP: true})
		}, fault: connectors.BadCredentials, want: []string{"DPoP", "take out", "token requests"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 3, Members: 5, Groups: 1})
			edits := []func(*okta.Config){asService(t, o, tc.scopes...)}
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			if tc.tenant != nil {
				tc.tenant(o)
			}
			err := openService(t, o, edits...).Test(t.Context())
			if connectors.FaultOf(err) != tc.fault || tc.fault == "" && err != nil {
				t.Fatalf("Test = %v, want %q", err, tc.fault)
			}
			for _, words := range tc.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not in %q", words, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "PRIVATE")) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// A clock that is off does not keep a service out: Okta's own time stands in its refusal.
func TestAServiceFollowsOktasClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		o, c := signedIn(t, allScopes...)
		o.SetSkew(skew)
		must(t, c.Test(t.Context()))
		if tokens := o.Requests()["POST /oauth2/v1/token"]; tokens != 2 {
			t.Errorf("%s off: %d tokens were asked for", skew, tokens)
		}
	}
}

// The assertion stands in no address, and no key of a usable kind is refused.
func TestKeys(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	sec1, err := x509.MarshalECPrivateKey(curve)
	must(t, err)
	for name, tc := range map[string]struct {
		text   string
		public crypto.PublicKey
	}{
		"PKCS #8":                      {pkcs8(t, newKey()), &newKey().PublicKey},
		"PKCS #1":                      {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(newKey())), &newKey().PublicKey},
		"from an environment variable": {strings.ReplaceAll(pkcs8(t, newKey()), "\n", `\n`), &newKey().PublicKey},
		"P-256":                        {pkcs8(t, curve), &curve.PublicKey},
		"P-256 in SEC 1":               {pemOf("EC PRIVATE KEY", sec1), &curve.PublicKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := idpsim.NewOkta(idpsim.OktaConfig{Seed: 3, Members: 5, Groups: 1})
			o.SetService(idpsim.OktaService{ClientID: clientID, Keys: map[string]crypto.PublicKey{"any": tc.public}, Scopes: allScopes})
			var queries sync.Map
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				queries.Store(r.URL.RawQuery, true)
				o.ServeHTTP(w, r)
			}))
			t.Cleanup(srv.Close)
			c, err := okta.Open(okta.Config{OrgURL: srv.URL, AppID: o.AppID(), ClientID: clientID, PrivateKey: tc.text}, nil, nil)
			must(t, err)
			must(t, c.Test(t.Context()))
			queries.Range(func(q, _ any) bool {
				if text, _ := q.(string); strings.Contains(text, "assertion") {
					t.Errorf("the assertion is in the address")
				}
				return true
			})
		})
	}
}
