package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// What the README does with curl works, and can be read back.
func TestE2EReadme(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		p := m.pushing(m.token("default", "curl"))
		ada := p.must(m.t, http.StatusCreated, "POST", "/Users", user("ada@example.com", "Ada Lovelace")).text("id")
		p.must(m.t, http.StatusCreated, "POST", "/Groups", group("Engineering", ada))
		m.ada("pending", "Engineering")
		p.must(m.t, http.StatusOK, "PATCH", "/Users/"+ada, patch(replace("active", false)))
		m.ada("deactivated")
		p.must(m.t, http.StatusOK, "PATCH", "/Users/"+ada, patch(replace("active", true)))
		m.ada("pending", "Engineering")

		var types []string
		for _, e := range m.events("default") {
			if e.Subject.Type == "member" || e.Subject.Type == "team" || e.Subject.Type == "membership" {
				types = append(types, e.Type)
			}
			if e.Subject.Type == "member" && (e.Actor.Type != "token" || e.Actor.Name != "curl" || e.Subject.ID == nil || *e.Subject.ID != ada) {
				m.t.Errorf("event %s: actor %+v, subject %+v", e.Type, e.Actor, e.Subject)
			}
		}
		if want := []string{"member.created", "team.created", "membership.added", "member.deactivated", "member.reactivated"}; !slices.Equal(types, want) {
			m.t.Errorf("events %q, want %q", types, want)
		}
		m.logged()
	})
}

// ada holds that there is one member, of that status and in those teams, whichever side is asked.
func (m *machine) ada(status string, teams ...string) {
	m.t.Helper()
	members := m.members("default")
	if len(members) != 1 || members[0].UserName != "ada@example.com" || members[0].Status != status || !slices.Equal(members[0].Teams, teams) {
		m.t.Errorf("members %+v, want one, %s, in %q", members, status, teams)
	}
	var inside []string
	if len(teams) > 0 {
		inside = []string{"ada@example.com"}
	}
	for _, team := range m.teams("default") {
		if team.DisplayName != "Engineering" || !team.Managed || team.Connection != nil || !slices.Equal(team.Members, inside) {
			m.t.Errorf("team %+v, want members %q", team, inside)
		}
	}
}

// logged holds that the request log has every request with its bodies.
func (m *machine) logged() {
	m.t.Helper()
	requests := asked[[]client.Request](m, exitDone, "requests list --org default")
	slices.SortFunc(requests, func(a, b client.Request) int { return a.Time.Compare(b.Time) })
	var got []string
	for _, r := range requests {
		got = append(got, r.Method)
		if r.Status >= 300 || r.Token != "curl" || !strings.HasPrefix(r.Client, "127.0.0.1") || !strings.HasPrefix(r.UserAgent, "Go-http-client") ||
			!strings.Contains(r.RequestBody, "schemas") || !strings.Contains(r.ResponseBody, `"id"`) {
			m.t.Errorf("logged %+v", r)
		}
	}
	if want := []string{"POST", "POST", "PATCH", "PATCH"}; !slices.Equal(got, want) {
		m.t.Errorf("logged %q, want %q", got, want)
	}
}

// A token and the organisation's switch decide at once what is taken, and the log keeps what was refused.
func TestE2ETokens(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		m.stop()
		expired := m.expiredToken()
		m.serve()
		m.pushing(expired).must(m.t, http.StatusUnauthorized, "GET", "/Users", nil)
		m.pushing("rst_nonsense").must(m.t, http.StatusUnauthorized, "GET", "/Users", nil)

		p := m.pushing(m.token("default", "idp"))
		p.must(m.t, http.StatusOK, "GET", "/Users", nil)
		for _, step := range []struct {
			line   string
			status int
		}{
			{"token disable idp --org default", http.StatusUnauthorized},
			{"token enable idp --org default", http.StatusOK},
			{"org scim off --org default", http.StatusUnauthorized},
			{"org scim on --org default", http.StatusOK},
			{"token delete idp --org default", http.StatusUnauthorized},
		} {
			m.want(exitDone, step.line)
			p.statusWithin(m, 1500*time.Millisecond, step.status, "GET", "/Users") // a second, and a slow machine's half
		}
		m.until("each refusal has its own row in the request log", func() bool {
			var said []string
			for _, r := range asked[[]client.Request](m, exitDone, "requests list --org default --status 401") {
				said = append(said, r.Token+": "+r.Detail)
			}
			all := strings.Join(said, "\n")
			return len(said) == 3 && strings.Contains(all, "old: token old: the token expired at ") &&
				strings.Contains(all, "the token is disabled") && strings.Contains(all, "SCIM is switched off")
		})
		tokens := asked[[]client.Token](m, exitDone, "token list --org default")
		if len(tokens) != 1 || tokens[0].Name != "old" || tokens[0].Token != "" {
			m.t.Errorf("tokens: %+v", tokens)
		}
		m.refused("token create --org default --name old --expires 1d", "exists already")
	})
}

// expiredToken stores a token that has expired, while no daemon runs: no command makes one.
func (m *machine) expiredToken() string {
	m.t.Helper()
	d := m.db
	d.Dir += "/data"
	db := storetest.Open(m.t, d)
	org, err := db.Organisation(context.Background(), "default")
	if err != nil {
		m.t.Fatal(err)
	}
	id, plain, hash := roster.MintToken()
	token := roster.Token{ID: id, Org: org.ID, Name: "old", Hash: hash, CreatedAt: time.Now().Add(-48 * time.Hour), ExpiresAt: time.Now().Add(-time.Hour)}
	if outs, err := roster.New(db).Commit(context.Background(), org.ID, roster.Cause{}, []roster.Change{roster.TokenCreate{Token: token}}); err != nil || outs[0].Err != nil {
		m.t.Fatal(err, outs)
	}
	if err := db.Close(); err != nil {
		m.t.Fatal(err)
	}
	return plain
}
