package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api"
	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// runner is a syncer that only remembers.
type runner struct {
	mu     sync.Mutex
	woken  int
	tested []string
	asked  []roster.AskOne
	runs   []roster.Run // what One returns
	err    error
}

func (r *runner) Test(_ context.Context, org, connection string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tested = append(r.tested, org+" "+connection)
	return "it answers", r.err
}

func (r *runner) Wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.woken++
}

func (r *runner) One(_ context.Context, ask roster.AskOne) ([]roster.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ask)
	return r.runs, r.err
}

func (r *runner) wakes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.woken
}

// bench is the API over a real unix socket and over TCP, with the organisations acme and beta.
type bench struct {
	t          *testing.T
	db         *store.DB
	roster     *roster.Roster
	runs       *runner
	api        *api.API
	alerts     *alerter
	log        *bytes.Buffer
	now        time.Time
	url        string
	local      *client.Client
	acme, beta string // ids
}

func each(t *testing.T, test func(b *bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		test(newBench(t, db))
	})
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := &bench{t: t, db: db, roster: roster.New(db), runs: &runner{}, alerts: &alerter{tests: []roster.AlertTest{{Channel: "email", OK: true}}}, log: &bytes.Buffer{}, now: time.Now()}
	a := api.New(api.Config{
		Roster: b.roster, Store: db, Runs: b.runs, Log: slog.New(slog.NewTextHandler(b.log, nil)), Version: "v1.2.3",
		PublicURL: "https://id.example.com/", Now: func() time.Time { return b.now },
		Alerts: b.alerts, Heartbeat: 50 * time.Millisecond,
	})
	b.api = a
	mux := http.NewServeMux()
	a.Mount(mux)
	socket := filepath.Join(shortDir(t), "rosterd.sock")
	listener, err := api.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: listener, Config: &http.Server{Handler: api.Trusted(mux)}}
	local.Start()
	remote := httptest.NewServer(mux)
	t.Cleanup(local.Close)
	t.Cleanup(remote.Close)
	t.Cleanup(a.EndStreams) // before the servers wait for them
	b.url = remote.URL
	b.local = b.client(client.Options{Socket: socket})
	b.acme, b.beta = b.org("acme"), b.org("beta")
	return b
}

// shortDir is a folder with a path short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rosterd") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (b *bench) client(o client.Options) *client.Client {
	b.t.Helper()
	c, err := client.New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) org(name string) string {
	b.t.Helper()
	o, err := b.local.CreateOrganisation(b.t.Context(), name)
	b.ok(err)
	return o.ID
}

// key makes an API key and returns it.
func (b *bench) key(org, role string) string {
	b.t.Helper()
	k, err := b.local.CreateAPIKey(b.t.Context(), org, client.NewAPIKey{Name: org + " " + role, Role: role, Expires: "90d"})
	b.ok(err)
	return k.Key
}

// remote is a client over TCP with a key.
func (b *bench) remote(key string) *client.Client {
	b.t.Helper()
	return b.client(client.Options{Server: b.url, APIKey: key})
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// refused checks the status and code of an error, and that its message has the parts.
func (b *bench) refused(err error, status int, code string, parts ...string) {
	b.t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		b.t.Errorf("got %v, want a refusal with %d", err, status)
		return
	}
	if e.Status != status || e.Code != code {
		b.t.Errorf("got %d %s (%s), want %d %s", e.Status, e.Code, e.Message, status, code)
	}
	for _, part := range parts {
		if !strings.Contains(e.Message, part) {
			b.t.Errorf("%q doesn't say %q", e.Message, part)
		}
	}
}

// commit applies changes to acme, past the API.
func (b *bench) commit(cause roster.Cause, changes ...roster.Change) []roster.Outcome {
	b.t.Helper()
	outs, err := b.roster.Commit(b.t.Context(), b.acme, cause, changes)
	b.ok(err)
	for i := range outs {
		if outs[i].Err != nil {
			b.t.Fatalf("change %d (%T): %v", i, changes[i], outs[i].Err)
		}
	}
	return outs
}

func (b *bench) connection(name, target string) string {
	b.t.Helper()
	return b.commit(roster.Cause{}, roster.ConnectionSync{
		Name: name, Kind: roster.KindEntra, Target: target, Managed: []string{roster.AttrUserName},
	})[0].ID
}

// push makes a member as a push by a connection's token does.
func (b *bench) push(connection, userName, email string) *roster.Member {
	b.t.Helper()
	attrs := roster.Attributes{"userName": userName, "displayName": "The " + userName}
	if email != "" {
		attrs.Set(roster.AttrWorkEmail, email)
	}
	cause := roster.Cause{By: roster.ByPush, Connection: connection, Actor: roster.Actor{Kind: roster.ActorToken, Name: "t"}}
	return b.commit(cause, roster.MemberCreate{Attributes: attrs, Active: true})[0].Member
}

// finished asks for a run and finishes it in a state, with a plan.
func (b *bench) finished(connection string, mode roster.Mode, state roster.RunState, actions ...roster.RunAction) roster.Run {
	b.t.Helper()
	b.commit(roster.Cause{}, roster.RunRequest{Connection: connection, Mode: mode, By: "test"})
	r, err := b.db.ClaimRun(b.t.Context(), "test", time.Minute)
	b.ok(err)
	for i := range actions {
		actions[i].Run, actions[i].N = r.ID, int64(i+1)
	}
	b.ok(b.db.AddActions(b.t.Context(), r, actions))
	r.State, r.Complete, r.Pages, r.Objects, r.Phase = state, true, 3, 40, "apply"
	if state == roster.RunFailed {
		r.Error = "the tenant is gone"
	}
	if state == roster.RunHeld {
		r.Held = []roster.HeldLimit{{Limit: "members", Actions: 1, Of: 7, Percent: 5, Window: "run", Text: "too many"}}
	}
	b.ok(b.db.FinishRun(b.t.Context(), r, store.Ending{}))
	return *r
}

// do sends a raw request over TCP.
func (b *bench) do(method, path, key, body string) (*http.Response, client.Problem) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	b.ok(err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	b.ok(err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	b.ok(err)
	var p client.Problem
	if response.StatusCode >= 400 {
		if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
			b.t.Errorf("%s %s: %d with the media type %q: %s", method, path, response.StatusCode, got, text)
		} else if err := json.Unmarshal(text, &p); err != nil || p.Status != response.StatusCode || p.Code == "" || p.Detail == "" || p.Title == "" {
			b.t.Errorf("%s %s: %d with %s", method, path, response.StatusCode, text)
		}
	}
	return response, p
}

// list reads a list to its end.
func list[T any](b *bench, items iter.Seq2[T, error]) []T {
	b.t.Helper()
	all, err := client.Collect(items)
	b.ok(err)
	return all
}

func listError[T any](items iter.Seq2[T, error]) error {
	_, err := client.Collect(items)
	return err
}
