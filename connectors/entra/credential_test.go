package entra_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/entra"
)

// pair makes a certificate that ends at a time, and returns it with its key in PEM.
func pair(t *testing.T, ends time.Time) (string, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	from := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rosterd"}, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, from, from, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	var out bytes.Buffer
	must(t, pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	must(t, pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	return out.String(), cert
}

// issuer answers as the sign-in service, as the endpoint of a platform's identities, and as Graph, and keeps what was
// asked of the first two.
type issuer struct {
	t     *testing.T
	token http.HandlerFunc // nil: a token is issued
	form  url.Values       // what the sign-in service was sent
	asked *http.Request    // what the platform's endpoint was sent
	auth  string           // what Graph was sent
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := i.token
	if answer == nil {
		answer = one(object{"token_type": "Bearer", "expires_in": 3600, "expires_on": time.Now().Add(time.Hour).Unix(), "access_token": "issued"})
	}
	w := httptest.NewRecorder()
	switch {
	case r.URL.Host == "169.254.169.254" || r.URL.Path == "/msi/token":
		i.asked = r
		answer(w, r)
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		if err := r.ParseForm(); err != nil {
			i.t.Error(err)
		}
		i.form = r.Form
		answer(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		i.auth = r.Header.Get("Authorization")
		page()(w, r)
	default: // the authority's metadata
		return (&signIn{t: i.t, authority: "login.microsoftonline.com"}).RoundTrip(r)
	}
	return w.Result(), nil
}

// signsIn opens a connection that signs in as cfg says.
func signsIn(t *testing.T, rt http.RoundTripper, cfg entra.Config) *entra.Connector {
	t.Helper()
	cfg.TenantID, cfg.ServicePrincipalID = id(7), appID
	if cfg.ManagedIdentity == "" {
		cfg.ClientID = id(8)
	}
	c, err := entra.Open(cfg, &http.Client{Transport: rt}, nil)
	must(t, err)
	return c
}

// jwt returns the header and the claims of an assertion after it has held the signature against the certificate.
func jwt(t *testing.T, assertion string, cert *x509.Certificate) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", assertion)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(raw, into))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	must(t, err)
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch header["alg"] {
	case "PS256":
		must(t, rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil))
	case "RS256":
		must(t, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature))
	default:
		t.Fatalf("signed by %v", header["alg"])
	}
	return header, claims
}

// What proves who asks is signed by the certificate's key and names the certificate (Entra documentation, "Microsoft identity
// platform application authentication certificate credentials"); the chain goes along only where that is asked for.
func TestCertificateSignsTheRequestForAToken(t *testing.T) {
	t.Parallel()
	for _, chain := range []bool{false, true} {
		text, cert := pair(t, time.Now().AddDate(1, 0, 0))
		s := &issuer{t: t}
		c := signsIn(t, s, entra.Config{Certificate: text, SendCertificateChain: chain})
		if err := c.Pull(t.Context(), &connectortest.Recorder{}); err != nil || s.auth != "Bearer issued" {
			t.Fatalf("Pull = %v with Authorization %q", err, s.auth)
		}
		if s.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || s.form.Has("client_secret") ||
			s.form.Get("grant_type") != "client_credentials" || s.form.Get("client_id") != id(8) {
			t.Errorf("the sign-in service was sent %v", s.form)
		}
		header, claims := jwt(t, s.form.Get("client_assertion"), cert)
		if claims["iss"] != id(8) || claims["sub"] != id(8) {
			t.Errorf("claims %v", claims)
		}
		if x5c, has := header["x5c"].([]any); has != chain || has && x5c[0] != base64.StdEncoding.EncodeToString(cert.Raw) {
			t.Errorf("chain %t: header %v", chain, header)
		}
		if header["x5t#S256"] == nil && header["x5t"] == nil {
			t.Errorf("header %v names no certificate", header)
		}
	}
}

// An expired certificate keeps nobody from starting; it is warned about, and each request says it without being sent.
func TestExpiredCertificateIsSaidWithItsDate(t *testing.T) {
	t.Parallel()
	for ends, warns := range map[time.Time]string{
		time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC): "has expired",
		time.Now().AddDate(0, 0, 10):                  "expires soon",
		time.Now().AddDate(1, 0, 0):                   "",
	} {
		text, _ := pair(t, ends)
		var log bytes.Buffer
		s := &issuer{t: t}
		c, err := entra.Open(entra.Config{TenantID: id(7), ClientID: id(8), Certificate: text, ServicePrincipalID: appID},
			&http.Client{Transport: s}, slog.New(slog.NewTextHandler(&log, nil)))
		must(t, err)
		if warned := log.String(); warns == "" && warned != "" || !strings.Contains(warned, warns) || warns != "" && !strings.Contains(warned, ends.Format(time.DateOnly)) {
			t.Errorf("%s: warned %q", ends, warned)
		}
		err = c.Pull(t.Context(), &connectortest.Recorder{})
		if ends.After(time.Now()) {
			must(t, err)
			continue
		}
		if connectors.FaultOf(err) != connectors.BadCredentials || !strings.Contains(err.Error(), "expired on 2024-02-29") || s.form != nil {
			t.Errorf("Pull = %v", err)
		}
	}
}

func TestMalformedCertificateIsSaidAtOpen(t *testing.T) {
	t.Parallel()
	whole, _ := pair(t, time.Now().AddDate(1, 0, 0))
	other, _ := pair(t, time.Now().AddDate(1, 0, 0))
	_, key, _ := strings.Cut(whole, "-----END CERTIFICATE-----\n")
	cert, _, _ := strings.Cut(other, "-----BEGIN PRIVATE KEY")
	for text, want := range map[string]string{
		"s3cret": "certificate: want a certificate and its unencrypted RSA key in PEM",
		key:      "found no certificate", cert: "found no private key", cert + key: "key doesn't match",
	} {
		_, err := entra.Open(entra.Config{TenantID: id(7), ClientID: id(8), Certificate: text, ServicePrincipalID: appID}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Open = %v, want %q", err, want)
		}
	}
}

// The platform's token is the proof (Entra documentation, "Workload identity federation"). A file that isn't there is
// said with its name.
func TestWorkloadIdentityHandsThePlatformsTokenOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	must(t, os.WriteFile(file, []byte("platform-token"), 0o600))
	s := &issuer{t: t}
	if err := signsIn(t, s, entra.Config{FederatedTokenFile: file}).Pull(t.Context(), &connectortest.Recorder{}); err != nil || s.auth != "Bearer issued" {
		t.Fatalf("Pull = %v with Authorization %q", err, s.auth)
	}
	if s.form.Get("client_assertion") != "platform-token" || s.form.Get("client_id") != id(8) || s.form.Has("client_secret") {
		t.Errorf("the sign-in service was sent %v", s.form)
	}

	s = &issuer{t: t}
	missing := filepath.Join(dir, "missing")
	err := signsIn(t, s, entra.Config{FederatedTokenFile: missing}).Pull(t.Context(), &connectortest.Recorder{})
	if connectors.FaultOf(err) != connectors.BadCredentials || !strings.Contains(err.Error(), missing) || s.form != nil {
		t.Errorf("Pull = %v", err)
	}
	must(t, os.WriteFile(file, nil, 0o600))
	s = &issuer{t: t, token: reply(http.StatusBadRequest, `{"error":"invalid_request","error_description":"AADSTS900144: no client_assertion"}`)}
	err = signsIn(t, s, entra.Config{FederatedTokenFile: file}).Pull(t.Context(), &connectortest.Recorder{})
	if connectors.FaultOf(err) != connectors.BadCredentials || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("Pull = %v", err)
	}
}

// noPlatform takes every sign of a platform away, so that the one on which the test runs does not matter.
func noPlatform(t *testing.T) {
	t.Helper()
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"} {
		t.Setenv(name, "")
	}
}

// The identity of a machine is asked for at the endpoint of its platform: of a virtual machine (Entra documentation, "How to
// use managed identities on an Azure VM to acquire an access token"), or App Service's (its documentation, "REST endpoint
// reference"). azidentity keeps tokens for the process, so each case asks for another cloud or identity.
func TestManagedIdentityAsksThePlatform(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint, identity, graph string
		want                      map[string]string
	}{
		"machine, its own":     {"", entra.SystemAssigned, "https://graph.microsoft.com", map[string]string{"resource": "https://graph.microsoft.com", "client_id": ""}},
		"machine, by id":       {"", id(40), "https://graph.microsoft.com", map[string]string{"resource": "https://graph.microsoft.com", "client_id": id(40)}},
		"app service, its own": {"http://127.0.0.1:41/msi/token", entra.SystemAssigned, "https://graph.microsoft.us", map[string]string{"resource": "https://graph.microsoft.us", "client_id": ""}},
		"app service, by id":   {"http://127.0.0.1:41/msi/token", id(41), "https://graph.microsoft.us", map[string]string{"resource": "https://graph.microsoft.us", "client_id": id(41)}},
	} {
		t.Run(name, func(t *testing.T) {
			noPlatform(t)
			if tc.endpoint != "" {
				t.Setenv("IDENTITY_ENDPOINT", tc.endpoint)
				t.Setenv("IDENTITY_HEADER", "proof")
			}
			s := &issuer{t: t}
			c := signsIn(t, s, entra.Config{ManagedIdentity: tc.identity, GraphURL: tc.graph})
			if err := c.Pull(t.Context(), &connectortest.Recorder{}); err != nil || s.auth != "Bearer issued" {
				t.Fatalf("Pull = %v with Authorization %q", err, s.auth)
			}
			for key, want := range tc.want {
				if got := s.asked.URL.Query().Get(key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if got := s.asked.Header; tc.endpoint == "" && got.Get("Metadata") != "true" || tc.endpoint != "" && got.Get("X-Identity-Header") != "proof" {
				t.Errorf("headers %v", got)
			}
		})
	}
}

// The platform's endpoint is on the machine: no proxy is asked for the way.
func TestManagedIdentityGoesPastTheProxy(t *testing.T) {
	noPlatform(t)
	asked := false
	endpoint := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		one(object{"token_type": "Bearer", "expires_in": 3600, "expires_on": time.Now().Add(time.Hour).Unix(), "access_token": "issued"})(w, r)
	}))
	t.Setenv("IDENTITY_ENDPOINT", endpoint)
	t.Setenv("IDENTITY_HEADER", "proof")
	proxied := ""
	proxy := &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		proxied += r.URL.Host + " "
		return nil, errors.New("the proxy is down")
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := signsIn(t, stopAt{proxy, cancel}.transport(), entra.Config{ManagedIdentity: id(42)})
	if err := c.Pull(ctx, &connectortest.Recorder{}); err == nil || !asked || proxied != "graph.microsoft.com " {
		t.Errorf("Pull = %v; the endpoint was asked: %t; the proxy was to be used for %s", err, asked, proxied)
	}
}

// stopAt ends a context when the proxy is looked for, so that nothing is tried again.
type stopAt struct {
	*http.Transport
	stop func()
}

func (s stopAt) transport() *http.Transport {
	proxy := s.Proxy
	s.Proxy = func(r *http.Request) (*url.URL, error) {
		defer s.stop()
		return proxy(r)
	}
	return s.Transport
}

// Where there is no platform, that is said, after a few tries.
func TestManagedIdentityIsMissed(t *testing.T) {
	noPlatform(t)
	for name, tc := range map[string]struct {
		token    http.HandlerFunc // nil: nobody answers
		identity string
		fault    connectors.Fault
		want     string
	}{
		"nobody answers":     {nil, entra.SystemAssigned, connectors.BadCredentials, "There is no managed identity endpoint here"},
		"none assigned":      {reply(400, `{"error":"invalid_request","error_description":"Identity not found"}`), entra.SystemAssigned, connectors.BadCredentials, "is not assigned to this machine"},
		"that one is not":    {reply(400, `{"error":"invalid_request","error_description":"Identity not found"}`), id(43), connectors.BadCredentials, "is not assigned to this machine"},
		"no such endpoint":   {reply(404, `<html>`), id(44), connectors.BadCredentials, "There is no managed identity endpoint here"},
		"endpoint is down":   {reply(503, ``), id(45), connectors.Unreachable, "The managed identity endpoint is not available (503)"},
		"endpoint throttles": {reply(429, ``), id(46), connectors.Throttled, "The managed identity endpoint throttles"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				rt := transportFunc(func(r *http.Request) (*http.Response, error) {
					if tc.token == nil {
						return nil, errors.New("no route to host")
					}
					return (&issuer{t: t, token: tc.token}).RoundTrip(r)
				})
				err := signsIn(t, rt, entra.Config{ManagedIdentity: tc.identity, GraphURL: "https://dod-graph.microsoft.us"}).Pull(t.Context(), &connectortest.Recorder{})
				if connectors.FaultOf(err) != tc.fault || !strings.Contains(err.Error(), tc.want) || time.Since(began) > 2*time.Minute {
					t.Errorf("Pull = %v after %s", err, time.Since(began))
				}
			})
		})
	}
}

// A refusal names the code and what to do about it in the way that is configured; never what was sent.
func TestSignInRefusedInEachWay(t *testing.T) {
	t.Parallel()
	text, _ := pair(t, time.Now().AddDate(1, 0, 0))
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("the-s3cret"), 0o600))
	secret, certificate, federation := entra.Config{ClientSecret: "the-s3cret"}, entra.Config{Certificate: text}, entra.Config{FederatedTokenFile: file}
	for name, tc := range map[string]struct {
		cfg  entra.Config
		code string
		want string
	}{
		"secret, wrong":         {secret, "AADSTS7000215", "client_secret is wrong: use the secret's value, not its id (Entra admin center > App registrations"},
		"secret, expired":       {secret, "AADSTS7000222", "client_secret has expired: make a new one under Entra admin center"},
		"certificate, unknown":  {certificate, "AADSTS700027", "upload it without its key under Entra admin center > App registrations > the application > Certificates & secrets > Certificates"},
		"certificate, clock":    {certificate, "AADSTS700024", "Check this machine's clock"},
		"certificate, anything": {certificate, "AADSTS99", "Check tenant_id, client_id and certificate"},
		"federation, none":      {federation, "AADSTS70021", "No federated credential of the application has the issuer, subject or audience"},
		"federation, issuer":    {federation, "AADSTS700211", "has the issuer of the platform's token"},
		"federation, audience":  {federation, "AADSTS700212", "has the audience of the platform's token"},
		"federation, subject":   {federation, "AADSTS700213", "has the subject of the platform's token"},
		"federation, stale":     {federation, "AADSTS700024", "The platform's token has expired"},
		"federation, anything":  {federation, "AADSTS99", "federated_token_file"},
		"no application":        {certificate, "AADSTS700016", "client_id is not an application of this tenant"},
		"no tenant":             {federation, "AADSTS90002", "tenant_id is not a tenant of this cloud"},
		"another cloud":         {secret, "AADSTS90038", "set cloud"},
		"switched off":          {secret, "AADSTS7000112", "Enterprise applications"},
		"not in this tenant":    {secret, "AADSTS7000229", "admin consent"},
		"refused by a policy":   {secret, "AADSTS53003", "Conditional Access"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(object{"error": "invalid_client", "error_description": tc.code + ": the-s3cret is not it."})
			must(t, err)
			s := &issuer{t: t, token: reply(http.StatusUnauthorized, string(raw))}
			err = signsIn(t, s, tc.cfg).Pull(t.Context(), &connectortest.Recorder{})
			if connectors.FaultOf(err) != connectors.BadCredentials || !strings.Contains(err.Error(), tc.code) || !strings.Contains(err.Error(), tc.want) ||
				strings.Contains(err.Error(), "s3cret") || s.auth != "" {
				t.Errorf("Pull = %v", err)
			}
		})
	}
}

// What proves who asks goes nowhere else: a redirect of the sign-in service is not followed.
func TestCredentialsFollowNoRedirect(t *testing.T) {
	t.Parallel()
	s := &issuer{t: t, token: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "login.microsoftonline.com" {
			t.Errorf("the credentials went to %s", r.URL.Host)
		}
		w.Header().Set("Location", "https://elsewhere.example/oauth2/v2.0/token")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}}
	if err := signsIn(t, s, entra.Config{ClientSecret: "the-s3cret"}).Pull(t.Context(), &connectortest.Recorder{}); connectors.FaultOf(err) != connectors.BadCredentials {
		t.Errorf("Pull = %v", err)
	}
}

// What the cloud operated by 21Vianet does not have is said, and not asked for.
func TestChinaLacksProvisioningLogAndOnDemand(t *testing.T) {
	t.Parallel()
	rt := transportFunc(func(r *http.Request) (*http.Response, error) {
		t.Errorf("asked for %s", r.URL)
		return nil, errors.New("no")
	})
	c := signsIn(t, rt, entra.Config{ClientSecret: "the-s3cret", GraphURL: "https://microsoftgraph.chinacloudapi.cn"})
	if _, err := c.Provision(t.Context(), "job", id(1)); connectors.FaultOf(err) != connectors.NotFound || !strings.Contains(err.Error(), "21Vianet") {
		t.Errorf("Provision = %v", err)
	}
	if _, err := c.Causes(t.Context(), "job", "", nil); connectors.FaultOf(err) != connectors.NotFound || !strings.Contains(err.Error(), "21Vianet") {
		t.Errorf("Causes = %v", err)
	}
}
