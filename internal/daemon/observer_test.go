package daemon_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/internal/daemon"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// connected has the options of a daemon with one connection to a tenant.
func connected(t *testing.T, db storetest.Database, tenant *idpsim.Tenant, more string) daemon.Options {
	t.Helper()
	srv, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	path := filepath.Join(t.TempDir(), "rosterd.yaml")
	text := fmt.Sprintf(`%s
connections:
  - organisation: default
    name: entra
    kind: entra
    entra: { tenant_id: %q, service_principal_id: %q, graph_url: %q, access_token: graph-token }
`, more, tenant.TenantID(), tenant.ServicePrincipalID(), srv.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	c.Listen, c.MetricsListen, c.DataDir, c.DatabaseURL = "127.0.0.1:0", "127.0.0.1:0", db.Dir, config.Secret(db.URL)
	return daemon.Options{Config: c, Version: "v9.8.7", Out: io.Discard, Log: slog.New(slog.DiscardHandler)}
}

func tenantOf(people, groups int) *idpsim.Tenant {
	return idpsim.New(idpsim.Config{Seed: 1, Members: people, Groups: groups, AccessToken: "graph-token"})
}

// finished asks for a run and waits for its end.
func (r *running) finished(id string) client.Run {
	r.Helper()
	for {
		run, err := r.api.Run(r.Context(), id, false)
		if err != nil {
			r.Fatal(err)
		}
		if run.Finished() {
			return run
		}
	}
}

func (r *running) resync() client.Run {
	r.Helper()
	asked, err := r.api.Resync(r.Context(), daemon.DefaultOrganisation, client.AskResync{Full: true})
	if err != nil || len(asked.Runs) != 1 {
		r.Fatalf("%+v, %v", asked, err)
	}
	return r.finished(asked.Runs[0].Run)
}

// Metrics tell of runs, of what they found, of what they asked the identity provider, and of how the connection stands.
func TestMetricsOfRuns(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		t.Helper()
		tenant := tenantOf(10, 2)
		r := start(t, connected(t, db, tenant, ""))
		of := func(name, more string) string {
			return fmt.Sprintf(`%s{%s}`, name, strings.Trim(fmt.Sprintf(`connection="entra",%s,organisation="default"`, more), ","))
		}
		plain := func(name string) string { return name + `{connection="entra",organisation="default"}` }
		failed := `rosterd_runs_total{connection="entra",mode="full",organisation="default",state="failed"}`
		if _, series := r.scrape(); series[plain("rosterd_runs_queued")] != 0 || series[failed] != 0 {
			t.Error("before any run there is one")
		} else if _, there := series[failed]; !there {
			t.Error("the first run to fail would be no increase")
		}
		first := r.resync()
		for _, u := range tenant.Desired()[:7] {
			if err := tenant.DisableUser(u.ObjectID); err != nil {
				t.Fatal(err)
			}
		}
		second := r.resync()
		if first.State != "done" || second.State != "held" {
			t.Fatalf("%s, then %s", first.State, second.State)
		}
		want := map[string]float64{
			`rosterd_runs_total{connection="entra",mode="full",organisation="default",state="done"}`: 1,
			`rosterd_runs_total{connection="entra",mode="full",organisation="default",state="held"}`: 1,
			failed: 0,
			`rosterd_run_actions_total{connection="entra",kind="missing_member",organisation="default",state="applied"}`:      10,
			`rosterd_run_actions_total{connection="entra",kind="orphaned_member",organisation="default",state="held"}`:        7,
			`rosterd_drift_found_total{action="deactivate",connection="entra",kind="orphaned_member",organisation="default"}`: 7,
			of("rosterd_drift_last_full", `kind="orphaned_member"`):                                                           7,
			of("rosterd_drift_last_full", `kind="missing_member"`):                                                            0,
			plain("rosterd_held_plans"): 1, plain("rosterd_runs_queued"): 0, plain("rosterd_runs_running"): 0, plain("rosterd_run_takeovers_total"): 0,
			`rosterd_run_phase_duration_seconds_count{connection="entra",mode="full",organisation="default",phase="queued"}`: 2,
			`rosterd_run_phase_duration_seconds_count{connection="entra",mode="full",organisation="default",phase="pull"}`:   2,
			`rosterd_run_phase_duration_seconds_count{connection="entra",mode="full",organisation="default",phase="apply"}`:  2,
			plain("rosterd_connection_last_complete_run_timestamp_seconds"):                                                  float64(second.FinishedAt.UnixMilli()) / 1000,
			plain("rosterd_held_plans_since_timestamp_seconds"):                                                              float64(second.FinishedAt.UnixMilli()) / 1000,
		}
		r.counts(want)
		if _, err := r.api.ApproveRun(r.Context(), second.Run, nil); err != nil {
			t.Fatal(err)
		}
		r.counts(map[string]float64{
			plain("rosterd_held_plans"): 0,
			`rosterd_run_actions_total{connection="entra",kind="orphaned_member",organisation="default",state="applied"}`:     7,
			`rosterd_drift_found_total{action="deactivate",connection="entra",kind="orphaned_member",organisation="default"}`: 7, // they were found once
		})
		text, series := r.scrape()
		if series[`rosterd_idp_requests_total{code="2xx",connection="entra",organisation="default"}`] == 0 {
			t.Errorf("no requests to the identity provider in\n%s", text)
		}
		if series[`rosterd_database_commit_duration_seconds_count{result="ok"}`] == 0 || series["rosterd_database_size_bytes"] < 10_000 {
			t.Errorf("nothing of the database in\n%s", text)
		}
		if strings.Contains(text, tenant.Desired()[0].UserPrincipalName) {
			t.Error("the metrics hold a person")
		}
	})
}

// spans is a collector of traces.
type spans struct {
	mu   sync.Mutex
	all  []*otlp.Span
	raw  bytes.Buffer
	keys []string // the header api-key of each request
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(body)
	s.keys = append(s.keys, r.Header.Get("Api-Key"))
	for _, of := range sent.ResourceSpans {
		for _, in := range of.ScopeSpans {
			s.all = append(s.all, in.Spans...)
		}
	}
}

func value(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// under lists the names of the spans directly below one, each once, in order.
func (s *spans) under(parent []byte) []string {
	var out []string
	for _, c := range s.all {
		if bytes.Equal(c.ParentSpanId, parent) {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *spans) named(t *testing.T, name string) *otlp.Span {
	t.Helper()
	for _, c := range s.all {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no span %q", name)
	return nil
}

// Traces have a span for each request, run, phase, call and commit, and no person; a trace goes on from a trusted proxy's
// alone.
func TestTracesOfPushesAndRuns(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		t.Helper()
		got := &spans{}
		srv := httptest.NewServer(got)
		t.Cleanup(srv.Close)
		tenant := tenantOf(3, 1)
		opts := connected(t, db, tenant, "")
		opts.Config.Tracing = config.Tracing{Endpoint: srv.URL, Sample: 1, Headers: map[string]config.Secret{"api-key": "hush"}}
		opts.Config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		var log lockedBuffer
		opts.Log = slog.New(slog.NewTextHandler(&log, nil))
		r := start(t, opts)
		token := r.newToken("idp", "90d").Token
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.daemon.LocalURL()+"/scim/v2/Users",
			strings.NewReader(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusCreated {
			t.Fatal(res, err)
		}
		_ = res.Body.Close()
		r.ask("GET", r.daemon.LocalURL()+"/scim/v2/Users/ada@example.com?filter=secret", token, "")
		run := r.resync()
		r.stop()
		<-r.ended

		push := got.named(t, "SCIM POST /Users")
		if fmt.Sprintf("%x", push.TraceId) != "4bf92f3577b34da6a3ce929d0e0e4736" || value(push, "rosterd.token") != "idp" {
			t.Errorf("the push: %v", push)
		}
		if id := res.Header.Get("X-Request-Id"); id == "" || value(push, "rosterd.request.id") != id {
			t.Errorf("the push has the id %q, answered was %q", value(push, "rosterd.request.id"), id)
		}
		if below := got.under(push.SpanId); !slices.Equal(below, []string{"commit"}) {
			t.Errorf("below the push: %q", below)
		}
		got.named(t, "SCIM GET /Users/{id}")
		worked := got.named(t, "run full")
		if len(worked.ParentSpanId) != 0 || value(worked, "rosterd.run.id") != run.Run || value(worked, "rosterd.run.state") != run.State {
			t.Errorf("the run: %v", worked)
		}
		below := slices.DeleteFunc(got.under(worked.SpanId), func(name string) bool { return name == "commit" })
		if !slices.Equal(below, []string{"apply", "plan", "pull"}) {
			t.Errorf("below the run: %q", below)
		}
		if below := got.under(got.named(t, "pull").SpanId); !slices.Contains(below, "GET /v1.0/servicePrincipals/{}/appRoleAssignedTo") {
			t.Errorf("below the pull: %q", below)
		}
		if below := got.under(got.named(t, "apply").SpanId); !slices.Equal(below, []string{"commit"}) {
			t.Errorf("below apply: %q", below)
		}
		for _, never := range []string{"ada@example.com", token, "graph-token", "secret", tenant.Desired()[0].UserPrincipalName, tenant.Desired()[0].ObjectID} {
			if bytes.Contains(got.raw.Bytes(), []byte(never)) {
				t.Errorf("the traces hold %q", never)
			}
		}
		if !slices.Contains(got.keys, "hush") {
			t.Errorf("the headers sent: %q", got.keys)
		}
		for _, line := range []string{"trace_id=4bf92f3577b34da6a3ce929d0e0e4736", fmt.Sprintf("run=%s connection=entra trace_id=%x", run.Run, worked.TraceId)} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("no %q in the log:\n%s", line, log.String())
			}
		}
	})
}

// Nobody but a trusted proxy says which trace a request belongs to; and a share of 0 leaves the runs.
func TestStrangersStartNoTrace(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		t.Helper()
		got := &spans{}
		srv := httptest.NewServer(got)
		t.Cleanup(srv.Close)
		opts := connected(t, db, tenantOf(3, 1), "")
		opts.Config.Tracing = config.Tracing{Endpoint: srv.URL, Sample: 0}
		r := start(t, opts)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.daemon.LocalURL()+"/scim/v2/Schemas", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		_ = res.Body.Close()
		r.resync()
		r.stop()
		<-r.ended
		got.named(t, "run full")
		for _, s := range got.all {
			if strings.HasPrefix(s.Name, "SCIM") {
				t.Errorf("traced: %s", s.Name)
			}
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
