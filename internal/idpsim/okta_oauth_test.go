package idpsim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

const clientID = "0oaServiceApp0000001"

func segment(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// assertion signs claims with a key, as the algorithm in the header says.
func assertion(t *testing.T, header, claims map[string]any, key any) string {
	t.Helper()
	signed := segment(header) + "." + segment(claims)
	sum := sha256.Sum256([]byte(signed))
	var signature []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, key, sum[:])
		signature, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), e
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		signature = mac.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// token asks for an access token.
func (o *okta) token(form url.Values) oktaAnswer {
	o.t.Helper()
	res, err := http.PostForm(o.url+"/oauth2/v1/token", form)
	if err != nil {
		o.t.Fatal(err)
	}
	return readOkta(o.t, res)
}

func TestATokenIsForWhoSignedForItAlone(t *testing.T) {
	ours, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	another, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := newOkta(t, idpsim.OktaConfig{Seed: 1, Members: 3, Groups: 1})
	o.SetService(idpsim.OktaService{
		ClientID: clientID, Keys: map[string]crypto.PublicKey{"k1": &ours.PublicKey, "k2": &curve.PublicKey},
		Scopes: []idpsim.OktaPermission{idpsim.OktaUsersRead, idpsim.OktaAppsRead},
	})
	now := time.Now()
	type values = map[string]any
	for name, tc := range map[string]struct {
		header, claims values // over what is right
		form           url.Values
		key            any
		status         int
		want           string
	}{
		"as it should be":            {status: 200, want: "okta.users.read okta.apps.read"},
		"an elliptic key":            {header: values{"alg": "ES256", "kid": "k2"}, key: curve, status: 200},
		"no key id":                  {header: values{"kid": nil}, status: 200},
		"the org as audience":        {claims: values{"aud": []string{"https://else", o.url}}, status: 200},
		"one scope of two":           {form: url.Values{"scope": {"okta.groups.read okta.apps.read"}}, status: 200, want: "okta.apps.read"},
		"another's key":              {key: another, status: 401, want: "signature is invalid"},
		"another key's id":           {header: values{"kid": "k2"}, status: 401, want: "signature is invalid"},
		"a key that isn't there":     {header: values{"kid": "k9"}, status: 401, want: "signature is invalid"},
		"no signature":               {header: values{"alg": "none"}, key: 0, status: 401, want: "signature is invalid"},
		"the public key as a secret": {header: values{"alg": "HS256"}, key: ours.N.Bytes(), status: 401, want: "signature is invalid"},
		"another algorithm's name":   {header: values{"alg": "ES256"}, status: 401, want: "signature is invalid"},
		"another org":                {claims: values{"aud": "https://else.okta.com/oauth2/v1/token"}, status: 401, want: "audience claim"},
		"no audience":                {claims: values{"aud": nil}, status: 401, want: "audience claim"},
		"expired":                    {claims: values{"exp": now.Add(-time.Second).Unix()}, status: 401, want: "has expired"},
		"for ever":                   {claims: values{"exp": nil}, status: 401, want: "has expired"},
		"for too long":               {claims: values{"exp": now.Add(2 * time.Hour).Unix()}, status: 401, want: "too far into the future"},
		"for an eternity":            {claims: values{"exp": 1e300}, status: 401, want: "too far into the future"},
		"issued tomorrow":            {claims: values{"iat": now.Add(24 * time.Hour).Unix()}, status: 401, want: "issued in the future"},
		"another issuer":             {claims: values{"iss": "0oaElse"}, status: 401, want: "must both be the client_id"},
		"another subject":            {claims: values{"sub": "0oaElse"}, status: 401, want: "must both be the client_id"},
		"an unknown client":          {claims: values{"iss": "0oaElse", "sub": "0oaElse"}, status: 401, want: "client_id"},
		"no assertion":               {form: url.Values{"client_assertion": {""}}, status: 401, want: "malformed"},
		"two parts":                  {form: url.Values{"client_assertion": {"a.b"}}, status: 401, want: "malformed"},
		"no JSON":                    {form: url.Values{"client_assertion": {"YQ.YQ.YQ"}}, status: 401, want: "malformed"},
		"another type":               {form: url.Values{"client_assertion_type": {"x"}}, status: 401, want: "authentication failed"},
		"another grant":              {form: url.Values{"grant_type": {"password"}}, status: 400, want: "unsupported_grant_type"},
		"no scope":                   {form: url.Values{"scope": {""}}, status: 400, want: "invalid_scope"},
		"a scope that is none":       {form: url.Values{"scope": {"okta.apps.read openid"}}, status: 400, want: "invalid_scope"},
		"a scope that isn't granted": {form: url.Values{"scope": {"okta.groups.read"}}, status: 400, want: "consent_required"},
	} {
		t.Run(name, func(t *testing.T) {
			header := values{"alg": "RS256", "kid": "k1"}
			claims := values{"iss": clientID, "sub": clientID, "aud": o.url + "/oauth2/v1/token", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
			for to, from := range map[*values]values{&header: tc.header, &claims: tc.claims} {
				for k, v := range from {
					if (*to)[k] = v; v == nil {
						delete(*to, k)
					}
				}
			}
			key := tc.key
			if key == nil {
				key = ours
			}
			form := url.Values{
				"grant_type": {"client_credentials"}, "scope": {"okta.users.read okta.apps.read"},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion(t, header, claims, key)},
			}
			for k, v := range tc.form {
				form[k] = v
			}
			if a := o.token(form); a.Status != tc.status || !strings.Contains(string(a.Raw), tc.want) {
				t.Errorf("%d %s, want %d %s", a.Status, a.Raw, tc.status, tc.want)
			}
		})
	}
}

func TestAnAccessTokenIsGoodForItsScopesAndItsTime(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := newOkta(t, idpsim.OktaConfig{Seed: 1, Members: 3, Groups: 1})
	service := idpsim.OktaService{
		ClientID: clientID, Keys: map[string]crypto.PublicKey{"k1": &key.PublicKey}, Scopes: []idpsim.OktaPermission{idpsim.OktaUsersRead},
		Lifetime: 10 * time.Minute,
	}
	o.SetService(service)
	claims := map[string]any{"iss": clientID, "sub": clientID, "aud": o.url + "/oauth2/v1/token", "exp": time.Now().Add(30 * time.Minute).Unix(), "jti": "once"}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"okta.users.read"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion(t, map[string]any{"alg": "RS256"}, claims, key)},
	}
	first := o.token(form)
	token, _ := first.object()["access_token"].(string)
	if token == "" || first.object()["expires_in"] != 600.0 || first.object()["token_type"] != "Bearer" {
		t.Fatalf("%d %s", first.Status, first.Raw)
	}
	if again := o.token(form); again.Status != 401 || !strings.Contains(string(again.Raw), "already been used") {
		t.Errorf("an assertion used twice: %d %s", again.Status, again.Raw)
	}
	ask := func(path string) oktaAnswer {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, o.url+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return readOkta(t, res)
	}
	if a := ask("/users"); a.Status != 200 {
		t.Errorf("users: %d %s", a.Status, a.Raw)
	}
	a := ask("/groups")
	if challenge := a.Header.Get("WWW-Authenticate"); a.Status != 403 || !strings.Contains(challenge, `scope="okta.groups.read"`) || !strings.Contains(challenge, "insufficient_scope") {
		t.Errorf("groups: %d %s", a.Status, challenge)
	}
	o.Deny(idpsim.OktaUsersRead)
	if a := ask("/users"); a.Status != 403 || a.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("without the admin role: %d %s", a.Status, a.Header.Get("WWW-Authenticate"))
	}
	o.Grant(idpsim.OktaUsersRead)
	o.SetSkew(11 * time.Minute)
	if a := ask("/users"); a.Status != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("after its time: %d %s", a.Status, a.Raw)
	}
	o.SetSkew(0)
	o.RevokeAccess()
	if a := ask("/users"); a.Status != 401 {
		t.Errorf("revoked: %d %s", a.Status, a.Raw)
	}
	service.RequireDPoP = true
	o.SetService(service)
	claims["jti"] = "twice"
	form.Set("client_assertion", assertion(t, map[string]any{"alg": "RS256"}, claims, key))
	if a := o.token(form); a.Status != 400 || a.object()["error"] != "invalid_dpop_proof" {
		t.Errorf("where DPoP is required: %d %s", a.Status, a.Raw)
	}
}

func readOkta(t *testing.T, res *http.Response) oktaAnswer {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return oktaAnswer{res.StatusCode, res.Header, raw}
}
