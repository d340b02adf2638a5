package scimserver_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver"
)

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	each(t, func(s *service) {
		good := scimserver.Config{Roster: s.roster, Store: s.db, Log: slog.New(slog.DiscardHandler)}
		if _, err := scimserver.New(good); err != nil {
			s.Error(err)
		}
		for name, change := range map[string]func(*scimserver.Config){
			"no store": func(c *scimserver.Config) { c.Store = nil }, "a negative limit": func(c *scimserver.Config) { c.MaxBody = -1 },
			"a URL without a scheme": func(c *scimserver.Config) { c.PublicURL = "id.example.com" },
		} {
			bad := good
			change(&bad)
			if _, err := scimserver.New(bad); err == nil {
				s.Errorf("%s is accepted", name)
			}
		}
	})
}

func TestLocationsAreUnderThePublicURL(t *testing.T) {
	eachWith(t, scimserver.Config{PublicURL: "https://id.example.com/"}, func(s *service) {
		r := s.must(http.StatusCreated, "POST", "/Users", entraUser)
		if want := "https://id.example.com/service/v1/scim/v2/Users/" + r.id(); r.header.Get("Location") != want {
			s.Errorf("Location %q, want %q", r.header.Get("Location"), want)
		}
	})
}

func TestAWriteIsFinishedThoughItsClientHasGone(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: time.Hour}, func(s *service) {
		s.must(http.StatusOK, "GET", "/Users", "") // the token is known from here on
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(gone, http.MethodPost, "/scim/v2/Users", strings.NewReader(entraUser))
		r.Header.Set("Authorization", "Bearer "+s.token)
		s.scim.ServeHTTP(w, r)
		if w.Code != http.StatusCreated || len(s.log(s.org)) != 1 {
			s.Errorf("%d %s", w.Code, w.Body)
		}
		if got := s.must(http.StatusOK, "GET", "/Users", "").resources(); len(got) != 1 {
			s.Errorf("stored: %v", got)
		}
		// One that was broken off before it was done is never a success.
		w = httptest.NewRecorder()
		r = httptest.NewRequestWithContext(gone, http.MethodGet, "/scim/v2/Users", nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		s.scim.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			s.Errorf("a read without a client: %d %s", w.Code, w.Body)
		}
	})
}

func TestAPanicIsASCIMErrorWithTheRequestsID(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: -1, Now: func() time.Time { panic("boom") }}, func(s *service) {
		r := s.do("GET", "/Users", "")
		if r.status != http.StatusInternalServerError || r.text("status") != "500" || strings.Contains(string(r.raw), "boom") ||
			!strings.Contains(r.text("detail"), r.header.Get("X-Request-Id")) || strings.Count(s.logs.String(), "boom") == 0 {
			s.Errorf("%d %s", r.status, r.raw)
		}
	})
}

func TestADatabaseThatFailsIsA500ToldOnce(t *testing.T) {
	eachWith(t, scimserver.Config{TokenCache: time.Hour}, func(s *service) {
		s.must(http.StatusOK, "GET", "/Users", "")
		if err := s.db.Close(); err != nil {
			s.Fatal(err)
		}
		for _, r := range []reply{s.do("POST", "/Users", entraUser), s.do("GET", "/Groups", "")} {
			if r.status != http.StatusInternalServerError || !strings.Contains(r.text("detail"), r.header.Get("X-Request-Id")) ||
				strings.Contains(string(r.raw), "sql") {
				s.Errorf("%d %s", r.status, r.raw)
			}
			if n := strings.Count(s.logs.String(), `msg="SCIM request failed" request_id=`+r.header.Get("X-Request-Id")); n != 1 {
				s.Errorf("logged %d times: %s", n, s.logs)
			}
		}
	})
}

func TestWhatAPatchLeavesOutKeepsALinksState(t *testing.T) {
	each(t, func(s *service) {
		owner, second := s.newConnection(s.org, "entra"), s.newConnection(s.org, "okta")
		a, _ := s.newToken(s.org, "a", owner)
		b, _ := s.newToken(s.org, "b", second)
		id := s.send(request{method: "POST", path: "/Users", body: entraUser, token: a}).id()
		s.commit(s.org, roster.LinkSet{Link: roster.Link{
			Connection: second, Type: roster.TypeMember, ObjectID: "00u1", TargetID: id, State: roster.LinkOn, Rule: "asked for",
		}})
		as := func(token, operations string) reply {
			return s.send(request{method: "PATCH", path: "/Users/" + id, body: patch(operations), token: token})
		}
		// okta switches its link off, then speaks of something else: the person must not count as in its scope again.
		for _, operations := range []string{`{"op":"replace","value":{"active":false}}`, `{"op":"replace","path":"title","value":"x"}`} {
			if r := as(b, operations); r.status != http.StatusOK || r.body["active"] != true || r.body["title"] != nil {
				s.Errorf("%s by a connection that is only linked: %d %s, want what is stored", operations, r.status, r.raw)
			}
		}
		if r := as(a, `{"op":"replace","value":{"active":false}}`); r.status != http.StatusOK || r.body["active"] != false {
			s.Errorf("the owner's deactivation: %d %s, want it done, as okta lost them before", r.status, r.raw)
		}
	})
}
