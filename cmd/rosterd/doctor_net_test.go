package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority for one test, and the file that makes a command trust it.
type authority struct {
	file                 string
	root, intermediate   *x509.Certificate
	rootKey, intermedKey *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, dir string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(dir, "roots.pem")}
	a.rootKey, a.intermedKey = newKey(t), newKey(t)
	a.root = signed(t, &x509.Certificate{IsCA: true, Subject: pkix.Name{CommonName: "Test Root"}}, nil, a.rootKey, a.rootKey)
	a.intermediate = signed(t, &x509.Certificate{IsCA: true, Subject: pkix.Name{CommonName: "Test Intermediate", Organization: []string{"Test"}}}, a.root, a.rootKey, a.intermedKey)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed makes a certificate; without a parent it signs itself.
func signed(t testing.TB, c, parent *x509.Certificate, by, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotBefore.IsZero() {
		c.NotBefore = time.Now().Add(-time.Hour)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	c.BasicConstraintsValid, c.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// leafOf says what a server's certificate is like.
type leafOf struct {
	ip, name       string
	from, until    time.Time
	self, lonesome bool // signed by itself; sent without its intermediate
}

func (a *authority) leaf(t testing.TB, of leafOf) tls.Certificate {
	t.Helper()
	key := newKey(t)
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, NotBefore: of.from, NotAfter: of.until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if of.ip != "" {
		c.IPAddresses = []net.IP{net.ParseIP(of.ip)}
	}
	if of.name != "" {
		c.DNSNames = []string{of.name}
	}
	if of.self {
		return tls.Certificate{Certificate: [][]byte{signed(t, c, nil, key, key).Raw}, PrivateKey: key}
	}
	chain := [][]byte{signed(t, c, a.intermediate, a.intermedKey, key).Raw}
	if !of.lonesome {
		chain = append(chain, a.intermediate.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key}
}

// serve starts a TLS server and returns its address.
func (a *authority) serve(t testing.TB, host string, cert tls.Certificate, h http.Handler, adjust ...func(*tls.Config)) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	for _, f := range adjust {
		f(config)
	}
	server := &httptest.Server{Listener: listener, TLS: config, Config: &http.Server{
		Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

const (
	aConfig = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]}`
	aList   = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,"itemsPerPage":0,"Resources":[]}`
)

// goodService is a SCIM service that knows nobody.
func goodService(see func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		see(r)
		w.Header().Set("Content-Type", "application/scim+json")
		if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
			_, _ = io.WriteString(w, aConfig)
			return
		}
		_, _ = io.WriteString(w, aList)
	})
}

// Each thing that goes wrong on the way has words of its own.
func TestE2EDoctorOfTheWay(t *testing.T) {
	path := binary(t)
	t.Parallel()
	certs := newAuthority(t, t.TempDir())
	const here = "127.0.0.1"
	fine := leafOf{ip: here}
	now := time.Now()
	closed := closedPort(t)
	tlsOf := func(of leafOf, adjust ...func(*tls.Config)) string {
		return "https://" + certs.serve(t, here, certs.leaf(t, of), goodService(func(*http.Request) {}), adjust...) + "/scim/v2"
	}
	behind := func(h http.HandlerFunc) string {
		return "https://" + certs.serve(t, here, certs.leaf(t, fine), h) + "/scim/v2"
	}
	plain := httptest.NewServer(goodService(func(*http.Request) {}))
	t.Cleanup(plain.Close)
	for name, tc := range map[string]struct {
		url, check string
		state      findingState
		words      []string
	}{
		"no URL":               {"id.example.com/scim/v2", "URL", stateFail, []string{"not an absolute URL", "https://id.example.com"}},
		"another scheme":       {"ftp://id.example.com/scim/v2", "URL", stateFail, []string{"not an absolute URL"}},
		"with a password":      {"https://u:hush@" + here + ":1/scim/v2", "URL", stateFail, []string{"user name or password"}},
		"no SCIM base":         {"https://" + here + ":1/", "URL", stateFail, []string{"ends in /scim/v2", "/service/v1/scim/v2"}},
		"too deep":             {"https://" + here + ":1/scim/v2/Users", "URL", stateFail, []string{"ends in /scim/v2"}},
		"something behind":     {"https://" + here + ":1/scim/v2?x=1", "URL", stateFail, []string{"behind the path"}},
		"white space":          {" https://" + here + ":1/scim/v2", "URL", stateFail, []string{"white space"}},
		"loopback":             {"https://localhost:1/scim/v2", "URL", stateFail, []string{"localhost is this machine alone"}},
		"plain http":           {"http://id.example.invalid/scim/v2", "URL", stateFail, []string{"plain http", "TLS proxy"}},
		"a private address":    {"https://10.255.255.1:1/scim/v2", "URL", stateWarn, []string{"within a network", "provisioning agent"}},
		"no such name":         {"https://id.example.invalid/scim/v2", "DNS", stateFail, []string{"id.example.invalid: "}},
		"nothing listens":      {"https://" + closed + "/scim/v2", "TCP", stateFail, []string{"nothing listens there"}},
		"an unknown authority": {tlsOf(leafOf{ip: here, lonesome: true}), "TLS", stateFail, []string{"no intermediate certificate", "fullchain.pem"}},
		"signed by itself":     {tlsOf(leafOf{ip: here, self: true}), "TLS", stateFail, []string{"signed by itself"}},
		"expired":              {tlsOf(leafOf{ip: here, until: now.Add(-time.Minute)}), "TLS", stateFail, []string{"expired at", "renew it"}},
		"not yet valid":        {tlsOf(leafOf{ip: here, from: now.Add(time.Hour)}), "TLS", stateFail, []string{"holds only from"}},
		"for another name":     {tlsOf(leafOf{name: "other.example.com"}), "TLS", stateFail, []string{"not for 127.0.0.1, but for other.example.com"}},
		"old TLS":              {tlsOf(fine, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }), "TLS", stateFail, []string{"no newer protocol than TLS 1.0", "need TLS 1.2"}},
		"TLS 1.2":              {tlsOf(fine, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "TLS", stateOK, []string{"TLS 1.2, certificate by Test until"}},
		"expires soon":         {tlsOf(leafOf{ip: here, until: now.Add(5 * 24 * time.Hour)}), "TLS", stateWarn, []string{"renew the certificate"}},
		"no TLS there":         {strings.Replace(plain.URL, "http:", "https:", 1) + "/scim/v2", "TLS", stateFail, []string{"does not speak TLS"}},
		"a redirect": {behind(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://new.example/scim/v2?secret=1", http.StatusMovedPermanently)
		}), "service", stateFail, []string{"redirects (301) to https://new.example/scim/v2:", "the URL that answers itself"}},
		"a web page":        {behind(page200), "service", stateFail, []string{"a web page (200) by nginx"}},
		"a login":           {behind(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusUnauthorized) }), "service", stateFail, []string{"a login of its own"}},
		"a proxy alone":     {behind(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusBadGateway) }), "service", stateFail, []string{"does not reach rosterd"}},
		"something else":    {behind(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }), "service", stateFail, []string{"not a SCIM service"}},
		"a wrong clock":     {behind(dated(10 * time.Minute)), "clock", stateFail, []string{"differs from this machine's by ", "NTP"}},
		"a clock a bit off": {behind(dated(-2 * time.Minute)), "clock", stateWarn, []string{"differs from this machine's by "}},
		"the query lost": {behind(answering(func(*http.Request) (int, string) {
			return 200, strings.Replace(aList, `"totalResults":0`, `"totalResults":7`, 1)
		})), "Entra: GET /Users?filter=userName eq", stateFail, []string{"finds 7 users", "pass the query on"}},
		"the token dropped": {behind(answering(func(*http.Request) (int, string) { return 401, `{"detail":"a bearer token is needed"}` })), "Entra: the same with a slash", stateFail, []string{"401: a bearer token is needed", "Authorization header"}},
		"//Users redirected": {behind(answering(func(r *http.Request) (int, string) {
			return map[bool]int{true: 301, false: 200}[strings.Contains(r.URL.Path, "//")], aList
		})), "Entra: the same with //Users", stateFail, []string{"301", "merge_slashes"}},
		"no totalResults": {behind(answering(func(*http.Request) (int, string) { return 200, strings.Replace(aList, "totalResults", "total", 1) })), "Entra: GET /Users?filter=userName eq", stateFail, []string{"without totalResults"}},
		"no startIndex":   {behind(answering(func(*http.Request) (int, string) { return 200, strings.Replace(aList, "startIndex", "start", 1) })), "Okta: GET /Users?startIndex=1&count=2", stateFail, []string{"without startIndex"}},
		"a text for a number": {behind(answering(func(*http.Request) (int, string) {
			return 200, strings.Replace(aList, `"itemsPerPage":0`, `"itemsPerPage":"0"`, 1)
		})), "Okta: GET /Groups?count=100", stateFail, []string{"not a ListResponse"}},
		"too slow for Okta": {behind(answering(slowGroups)), "Okta: GET /Groups?count=100", stateFail, []string{"Okta's test allows 600 ms"}},
		"too many requests": {behind(answering(func(*http.Request) (int, string) { return 429, `{"detail":"slowly"}` })), "Okta: GET /Groups?count=100", stateFail, []string{"429: slowly", "raise the token's rate"}},
		"another type":      {behind(func(w http.ResponseWriter, r *http.Request) { typed(w, r, "text/plain") }), "Entra: GET /Users?filter=userName eq", stateFail, []string{"of type text/plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := doctor{t: t, binary: path, dir: t.TempDir(), env: []string{"SSL_CERT_FILE=" + certs.file, "ROSTERD_SCIM_TOKEN=rst_" + strings.Repeat("a", 84)}}
			got, found := d.run("--org", "default", "--url", tc.url, "--json")
			found.want(t, tc.check, tc.state, tc.words...)
			if got.code != exitFailed || found.OK {
				t.Errorf("exit code %d: %s%s", got.code, got.out, got.errOut)
			}
			if all := got.out + got.errOut; strings.Contains(all, strings.Repeat("a", 20)) || strings.Contains(all, "hush") {
				t.Errorf("it shows a secret: %s", all)
			}
		})
	}
}

// closedPort is an address on which nothing listens.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func page200(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Server", "nginx")
	_, _ = io.WriteString(w, "<html>welcome</html>")
}

// typed is a service whose lists have another media type.
func typed(w http.ResponseWriter, r *http.Request, kind string) {
	if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
		_, _ = io.WriteString(w, aConfig)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, aList)
}

// dated is a service whose clock is off.
func dated(by time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		typed(w, r, "application/scim+json")
	}
}

// answering is a service that answers lists so.
func answering(list func(*http.Request) (int, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
			_, _ = io.WriteString(w, aConfig)
			return
		}
		status, body := list(r)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// slowGroups takes longer than Okta waits.
func slowGroups(r *http.Request) (int, string) {
	if strings.HasSuffix(r.URL.Path, "/Groups") {
		<-time.After(700 * time.Millisecond)
	}
	return http.StatusOK, aList
}
