package okta_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/okta"
)

// tokenServer answers requests for tokens with steps, the last one for ever, and everything else with an empty list, by which
// token it was asked.
type tokenServer struct {
	steps  []http.HandlerFunc
	asked  []time.Time
	tokens []string
}

func (s *tokenServer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.URL.Path != "/oauth2/v1/token" {
		s.tokens = append(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		list()(w, r)
		return w.Result(), nil
	}
	s.asked = append(s.asked, time.Now())
	step := s.steps[min(len(s.asked), len(s.steps))-1]
	if step == nil {
		return nil, errors.New("connection reset by peer")
	}
	step(w, r)
	return w.Result(), nil
}

func grant(token string, seconds any) http.HandlerFunc {
	return ok(object{"token_type": "Bearer", "access_token": token, "expires_in": seconds, "scope": "okta.users.read okta.groups.read okta.apps.read"})
}

func openAsService(t *testing.T, rt http.RoundTripper) *okta.Connector {
	t.Helper()
	c, err := okta.Open(okta.Config{OrgURL: orgURL, AppID: appID, ClientID: clientID, PrivateKey: pkcs8(t, newKey())}, &http.Client{Transport: rt}, nil)
	must(t, err)
	return c
}

func TestAnAccessTokenIsRenewedBeforeItEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lifetime any
		waits    []time.Duration // between requests
		want     string          // the tokens of the requests
	}{
		"an hour":           {3600, []time.Duration{58 * time.Minute, 2 * time.Minute}, "t1 t1 t2"},
		"half a minute":     {30, []time.Duration{14 * time.Second, 2 * time.Second}, "t1 t1 t2"},
		"one second":        {1, []time.Duration{time.Second, time.Second}, "t1 t2 t3"},
		"not told":          {nil, []time.Duration{58 * time.Minute, 2 * time.Minute}, "t1 t1 t2"},
		"nothing, it says":  {0, []time.Duration{time.Second, 2 * time.Hour}, "t1 t1 t2"},
		"a hundred years":   {3153600000, []time.Duration{time.Second, 2 * time.Hour}, "t1 t1 t2"},
		"less than nothing": {-1, []time.Duration{time.Second, 2 * time.Hour}, "t1 t1 t2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &tokenServer{steps: []http.HandlerFunc{grant("t1", tc.lifetime), grant("t2", tc.lifetime), grant("t3", tc.lifetime)}}
			c := openAsService(t, s)
			synctest.Test(t, func(t *testing.T) {
				for i := 0; ; i++ {
					if _, err := c.GroupMembers(t.Context(), id("00g", 1)); err != nil {
						t.Fatal(err)
					}
					if i == len(tc.waits) {
						break
					}
					time.Sleep(tc.waits[i]) // the bubble's own time
				}
			})
			if got := strings.Join(s.tokens, " "); got != tc.want {
				t.Errorf("asked with %s, want %s", got, tc.want)
			}
		})
	}
}

func TestATokenIsAskedForAgainWhereThatCanHelp(t *testing.T) {
	t.Parallel()
	fine := grant("t1", 3600)
	oauth := func(status int, code string) http.HandlerFunc {
		return one(status, object{"error": code, "error_description": "why"})
	}
	for name, tc := range map[string]struct {
		steps []http.HandlerFunc
		tries int
		fault connectors.Fault
	}{
		"fine":                      {[]http.HandlerFunc{fine}, 1, ""},
		"limited once":              {[]http.HandlerFunc{limited(429, 20), fine}, 2, ""},
		"limited for an hour":       {[]http.HandlerFunc{limited(429, 3600)}, 1, connectors.Throttled},
		"limited for ever":          {[]http.HandlerFunc{limited(429, 1)}, 4, connectors.Throttled},
		"unavailable":               {[]http.HandlerFunc{reply(503, "<html>"), fine}, 2, ""},
		"broken for ever":           {[]http.HandlerFunc{reply(500, "")}, 4, connectors.Unreachable},
		"the connection broke":      {[]http.HandlerFunc{nil, fine}, 2, ""},
		"out of reach":              {[]http.HandlerFunc{nil}, 4, connectors.Unreachable},
		"refused":                   {[]http.HandlerFunc{oauth(401, "invalid_client")}, 1, connectors.BadCredentials},
		"no scope at all":           {[]http.HandlerFunc{oauth(400, "consent_required")}, 4, connectors.MissingPermission}, // then one by one
		"no such page":              {[]http.HandlerFunc{reply(404, "<html>")}, 1, connectors.Broken},
		"a redirect":                {[]http.HandlerFunc{reply(302, "")}, 1, connectors.Broken},
		"no token in it":            {[]http.HandlerFunc{ok(object{"token_type": "Bearer"})}, 1, connectors.Broken},
		"no JSON":                   {[]http.HandlerFunc{reply(200, "<html>")}, 1, connectors.Broken},
		"a token with a line break": {[]http.HandlerFunc{grant("a\nb", 3600)}, 1, connectors.Broken},
		"a token of another type":   {[]http.HandlerFunc{ok(object{"token_type": "DPoP", "access_token": "t"})}, 1, connectors.BadCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, budget := &tokenServer{steps: tc.steps}, connectors.NewBudget(100)
			c := openAsService(t, s)
			synctest.Test(t, func(t *testing.T) {
				_, err := c.GroupMembers(connectors.WithBudget(t.Context(), budget), id("00g", 1))
				if connectors.FaultOf(err) != tc.fault || tc.fault == "" && err != nil {
					t.Errorf("GroupMembers = %v, want %q", err, tc.fault)
				}
			})
			if len(s.asked) != tc.tries || budget.Spent() != tc.tries+len(s.tokens) {
				t.Errorf("asked %d times, want %d; %d calls were counted, and %d made", len(s.asked), tc.tries, budget.Spent(), tc.tries+len(s.tokens))
			}
		})
	}
}

// What comes back never shows the token or the assertion, not even where the other side repeats them.
func TestNoErrorShowsAToken(t *testing.T) {
	t.Parallel()
	echo := transportFunc(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if r.URL.Path == "/oauth2/v1/token" {
			must(t, r.ParseForm())
			if strings.Contains(r.PostForm.Get("scope"), "echo") {
				one(400, object{"error": "invalid_request", "error_description": "bad: " + r.PostForm.Get("client_assertion")})(w, r)
			} else {
				grant("hush-hush", 3600)(w, r)
			}
			return w.Result(), nil
		}
		if strings.HasSuffix(r.URL.Path, "/users") {
			return nil, fmt.Errorf("could not send %s", r.Header.Get("Authorization"))
		}
		refuse(403, "E0000006", "no: "+r.Header.Get("Authorization"))(w, r)
		return w.Result(), nil
	})
	c := openAsService(t, echo)
	_, err := c.FindGroups(connectors.WithBudget(t.Context(), connectors.NewBudget(5)), "x")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("FindGroups = %v", err)
	}
	unreached := openAsService(t, echo)
	synctest.Test(t, func(t *testing.T) {
		_, err := unreached.GroupMembers(t.Context(), id("00g", 1))
		if connectors.FaultOf(err) != connectors.Unreachable || strings.Contains(err.Error(), "hush") {
			t.Errorf("GroupMembers = %v", err)
		}
	})
	scoped, err := okta.Open(okta.Config{OrgURL: orgURL, AppID: appID, ClientID: clientID, PrivateKey: pkcs8(t, newKey()), Scopes: []string{"okta.echo"}},
		&http.Client{Transport: echo}, nil)
	must(t, err)
	if _, err = scoped.FindGroups(t.Context(), "x"); err == nil || strings.Contains(err.Error(), "eyJ") || !strings.Contains(err.Error(), "invalid_request") {
		t.Errorf("FindGroups = %v", err)
	}
}
