package scimserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver"
)

// service is a Server over a real store, reached over HTTP, with one organisation and an unbound token.
type service struct {
	*testing.T

	db     *store.DB
	roster *roster.Roster
	scim   *scimserver.Server
	root   string
	org    string
	token  string
	now    time.Time // the server's clock, if set
	logs   *bytes.Buffer
}

// each runs a test on both databases.
func each(t *testing.T, test func(s *service)) {
	t.Helper()
	eachWith(t, scimserver.Config{TokenCache: -1}, test)
}

func eachWith(t *testing.T, cfg scimserver.Config, test func(s *service)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		s := &service{T: t, db: db, roster: roster.New(db), logs: &bytes.Buffer{}}
		cfg := cfg
		cfg.Roster, cfg.Store, cfg.Log = s.roster, db, slog.New(slog.NewTextHandler(s.logs, nil))
		if cfg.Now == nil {
			cfg.Now = func() time.Time {
				if s.now.IsZero() {
					return time.Now()
				}
				return s.now
			}
		}
		var err error
		if s.scim, err = scimserver.New(cfg); err != nil {
			t.Fatal(err)
		}
		elsewhere := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not scim", http.StatusTeapot) })
		server := httptest.NewServer(web.Floor(slog.New(slog.DiscardHandler), s.scim.Before(elsewhere)))
		t.Cleanup(server.Close)
		s.root = server.URL
		s.org = s.newOrg("acme")
		s.token, _ = s.newToken(s.org, "idp", "")
		test(s)
	})
}

func (s *service) commit(org string, changes ...roster.Change) []roster.Outcome {
	s.Helper()
	outs, err := s.roster.Commit(context.Background(), org, roster.Cause{Atomic: true, By: roster.ByOperator}, changes)
	if err != nil {
		s.Fatal(err)
	}
	return outs
}

func (s *service) newOrg(name string) string {
	s.Helper()
	id := roster.NewID()
	s.commit(id, roster.OrgCreate{ID: id, Name: name, SCIM: true})
	return id
}

func (s *service) newConnection(org, name string) string {
	s.Helper()
	return s.commit(org, roster.ConnectionSync{Name: name, Kind: roster.KindEntra, Target: name, Managed: []string{roster.AttrUserName}})[0].ID
}

func (s *service) newToken(org, name, connection string) (plain, id string) {
	s.Helper()
	id, plain, hash := roster.MintToken()
	s.commit(org, roster.TokenCreate{Token: roster.Token{ID: id, Name: name, Hash: hash, Connection: connection, ExpiresAt: expiry}})
	return plain, id
}

// expiry is when the tests' tokens expire.
var expiry = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// reply is an answer.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// request is one to be sent with changes to what is usual.
type request struct {
	method, path, body string
	token              string // "": the organisation's; "-": none
	header             map[string]string
	base               string
}

func (s *service) send(q request) reply {
	s.Helper()
	if q.base == "" {
		q.base = "/service/v1/scim/v2"
	}
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(context.Background(), q.method, s.root+q.base+q.path, body)
	if err != nil {
		s.Fatal(err)
	}
	switch q.token {
	case "":
		req.Header.Set("Authorization", "Bearer "+s.token)
	case "-":
	default:
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	for k, v := range q.header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect, as identity providers do for a POST
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	if out.raw, err = io.ReadAll(res.Body); err != nil {
		s.Fatal(err)
	}
	if len(out.raw) > 0 {
		if err := json.Unmarshal(out.raw, &out.body); err != nil {
			s.Fatalf("%s %s: %v in %s", q.method, q.path, err, out.raw)
		}
	}
	return out
}

func (s *service) do(method, path, body string) reply {
	s.Helper()
	return s.send(request{method: method, path: path, body: body})
}

// must sends a request and fails the test unless the answer has that status.
func (s *service) must(status int, method, path, body string) reply {
	s.Helper()
	r := s.do(method, path, body)
	if r.status != status {
		s.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, r.status, status, r.raw)
	}
	return r
}

func (r reply) id() string { return r.text("id") }

func (r reply) text(name string) string {
	v, _ := r.body[name].(string)
	return v
}

// at returns what stands at a path like name.givenName or emails.0.value.
func (r reply) at(path string) any {
	var v any = r.body
	for key := range strings.SplitSeq(path, "/") {
		switch c := v.(type) {
		case map[string]any:
			v = c[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}

// resources returns the ids in a list.
func (r reply) resources() []string {
	list, _ := r.body["Resources"].([]any)
	out := []string{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		id, _ := m["id"].(string)
		out = append(out, id)
	}
	return out
}

func where(filter string) string { return "?filter=" + url.QueryEscape(filter) }

func (s *service) user(userName string) string {
	s.Helper()
	return s.must(http.StatusCreated, "POST", "/Users", `{"userName":"`+userName+`"}`).id()
}

func (s *service) group(name string, members ...string) string {
	s.Helper()
	refs := []map[string]string{}
	for _, m := range members {
		refs = append(refs, map[string]string{"value": m})
	}
	body, _ := json.Marshal(map[string]any{"displayName": name, "members": refs})
	return s.must(http.StatusCreated, "POST", "/Groups", string(body)).id()
}

// members returns the userNames in a group.
func (s *service) members(group string) []string {
	s.Helper()
	r := s.must(http.StatusOK, "GET", "/Groups/"+group, "")
	list, _ := r.body["members"].([]any)
	out := []string{}
	for _, e := range list {
		m, _ := e.(map[string]any)
		name, _ := m["display"].(string)
		out = append(out, name)
	}
	return out
}

// log returns the organisation's request log, the oldest first.
func (s *service) log(org string) []roster.Request {
	s.Helper()
	rows, _, err := s.db.Requests(context.Background(), org, store.RequestFilter{}, store.List{})
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// many makes users without a request for each, and returns their ids in order.
func (s *service) many(n int) []string {
	s.Helper()
	ids := make([]string, 0, n)
	for len(ids) < n {
		changes := make([]roster.Change, min(1000, n-len(ids)))
		for i := range changes {
			changes[i] = roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("u%06d@x.com", len(ids)+i)}, Active: true}
		}
		for _, o := range s.commit(s.org, changes...) {
			ids = append(ids, o.ID)
		}
	}
	return ids
}
