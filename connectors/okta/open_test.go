package okta

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

// withKey makes the configuration that of a service application with a key.
func withKey(key string, edits ...func(*Config)) func(*Config) {
	return func(c *Config) {
		c.APIToken, c.ClientID, c.PrivateKey = "", "0oa1gjh63g214q0Hq0g5", key
		for _, edit := range edits {
			edit(c)
		}
	}
}

func pemKey(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := Config{OrgURL: "https://initech.okta.com", AppID: "0oa1gjh63g214q0Hq0g4", APIToken: "00s3cret"}
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string // part of the error; empty: none
	}{
		"as it should be":         {func(*Config) {}, ""},
		"slash at the end":        {func(c *Config) { c.OrgURL += "/" }, ""},
		"own domain":              {func(c *Config) { c.OrgURL = "https://login.initech.example" }, ""},
		"loopback":                {func(c *Config) { c.OrgURL = "http://127.0.0.1:4101" }, ""},
		"localhost":               {func(c *Config) { c.OrgURL = "http://LOCALHOST:4101" }, ""},
		"IPv6 loopback":           {func(c *Config) { c.OrgURL = "http://[::1]:4101" }, ""},
		"every choice":            {func(c *Config) { c.Teams, c.Suspended, c.MaxCalls = TeamsLinked, SuspendedKeep, 7 }, ""},
		"plain http":              {func(c *Config) { c.OrgURL = "http://initech.okta.com" }, "loopback"},
		"loopback by prefix only": {func(c *Config) { c.OrgURL = "http://127.0.0.1.example" }, "loopback"},
		"path":                    {func(c *Config) { c.OrgURL += "/api/v1" }, "no path"},
		"admin console":           {func(c *Config) { c.OrgURL = "https://initech-admin.okta.com" }, "-admin"},
		"user in the URL":         {func(c *Config) { c.OrgURL = "https://u:00s3cret@initech.okta.com" }, "no user"},
		"no scheme":               {func(c *Config) { c.OrgURL = "initech.okta.com" }, "want a URL"},
		"no URL":                  {func(c *Config) { c.OrgURL = "" }, "want a URL"},
		"the SDK's own doubt":     {func(c *Config) { c.OrgURL = "https://initech.okta.com.com" }, "typo"},
		"no application":          {func(c *Config) { c.AppID = "" }, "app_id"},
		"application with a path": {func(c *Config) { c.AppID = "0oa/../users" }, "app_id"},
		"no token":                {func(c *Config) { c.APIToken = "" }, "api_token is missing"},
		"token and key":           {func(c *Config) { c.ClientID, c.PrivateKey = "0oa1", "00s3cret" }, "two ways to sign in: keep one"},
		"token and client":        {func(c *Config) { c.ClientID = "0oa1" }, "two ways to sign in: keep one"},
		"client without key":      {func(c *Config) { c.APIToken, c.ClientID = "", "0oa1" }, "private_key is missing"},
		"key without client":      {func(c *Config) { c.APIToken, c.PrivateKey = "", "00s3cret" }, "client_id is missing"},
		"no client id":            {withKey("00s3cret", func(c *Config) { c.ClientID = "My app" }), "client_id"},
		"key id":                  {withKey("00s3cret", func(c *Config) { c.KeyID = "k 1" }), "key_id"},
		"scope":                   {withKey("00s3cret", func(c *Config) { c.Scopes = []string{"openid"} }), `"openid" is no scope`},
		"two scopes in one":       {withKey("00s3cret", func(c *Config) { c.Scopes = []string{"okta.a okta.b"} }), "is no scope"},
		"no PEM":                  {withKey("00s3cret"), "no key in PEM"},
		"a JWK":                   {withKey(`{"kty":"RSA","d":"00s3cret"}`), "choose PEM"},
		"damaged":                 {withKey("-----BEGIN PRIVATE KEY-----\nMDBzM2NyZXQ=\n-----END PRIVATE KEY-----"), "damaged"},
		"a public key":            {withKey("-----BEGIN PUBLIC KEY-----\nMDBzM2NyZXQ=\n-----END PUBLIC KEY-----"), "the private one"},
		"a passphrase":            {withKey("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMDBzM2NyZXQ=\n-----END ENCRYPTED PRIVATE KEY-----"), "passphrase"},
		"a short key":             {withKey(pemKey(t, short)), "1024 bits"},
		"another curve":           {withKey(pemKey(t, p384)), "P-384"},
		"another kind":            {withKey(pemKey(t, ed)), "take RSA or P-256"},
		"token with a line break": {func(c *Config) { c.APIToken += "\n" }, "api_token"},
		"teams":                   {func(c *Config) { c.Teams = "all" }, "teams"},
		"suspended":               {func(c *Config) { c.Suspended = "on" }, "suspended"},
		"negative budget":         {func(c *Config) { c.MaxCalls = -1 }, "limit of calls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.edit(&cfg)
			_, err := Open(cfg, nil, nil)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Open = %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "00s3cret") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

// TestNothingFromTheEnvironment sets every variable that the SDK reads, and looks whether one got through.
func TestNothingFromTheEnvironment(t *testing.T) {
	cfg := Config{OrgURL: "https://initech.okta.com", AppID: "0oa1gjh63g214q0Hq0g4", APIToken: "00s3cret"}
	clean, err := Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	poison := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int32: "77", reflect.Int64: "77", reflect.String: "poison", reflect.Slice: "poison"}
	set := 0
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if name := f.Tag.Get("envconfig"); name != "" {
				t.Setenv(name, poison[f.Type.Kind()])
				set++
			} else if f.Type.Kind() == reflect.Struct {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeOf(*clean.client.GetConfig()))
	t.Setenv("OKTA_USERAGENTEXTRA", "poison")
	if set < 20 || os.Getenv("OKTA_CLIENT_TOKEN") != "poison" {
		t.Fatalf("%d variables were set", set)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	asService := cfg
	withKey(pemKey(t, key))(&asService)
	signed, err := Open(asService, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := signed.client.GetConfig().Okta.Client; got.AuthorizationMode != "Bearer" || got.Token == "poison" || got.PrivateKey != "" || got.ClientId != "" || got.Scopes != nil {
		t.Errorf("as a service the SDK is configured as\n%+v", got)
	}
	poisoned, err := Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := poisoned.client.GetConfig(), clean.client.GetConfig()
	if !reflect.DeepEqual(got.Okta, want.Okta) || got.UserAgentExtra != want.UserAgentExtra {
		t.Errorf("the SDK is configured as\n%+v, want\n%+v", got, want)
	}
	if got.HttpClient.Timeout != 0 || reflect.TypeOf(got.HttpClient.Transport) != reflect.TypeOf(http.RoundTripper(&gate{})) {
		t.Errorf("the SDK's client is %+v", got.HttpClient)
	}
	if want.Okta.Client.Cache.Enabled || want.Okta.Testing.DisableHttpsCheck || want.Okta.Client.Token != cfg.APIToken {
		t.Errorf("the SDK is configured as\n%+v", want)
	}
}
